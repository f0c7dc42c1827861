"""The checkpoint that did best on the test sets, as the released code picks it."""

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from safetensors.numpy import save

from bench.models.similarity import cosine
from bench.training.embed import Embedded
from bench.utils.io import digest, file_digest, replacing


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
