"""One cell, from its job to its finished folder: embeddings, log, model, run.json."""

import os
import platform
import random
import shutil
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.numpy import save, save_file
from safetensors.torch import load_file
from safetensors.torch import save_file as save_tensors

from bench.data.index import Index, read_index
from bench.errors import UserError
from bench.files import digest, file_digest, read_json, replacing, write_json, write_text
from bench.method import Classes, Context, Method, as_tensor_classes, create, parameters_of
from bench.registry import load
from bench.scoring.metrics import cosine
from bench.stored import read_classes, read_objects, read_videos
from bench.training.backbone import new_backbone
from bench.training.batches import Batches
from bench.training.device import prepare
from bench.training.embed import Embedded, embed
from bench.training.inputs import Source, Vectors, broken_rows, open_features, open_video
from bench.training.job import Job
from bench.training.loop import Log, train
from bench.words.store import load_class_vectors

OF_VIDEOS = ("features", "objects", "boxes", "clip")
OF_CLASSES = ("texts", "signatures", "clip")


class MissingInput(Exception):
    """The method needs an input that this profile does not have."""


def run_cell(job: Job, report: Callable[[int], None] = lambda step: None) -> None:
    """Train, embed, and move the whole result to ``runs/<profile>/<cell>``; or raise.

    ``report`` gets the number of finished steps after each step and every few embedded videos.
    """
    started, wall, cpu = time.gmtime(), time.perf_counter(), time.process_time()
    device = prepare(job.train.device)
    random.seed(job.seed)
    np.random.seed(job.seed)
    torch.manual_seed(job.seed)
    kind = load(job.method)
    method = create(kind, job.values)
    trains = job.checkpoint is None and kind.learning != "none"
    names = list(dict.fromkeys([*([job.train_on] if trains else []), *job.tests]))
    indices = {name: read_index(job.layout.index, name) for name in names}
    sources = {name: _open(job, method, index) for name, index in indices.items()}
    vectors = {
        name: load_class_vectors(job.layout.words, name)
        for name in dict.fromkeys([*names, *filter(None, [job.train_on])])
    }

    first = sources[names[0]]
    rows: list[int] = []
    held_out: set[int] = set()
    usable: tuple[list[int], list[int]] = [], []
    if job.checkpoint:  # its classes are known by number alone
        width = len(next(iter(vectors[names[0]].values())))
        seen = as_tensor_classes(job.seen, np.zeros((len(job.seen), width)), device)
    elif trains:
        index = indices[job.train_on]
        seen = _classes(job, index, job.seen, vectors[job.train_on], device)
        held_out = _held_out(job, index)
        rows, labels = _rows(index, job.seen, held_out)
        usable = _without_failures(rows, labels, first)
    else:
        of_seen = np.stack([vectors[job.train_on][c] for c in job.seen])
        seen = as_tensor_classes(job.seen, of_seen, device)
    dims = {name: source.dim for name, source in first.items()}
    backbone, dim = new_backbone(job.network, dims.get("video", 0))
    objects = _objects(job, device)
    method.build(Context(seen, dims, job.network.head, backbone, dim, objects))
    imported = _load(method, job.checkpoint) if job.checkpoint else {}
    method.to(device)
    batches = Batches(first, *usable, job.train.batch, job.seed)
    state = job.layout.scratch / "state" / f"{job.cell}-{job.fingerprint}.pt"
    parts: dict[str, Embedded] = {}
    done = 0

    def stepped(step: int) -> None:
        nonlocal done
        done = step
        report(done)

    def alive() -> None:
        report(done)

    def embed_all() -> None:
        for name, listed in job.tests.items():
            chosen = _rows(indices[name], listed, rows if held_out else ())
            classes = _classes(job, indices[name], listed, vectors[name], device)
            parts[name] = embed(method, sources[name], indices[name].paths, *chosen, classes, alive)

    best = _BestOnTest(state)

    def evaluate(step: int) -> None:
        embed_all()
        best.offer(step, parts)

    log: Log = []
    if not trains:
        pass
    elif method.fit is not None:
        method.fit(batches, seen)
    else:
        log = train(method, batches, seen, job.train, state, job.input.workers, stepped, evaluate)
    embed_all()
    some = _first_per_class(*usable, job.input.seen_per_class)
    if some[0]:
        parts["seen"] = embed(method, first, indices[job.train_on].paths, *some, seen, alive)
    facts = {
        **job.facts,
        "fingerprint": job.fingerprint,
        "parameters": _parameters(job, kind, method) | imported,
        "environment": environment(device),
        "started": time.strftime("%Y-%m-%dT%H:%M:%SZ", started),
        "wall_s": round(time.perf_counter() - wall, 2),
        "cpu_s": round(time.process_time() - cpu, 2),
        "steps": job.train.steps if log else 0,
        "effective_batch": job.train.batch if log else 0,
        "losses": log[-1] if log else {},
        "best_on_test_step": best.step,
        "digests": {name: indices[name].digest for name in names},
        "training_videos": {"expected": len(rows), "used": len(usable[0])},
        "embedded": {
            name: {"names": list(e.names), "expected": e.expected, "failed": e.failed}
            for name, e in parts.items()
        },
    }
    model = method if job.train.keep_model and not job.checkpoint else None
    _finish(job, facts, parts, log, model, best)
    state.unlink(missing_ok=True)


