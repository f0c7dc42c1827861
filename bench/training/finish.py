"""A finished cell's folder: written beside its place, flushed, and moved there in one step."""

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from safetensors.numpy import save_file
from safetensors.torch import save_file as save_tensors

from bench.method import Method
from bench.training.best_checkpoint import BestOnTest, flat
from bench.training.embed import Embedded
from bench.training.loop import Log
from bench.utils.io import file_digest, replace_folder, replacing, write_json, write_text


def finish(
    final: Path,
    facts: dict[str, Any],
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
        write_json(work / "run.json", {**facts, "files": files})

    replace_folder(final, write)
    shutil.rmtree(best.folder, ignore_errors=True)
