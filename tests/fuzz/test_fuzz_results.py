"""Result files, damaged: records, status files, splits, trained cells and predictions."""

import io
import json
from pathlib import Path
from random import Random

import numpy as np
import pandas as pd
import pytest
import torch
import toy
from fuzzing import Target, bench, fuzz
from hostile import NAMES, changed_bytes, changed_json, npz, seeds
from project import ROOT, Ended
from safetensors.torch import save

from bench.evaluation.predictions import read_predictions
from bench.experiments.record import read_record
from bench.reports.tables import FORMATS, TABLES
from bench.utils.io import read_json

_TEXTS = [
    (ROOT / "results" / "records" / "mini" / f"{name}.json").read_text(encoding="utf-8")
    for name in toy.RECORDS
]


def _read(random: Random, folder: Path) -> None:
    file = folder / "aurl.transfer.seed0.json"
    file.write_bytes(changed_json(random.choice(_TEXTS), random))
    read_record(file)


def _tables(random: Random, folder: Path) -> object:
    records = folder / "results" / "records" / "mini"
    names = random.sample(range(len(_TEXTS)), 2)
    for i in names:
        tree = changed_json(_TEXTS[i], random)
        (records / f"{toy.RECORDS[i]}.json").write_bytes(tree)
    try:
        which, fmt = random.choice(list(TABLES)), random.choice(FORMATS)
        return bench(folder, *random.choice([["table", "-w", which, "-f", fmt], ["status"]]))
    finally:
        for i in names:
            (records / f"{toy.RECORDS[i]}.json").write_text(_TEXTS[i], encoding="utf-8")


def _status(random: Random, folder: Path) -> object:
    name = random.choice(["results/inputs/mini.json", "runs/mini/failures.json"])
    name = random.choice([name, "data/checkpoints/mini/x.json", "data/mini/words/words.json"])
    base = {
        "results/inputs/mini.json": (ROOT / "results/inputs/mini.json").read_text("utf-8"),
        "runs/mini/failures.json": json.dumps({"aurl.transfer.seed0": {
            "row": "aurl", "method": "aurl", "label": "x", "split": "transfer", "seed": 0,
            "fingerprint": "f", "parts": {}, "status": "failed", "reason": "r"}}),
        "data/checkpoints/mini/x.json": json.dumps({
            "method": "aurl", "source": "f", "sha256": "s", "classes": 3, "chosen": "last",
            "digest": "d", "opt": {}, "accuracy": None}),
        "data/mini/words/words.json": json.dumps({
            "digests": {"mini_ucf": "a"}, "sources": {"f.bin": {"bytes": 1, "sample": "s"}},
            "classes": {"mini_ucf": {"a": ["a"]}}}),
    }  # fmt: skip
    file = folder / name
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(changed_json(base[name], random))
    words = ["table", "status", "methods", "checkpoint list", "words mini_ucf", "stage score"]
    words += ["doctor", "table -w sota -f json", "stage table"]
    try:
        return bench(folder, *random.choice(words).split())
    finally:
        file.unlink()
        if name.startswith("results"):
            file.write_text(base[name], encoding="utf-8")


_FILES = sorted((ROOT / "splits" / "mini").glob("*.json"))


def _built(random: Random, folder: Path) -> object:
    name = random.choice(_FILES).name
    file = folder / "splits" / "mini" / name
    whole = (ROOT / "splits" / "mini" / name).read_text(encoding="utf-8")
    file.write_bytes(changed_json(whole, random))
    words = ["table -w splits", "table -w overlap -f html", "table", "splits overlap", "status"]
    words += ["splits overlap -f json", "splits show mini_ucf half10", "splits show mini_hmdb full"]
    words += ["score scores.csv -d mini_ucf", "splits overlap --tau 0.1", "table -w sota"]
    try:
        return bench(folder, *random.choice(words).split())
    finally:
        file.write_text(whole, encoding="utf-8")


_RUN = {
    "row": "aurl", "method": "aurl", "reading": {}, "label": "AURL", "split": "transfer", "seed": 0,
    "fingerprint": "f", "parts": {}, "git_commit": "",
    "parameters": {"method": {}, "train": {}, "input": {}, "network": {}, "inputs": {}},
    "git_dirty": False, "environment": {}, "started": "", "wall_s": 1.0, "cpu_s": 1.0,
    "world_size": 1, "micro_batches": 1, "speed": None, "files": {},
    "effective_batch": 1, "steps": 1, "losses": {"L": 0.5}, "digests": {"mini_ucf": "d"},
    "embedded": {
        "mini_ucf": {"names": ["a", "b"], "expected": 4, "failed": {}},
        "seen": {"names": ["c", "d"], "expected": 4, "failed": {}},
    },
    "best_on_test_step": 0,
}  # fmt: skip


