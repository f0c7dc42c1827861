"""A made-up training in runs/, as `bench train` leaves it."""

import csv
from pathlib import Path
from typing import Any

import numpy as np
from safetensors.numpy import save_file

from bench.experiments.record import Cell, EmbeddedClasses, Record, Run
from bench.utils.io import digest


def write_run(runs: Path, record: Record, labels: Any, predicted: Any, names: list[str]) -> Path:
    """Write embeddings in which video i is of class ``labels[i]`` and taken for ``predicted[i]``.

    Seen classes and visual centres are there too, and a log with a floor.
    """
    folder = runs / record.cell
    folder.mkdir(parents=True)
    classes = np.eye(len(names), 8, dtype=np.float32)
    rows = np.arange(len(labels), dtype=np.int32)
    noise = np.random.default_rng(record.seed).normal(0, 0.05, (len(labels), 8))
    video = (classes[predicted] + noise).astype(np.float32)
    data = {"video": video, "class": classes, "label": np.int32(labels), "row": rows}
    arrays = {f"mini_ucf.{key}": np.asarray(value) for key, value in data.items()}
    arrays["seen.class"] = np.eye(4, 8, k=4, dtype=np.float32)
    save_file(arrays, folder / "embeddings.safetensors")
    save_file({"W": np.eye(4, 8, k=3, dtype=np.float32)}, folder / "model.safetensors")
    with (folder / "log.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["step", "lr", "loss", "L_S", "L_US", "L_US_floor"])
        writer.writerows([step, 0.1, 3, 2 / step, 1 / step, 0.5] for step in (1, 2, 3))
    of = {"mini_ucf": (names, len(labels)), "seen": (list("abcd"), 0)}
    run = Run(
        **record.model_dump(include=set(Cell.model_fields) - {"parameters"}),
        parameters={key: {} for key in ("method", "train", "input", "network", "inputs")},
        digests={},
        embedded={k: EmbeddedClasses(names=n, expected=e, failed={}) for k, (n, e) in of.items()},
        files={path.name: digest(path.read_bytes()) for path in folder.iterdir()},
    )
    run.write(folder / "run.json")
    return folder
