"""Store the output of a cell: embeddings, log, model, run.json, best checkpoint on test data."""

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from safetensors.numpy import save, save_file
from safetensors.torch import save_file as save_tensors

from bench.experiments.record import Run
from bench.method import Method
from bench.models.similarity import cosine
from bench.training.embed import Embedded
from bench.training.trainer import Log
from bench.utils.io import digest, file_digest, replace_folder, replacing, write_text


class BestOnTest:
    """Embeddings of the checkpoint that did best on the test sets, as the released code picks.

    They lie beside ``state``, the training's own, as ``<step>-<top-1>-<digest>.safetensors``.
    """

    def __init__(self, state: Path) -> None:
        self.folder, self.step, self.top1 = state.with_suffix(".best"), 0, -1.0
        if not state.is_file():  # the training begins anew
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
        top1 = float(np.mean([_top1(e) for e in parts.values()]))
        if top1 > self.top1:
            self.step, self.top1 = step, top1
            content = save(flat(parts))
            # 25 digits give the very number again, or an equal one would count as better.
            new = self.folder / f"{step:08d}-{top1:.25f}-{digest(content)}.safetensors"
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


def flat(parts: Mapping[str, Embedded]) -> dict[str, Any]:
    """Return the arrays of all parts, as "<data set>.<array>"."""
    return {f"{name}.{key}": a for name, e in parts.items() for key, a in e.arrays.items()}


def finish(
    final: Path,
    run: Run,
    parts: Mapping[str, Embedded],
    log: Log,
    model: Method | None,
    best: BestOnTest,
) -> None:
    """Write a cell's files to ``final``: the folder is whole or not there."""

    def write(work: Path) -> None:
        with replacing(work / "embeddings.safetensors") as part:
            save_file(flat(parts), part)
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