def _embedded(random: Random, folder: Path) -> Ended:
    cell = folder / "runs" / "mini" / "aurl.transfer.seed0"
    cell.mkdir(parents=True, exist_ok=True)
    vectors = {"video": torch.randn(4, 3), "class": torch.randn(2, 3), "label": torch.arange(4) % 2}
    arrays = {f"{d}.{k}": v for d in ("mini_ucf", "seen") for k, v in vectors.items()}
    for name in random.sample(sorted(arrays), random.choice((0, 1, 2))):
        arrays[name] = random.choice([torch.zeros(0), torch.ones(3), torch.full((4, 3), torch.nan)])
    data = save({name: array.clone() for name, array in arrays.items()})
    facts = json.dumps(_RUN)
    if random.random() < 0.5:
        data = changed_bytes(data, random)
    changed = changed_json(facts, random) if random.random() < 0.6 else facts.encode()
    (cell / "run.json").write_bytes(changed)
    (cell / "embeddings.safetensors").write_bytes(data)
    return bench(
        folder,
        *random.choice(
            (["stage", "score"], ["checkpoint", "export", cell.name, "-o", "o.pth", "--force"])
        ),
    )


CLASSES = read_json(ROOT / "splits" / "mini" / "mini_ucf.full.json")["splits"][0]["unseen"]


def _name(random: Random) -> str:
    return random.choice(NAMES if random.random() < 0.05 else CLASSES)


def _log(random: Random) -> bytes:
    lines = [
        f"MINI_UCF Top-1 acc: {random.uniform(0, 100):.2f} pred: {_name(random)} "
        f"label: {_name(random)}"
        for _ in range(5)
    ]
    return "\n".join(lines).encode("utf-8", "surrogatepass")


def _table(random: Random) -> bytes:
    rows = [(f"v{i}", _name(random), _name(random)) for i in range(random.choice((0, 1, 6)))]
    frame = pd.DataFrame(rows, columns=["video", "predicted", "label"], dtype=object)
    if random.random() < 0.3:
        odd = [None, 1.5, [1], b"x", True, float("nan"), {"a": 1}]
        column = random.choice(["video", "predicted", "label"])
        frame[column] = pd.Series([random.choice(odd)] * len(frame), dtype=object)
    if random.random() < 0.2:
        names = random.choices([*NAMES[:40], "predicted", "label"], k=3)
        frame.columns = pd.Index(names, dtype=object)
    out = io.BytesIO()
    try:
        if random.random() < 0.5:
            frame.to_parquet(out, index=False)
        else:
            text = frame.to_csv(index=False, sep=random.choice(",;\t"))
            out.write(text.encode("utf-8", "surrogatepass"))
    except Exception:  # names that the writer refuses
        return b"predicted,label\nx\n"
    return out.getvalue()


def _matrix(random: Random) -> bytes:
    n, k = 6, len(CLASSES)
    arrays = {
        "scores": np.random.RandomState(random.randrange(99)).rand(n, k).astype("f4"),
        "labels": np.arange(n) % k if random.random() < 0.5 else np.array(CLASSES[:n]),
        "classes": np.array(CLASSES),
        "videos": np.array([f"v{i}" for i in range(n)]),
    }
    return npz(arrays, random)


def _prediction_file(random: Random) -> bytes:
    data = random.choice((_log, _table, _matrix))(random)
    return changed_bytes(data, random) if random.random() < 0.5 else data


def _predictions(random: Random, folder: Path) -> None:
    (folder / "p").write_bytes(_prediction_file(random))
    given = read_predictions(folder / "p", "mini_ucf", {name: name.split() for name in CLASSES})
    assert len(given.labels) == len(given.scores) > 0
    assert np.isfinite(given.scores).all()


def _score(random: Random, folder: Path) -> Ended:
    (folder / "p").write_bytes(_prediction_file(random))
    more = random.choice(([], ["-f", "json"], ["--protocol", "half10"], ["--protocol", "full"]))
    return bench(folder, "score", "p", "-d", "mini_ucf", *more)


TARGETS = [
    Target("record files", seeds(), _read, share=14, short=80),
    Target("record files, tables", seeds(), _tables, share=1, short=6),
    Target("status files of stages", seeds(), _status, share=1, short=6),
    Target("split files", seeds(), _built, share=1, short=6),
    Target("trained cells", seeds(), _embedded, share=2, short=10),
    Target("predictions", seeds(), _predictions, share=14, short=80),
    Target("predictions, bench score", seeds(), _score, share=1, short=8),
]


@pytest.mark.parametrize("target", TARGETS, ids=lambda one: one.name)
def test_results(target: Target, project: Path) -> None:
    (project / "scores.csv").write_text("predicted,label\nrun,run\n", encoding="utf-8")
    assert fuzz(target, project, target.short)["refused"]
