"""One cell, from its job to its finished folder: embeddings, log, model, run.json."""

import math
import platform
import random
import shutil
import time
from collections.abc import Callable, Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.numpy import save, save_file
from safetensors.torch import save_file as save_tensors

from bench.data.index import read_index
from bench.data.words.class_vectors import load_class_vectors
from bench.experiments.method_registry import load
from bench.experiments.record import EmbeddedClasses, Run
from bench.method import Classes, Method, as_tensor_classes, create, parameters_of
from bench.models.similarity import cosine
from bench.training.cell_inputs import (
    Batches,
    first_per_class,
    held_out_rows,
    imported_weights,
    load_weights,
    open_cell,
    open_classes,
    open_objects,
    open_sources,
    rows_of,
    without_failures,
)
from bench.training.device import prepare
from bench.training.distributed import ALONE, World
from bench.training.embed import Embedded, embed
from bench.training.job import Job
from bench.training.trainer import Log, Trained, train
from bench.utils.io import digest, file_digest, replace_folder, replacing, write_text

Report = Callable[[int, float], None]
Check = Callable[[Mapping[str, str]], Mapping[str, str]]


def run_cell(
    job: Job,
    report: Report = lambda step, loss: None,
    world: World = ALONE,
    check: Check = lambda loaded: {},
) -> None:
    """Train, embed, and move the whole result to ``runs/<profile>/<cell>``; or raise.

    ``report`` gets the number of finished steps and the last logged loss (NaN before) after each
    step and every few embedded videos. All processes of a ``world`` call this; the first writes.
    ``check`` gets the fingerprint's parts of the data that were loaded, before anything is stored,
    and returns all parts that were used; it raises if they are not those of the plan.
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
    sources = {name: open_sources(job, method, index) for name, index in indices.items()}
    vectors = {
        name: load_class_vectors(job.layout.words, name)
        for name in dict.fromkeys([*names, *filter(None, [job.train_on])])
    }

    first = sources[names[0]]
    rows: list[int] = []
    held_out: set[int] = set()
    usable: tuple[list[int], list[int]] = [], []
    if job.checkpoint:  # only the number of its classes is known
        width = len(next(iter(vectors[names[0]].values())))
        seen = as_tensor_classes(job.seen, np.zeros((len(job.seen), width)), device)
    elif trains:
        index = indices[job.train_on]
        seen = open_classes(job, index, job.seen, vectors[job.train_on], device)
        held_out = held_out_rows(job.held_out, index)
        rows, labels = rows_of(index, job.seen, held_out)
        usable = without_failures(rows, labels, first, index)
    else:
        of_seen = np.stack([vectors[job.train_on][c] for c in job.seen])
        seen = as_tensor_classes(job.seen, of_seen, device)
    dims = {name: source.dim for name, source in first.items()}
    objects = open_objects(job.layout, job.inputs, device)
    open_cell(method, job.network, seen, dims, objects)
    imported: dict[str, Any] = {}
    if job.checkpoint:
        state_dict, known = imported_weights(job.checkpoint)
        load_weights(method, state_dict, str(job.checkpoint), "import it for this profile")
        imported = {"train": {}, "checkpoint": known.content()}  # nothing is trained
    method.to(device)
    part = world.part(job.train.batch, method) if trains else slice(None)
    batches = Batches(first, *usable, job.train.batch, job.seed, part)
    state = job.layout.scratch / "state" / f"{job.cell}-{job.fingerprint}.pt"
    parts: dict[str, Embedded] = {}
    done = 0, math.nan

    def stepped(step: int, loss: float) -> None:
        nonlocal done
        done = step, loss
        report(*done)

    def embed_rows(name: str, rows: list[int], labels: list[int], classes: Classes) -> Embedded:
        return embed(
            method, sources[name], indices[name].paths, rows, labels, classes,
            lambda: report(*done), inference=job.network.inference, world=world,
        )  # fmt: skip

    def embed_all() -> None:
        for name, listed in job.tests.items():
            chosen = rows_of(indices[name], listed, rows if held_out else ())
            classes = open_classes(job, indices[name], listed, vectors[name], device)
            parts[name] = embed_rows(name, *chosen, classes)

    best = BestOnTest(state) if world.first else None

    def evaluate(step: int) -> None:
        embed_all()
        if best:
            best.offer(step, parts)

    trained = Trained([], None, 1)
    if not trains:
        pass
    elif method.fit is not None:
        method.fit(batches, seen)
    else:
        workers = job.input.workers
        trained = train(
            method, batches, seen, job.train, state, workers, stepped, evaluate, world=world
        )
    if not (trains and method.fit is None and job.train.eval_every):  # the last step has done it
        embed_all()
    some = first_per_class(*usable, job.input.seen_per_class)
    if some[0]:
        parts["seen"] = embed_rows(job.train_on, *some, seen)
    if best:
        log = trained.log
        arrays = {name: np.stack(list(found.values())) for name, found in vectors.items()}
        used = check({"words": digest({name: digest(a.tobytes()) for name, a in arrays.items()})})
        run = Run(
            **{**job.facts, "parts": {**job.facts["parts"], **used}},
            fingerprint=job.fingerprint,
            parameters={
                "method": {name: getattr(method, name) for name in parameters_of(kind)},
                "train": job.train.numbers(),
                "input": job.input.model_dump(mode="json"),
                "network": job.network.model_dump(mode="json"),
                "inputs": dict(job.inputs),
                **imported,
            },
            environment=_environment(device),
            started=time.strftime("%Y-%m-%dT%H:%M:%SZ", started),
            wall_s=round(time.perf_counter() - wall, 2),
            cpu_s=round(time.process_time() - cpu, 2),
            world_size=world.size,
            speed=trained.speed,
            micro_batches=trained.micro_batches,
            steps=job.train.steps if log else 0,
            effective_batch=job.train.batch if log else 0,
            losses=log[-1] if log else {},
            best_on_test_step=best.step,
            digests={name: indices[name].digest for name in names},
            training_videos={"expected": len(rows), "used": len(usable[0])},
            embedded={
                name: EmbeddedClasses(names=list(e.names), expected=e.expected, failed=e.failed)
                for name, e in parts.items()
            },
            files={},
        )
        model = method if job.train.keep_model and not job.checkpoint else None
        _store(job.layout.runs / job.cell, run, parts, log, model, best)
        state.unlink(missing_ok=True)
    world.gather(None)  # nobody goes on before the result is there


def _environment(device: torch.device) -> dict[str, str]:
    """Return the versions and the machine that a result came from."""
    cuda = device.type == "cuda"
    packages = ("torch", "torchvision", "numpy", "av", "gensim")
    return {
        "python": platform.python_version(),
        **{name: version(name) for name in packages},
        "cuda": str(torch.version.cuda) if cuda else "",
        "device": torch.cuda.get_device_name() if cuda else "cpu",
        "machine": platform.machine(),
        "capability": "" if cuda else torch.backends.cpu.get_cpu_capability(),
        "threads": str(torch.get_num_threads()),
    }


class BestOnTest:
    """Embeddings of the checkpoint that did best on the test sets, as the released code picks.

    They lie beside ``state``, the training's own, as ``<step>-<top-1>-<digest>.safetensors``.
    """

    def __init__(self, state: Path) -> None:
        self.folder, self.step, self.top1 = state.with_suffix(".best"), 0, -1.0
        if not state.is_file():  # the training starts from the beginning
            shutil.rmtree(self.folder, ignore_errors=True)
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
        top1 = float(np.mean([_top1(e.arrays) for e in parts.values()]))
        if top1 > self.top1:
            self.step, self.top1 = step, top1
            content = save(_flat(parts))
            # 25 digits restore the exact number: a rounded one could count as better.
            new = self.folder / f"{step:08d}-{top1:.25f}-{digest(content)}.safetensors"
            with replacing(new) as part:
                part.write_bytes(content)
            for old in self.folder.glob("*"):  # only now, so that a kill loses nothing
                if old != new:
                    old.unlink()


def _top1(arrays: Mapping[str, Any]) -> float:
    scores = arrays["score"] if "score" in arrays else cosine(arrays["video"], arrays["class"])
    return float((scores.argmax(1) == arrays["label"]).mean())


def _flat(parts: Mapping[str, Embedded]) -> dict[str, Any]:
    """Return the arrays of all parts, as "<data set>.<array>"."""
    return {f"{name}.{key}": a for name, e in parts.items() for key, a in e.arrays.items()}


def _store(
    final: Path,
    run: Run,
    parts: Mapping[str, Embedded],
    log: Log,
    model: Method | None,
    best: BestOnTest,
) -> None:
    """Write a cell's folder, completely or not at all."""

    def write(work: Path) -> None:
        with replacing(work / "embeddings.safetensors") as part:
            save_file(_flat(parts), part)
        if best.step:
            (kept,) = best.folder.glob("*.safetensors")
            shutil.copyfile(kept, work / "best_on_test.safetensors")
        if model is not None:
            with replacing(work / "model.safetensors") as part:
                save_tensors({k: v.contiguous() for k, v in model.state_dict().items()}, part)
        if log:
            columns = list(log[0])
            lines = (",".join(f"{row[c]:.9g}" for c in columns) for row in log)
            write_text(work / "log.csv", "\n".join([",".join(columns), *lines]) + "\n")
        files = {path.name: file_digest(path) for path in sorted(work.iterdir())}
        run.model_copy(update={"files": files}).write(work / "run.json")

    replace_folder(final, write)
    shutil.rmtree(best.folder, ignore_errors=True)