def _load(method: Method, checkpoint: Path) -> dict[str, Any]:
    """Load imported weights; return what ``parameters`` says of them, and that nothing trained."""
    facts = read_json(checkpoint.with_suffix(".json"), "digest")
    if facts is None or not checkpoint.is_file() or file_digest(checkpoint) != facts["digest"]:
        raise UserError(f"{checkpoint}: not what was imported; import the checkpoint again")
    state = load_file(checkpoint)
    for name, weight in method.state_dict().items():
        if name not in state or state[name].shape != weight.shape:
            raise UserError(f"{checkpoint}: {name} fits not the profile's network or word vectors")
    method.load_state_dict(state)
    return {"train": {}, "checkpoint": facts}


def environment(device: torch.device) -> dict[str, str]:
    """Return the versions and the machine that a result came from."""
    packages = ("torch", "torchvision", "numpy", "av", "gensim")
    found = {name: version(name) for name in packages}
    cuda = device.type == "cuda"
    return {
        "python": platform.python_version(),
        **found,
        "cuda": str(torch.version.cuda) if cuda else "",
        "device": torch.cuda.get_device_name() if cuda else "cpu",
        "machine": platform.machine(),
        "capability": "" if cuda else torch.backends.cpu.get_cpu_capability(),
        "threads": str(torch.get_num_threads()),
    }


def _open(job: Job, method: Method, index: Index) -> dict[str, Source]:
    """Open what the method is given of a data set's videos."""
    sources: dict[str, Source] = {}
    for name in dict.fromkeys([*method.needs, *(n for n in method.wants if n in job.inputs)]):
        if name == "clips" and index.kind == "features":
            raise MissingInput(f"needs clips, but data set {index.name} has features only")
        if name == "video" and method.freeze_backbone:
            sources["video"] = _stored(job, "features", index)
        elif name in ("video", "clips"):
            sources["video"] = open_video(index, job.input, job.layout.scratch / "frames")
        elif name in OF_VIDEOS:
            sources[name] = _stored(job, name, index)
    return sources


def _stored(job: Job, name: str, index: Index) -> Source:
    if name == "features" and index.kind == "features":
        return open_features(index)
    if name not in job.inputs:
        raise MissingInput(f"needs {name}; run 'bench stage inputs'")
    array, failures = read_videos(job.layout.inputs / name, index.name, len(index.paths))
    return Vectors(array, broken_rows(index, "cannot be decoded") | failures)


def _classes(
    job: Job, index: Index, names: Sequence[str], vectors: Mapping[str, Any], device: torch.device
) -> Classes:
    """Return some classes of a data set with what the method is given of classes."""
    chosen = [index.classes.index(name) for name in names]
    own = {
        name: read_classes(job.layout.inputs / name, index.name, len(index.classes))[chosen]
        for name in job.inputs
        if name in OF_CLASSES
    }
    return as_tensor_classes(names, np.stack([vectors[c] for c in names]), device, own)


def _objects(job: Job, device: torch.device) -> Classes | None:
    """Return the objects that the method's scores or boxes count in."""
    if not {"objects", "boxes", "signatures"} & set(job.inputs):
        return None
    names, vectors, others = read_objects(job.layout.inputs / "objects")
    return as_tensor_classes(names, vectors, device, others)


def _held_out(job: Job, index: Index) -> set[int]:
    place = {path: row for row, path in enumerate(index.paths)}
    lost = [path for path in job.held_out if path not in place]
    if lost:
        raise UserError(
            f"'{lost[0]}' of the splits is not in {index.name}; run 'bench stage splits'"
        )
    return {place[path] for path in job.held_out}


def _rows(
    index: Index, classes: Sequence[str], without: Collection[int] = ()
) -> tuple[list[int], list[int]]:
    """Return the rows of these classes' videos but for ``without``, and their labels."""
    place = {index.classes.index(name): i for i, name in enumerate(classes)}
    left_out = set(without)
    rows = [i for i, y in enumerate(index.labels.tolist()) if y in place and i not in left_out]
    return rows, [place[int(index.labels[i])] for i in rows]


