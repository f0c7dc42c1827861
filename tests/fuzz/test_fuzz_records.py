"""Damaged records and status files: every table in every format, or one line."""

import json
from pathlib import Path
from random import Random

import pytest
import toy
from fuzzing import Target, bench, fuzz
from hostile import changed_json, seeds
from project import ROOT

from bench.experiments.record import read_record
from bench.reports.tables import FORMATS, TABLES

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
    words += ["doctor --no-time", "table -w sota -f json", "stage table"]
    try:
        return bench(folder, *random.choice(words).split())
    finally:
        file.unlink()
        if name.startswith("results"):
            file.write_text(base[name], encoding="utf-8")


TARGETS = [
    Target("record files", seeds(), _read, share=14, short=80),
    Target("record files, tables", seeds(), _tables, share=1, short=6),
    Target("status files of stages", seeds(), _status, share=1, short=6),
]


@pytest.mark.parametrize("target", TARGETS, ids=lambda one: one.name)
def test_records(target: Target, project: Path) -> None:
    assert fuzz(target, project, target.short)["refused"]