def _without_failures(
    rows: Sequence[int], labels: Sequence[int], sources: Mapping[str, Source]
) -> tuple[list[int], list[int]]:
    failed = {row for source in sources.values() for row in source.failures}
    pairs = [(r, y) for r, y in zip(rows, labels, strict=True) if r not in failed]
    if not pairs:
        raise UserError("no training video can be read")
    return [r for r, _ in pairs], [y for _, y in pairs]


def _first_per_class(
    rows: Sequence[int], labels: Sequence[int], count: int
) -> tuple[list[int], list[int]]:
    taken: dict[int, int] = {}
    chosen = []
    for row, label in zip(rows, labels, strict=True):
        taken[label] = taken.get(label, 0) + 1
        if taken[label] <= count:
            chosen.append((row, label))
    return [r for r, _ in chosen], [y for _, y in chosen]


def _parameters(job: Job, kind: type[Method], method: Method) -> dict[str, Any]:
    return {
        "method": {name: getattr(method, name) for name in parameters_of(kind)},
        "train": job.train.numbers(),
        "input": job.input.model_dump(mode="json"),
        "network": job.network.model_dump(mode="json"),
        "inputs": dict(job.inputs),
    }


class _BestOnTest:
    """Embeddings of the checkpoint that did best on the test sets, as the released code picks.

    They lie beside ``state``, the training's own, as ``<step>-<top-1>-<digest>.safetensors``.
    """

    def __init__(self, state: Path) -> None:
        self.folder, self.step, self.top1 = state.with_suffix(".best"), 0, -1.0
        kept = sorted(self.folder.glob("*.safetensors"))  # of a training that was killed
        for old in kept[:-1]:  # killed between the write of one and the removal of the other
            old.unlink()
        if kept:
            step, top1, known = kept[-1].stem.split("-")
            if file_digest(kept[-1]) == known:
                self.step, self.top1 = int(step), float(top1)
            else:  # damaged: only a whole training can tell which step was best
                kept[-1].unlink()
                state.unlink(missing_ok=True)

    def offer(self, step: int, parts: Mapping[str, Embedded]) -> None:
        """Keep the embeddings if their mean top-1 over the test sets is a new best."""
        top1 = float(np.mean([_top1(e) for e in parts.values()]))
        if top1 > self.top1:
            self.step, self.top1 = step, top1
            content = save(_flat(parts))
            new = self.folder / f"{step:08d}-{top1:.6f}-{digest(content)}.safetensors"
            with replacing(new) as part:
                part.write_bytes(content)
            for old in self.folder.glob("*"):  # only now, so that a kill loses nothing
                if old != new:
                    old.unlink()


def _top1(e: Embedded) -> float:
    scores = e.arrays["score"] if "score" in e.arrays else cosine(*_pair(e))
    return float((scores.argmax(1) == e.arrays["label"]).mean())


def _pair(e: Embedded) -> tuple[Any, Any]:
    return e.arrays["video"], e.arrays["class"]


def _flat(parts: Mapping[str, Embedded]) -> dict[str, Any]:
    return {f"{name}.{key}": a for name, e in parts.items() for key, a in e.arrays.items()}


def _finish(
    job: Job,
    facts: dict[str, Any],
    parts: Mapping[str, Embedded],
    log: Log,
    model: Method | None,
    best: _BestOnTest,
) -> None:
    """Write everything beside its place, flush it, and rename: the folder is whole or not there."""
    work = job.layout.scratch / "work" / job.cell
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir(parents=True)
    with replacing(work / "embeddings.safetensors") as part:
        save_file(_flat(parts), part)
    if best.step:
        (kept,) = best.folder.glob("*.safetensors")
        shutil.move(kept, work / "best_on_test.safetensors")
        shutil.rmtree(best.folder)
    if model is not None:
        with replacing(work / "model.safetensors") as part:
            save_tensors({k: v.contiguous() for k, v in model.state_dict().items()}, part)
    if log:
        columns = list(log[0])
        lines = [",".join(columns), *(",".join(f"{row[c]:.9g}" for c in columns) for row in log)]
        write_text(work / "log.csv", "\n".join(lines) + "\n")
    files = {path.name: file_digest(path) for path in sorted(work.iterdir())}
    write_json(work / "run.json", {**facts, "files": files})
    final = job.layout.runs / job.cell
    final.parent.mkdir(parents=True, exist_ok=True)
    shutil.rmtree(final, ignore_errors=True)
    os.replace(work, final)
