"""Faults of the kinds of tests/torture, on a profile of features, mostly in this process."""

import json
import os
import random
import shutil
import signal
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from project import run_bench
from torture.__main__ import table
from torture.arena import Arena, different, plain
from torture.damage import spoil
from torture.faults import FAULTS, Fault
from torture.world import World

from bench.data.index import read_index
from bench.errors import UserError
from bench.pipeline.stages import score
from bench.training.launchers import changed, process_state
from bench.utils.io import write_json


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    """Give a world whose pipeline ran undisturbed, each stage within this process."""
    made = World(tmp_path_factory.mktemp("world") / "w", light=True)
    for stage in ("data", "words", "splits", "inputs", "audit", "train", "score", "table"):
        ended = run_bench(made.reference.root, "stage", stage)
        assert ended.code == 0, ended
    made.expected = made.reference.results()
    return made


@pytest.fixture(autouse=True)
def ctrl_c() -> Iterator[None]:
    """Let children hear SIGINT, which a shell's & makes this process and its children ignore."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.fixture
def arena(world: World) -> Arena:
    return world.arena()


def heals(world: World, arena: Arena, *stages: str) -> None:
    for stage in stages:
        ended = run_bench(arena.root, "stage", stage)
        assert ended.code == 0, ended
    assert not different(arena.results(), world.expected)


@pytest.mark.parametrize(("stage", "operation"), [("splits", 3), ("score", 9), ("table", 14)])
def test_kill_9_just_before_a_file_operation(
    world: World, arena: Arena, stage: str, operation: int
) -> None:
    shutil.rmtree(arena.path("results" if stage != "splits" else "splits"))
    before = arena.results()
    if stage == "table":
        assert run_bench(arena.root, "stage", "score").code == 0
    process = arena.start(f"stage {stage}", TORTURE_KILL=f"main:{operation}")
    process.communicate(timeout=60)
    assert process.returncode == -9
    assert before.items() <= arena.results().items()
    assert not arena.wrong(world.expected)
    heals(world, arena, "splits", "inputs", "audit", "score", "table")


@pytest.mark.parametrize(
    ("pattern", "reader"),
    [
        ("results/records/tiny/*.json", "table"),
        ("runs/tiny/*/embeddings.safetensors", "stage score"),
        ("runs/tiny/*/run.json", "stage score"),
        ("splits/tiny/*.json", "stage score"),
        ("data/tiny/words/*.npz", "stage splits"),
    ],
)
def test_whatever_is_damaged_no_wrong_number_comes_of_it(
    world: World, arena: Arena, pattern: str, reader: str
) -> None:
    noticed = 0
    for seed in range(4):
        path = random.Random(seed).choice(sorted(arena.root.glob(pattern)))
        whole = path.read_bytes()
        spoil(path, random.Random(seed))
        ended = run_bench(arena.root, *reader.split())
        assert ended.code in (0, 2) and (ended.code == 0 or ended.err.startswith("error: ")), ended
        noticed += ended.code == 2
        assert not arena.wrong(world.expected)
        path.write_bytes(whole)
    assert noticed >= 2  # a bit of a time stamp or of the space between keys may not matter
    heals(world, arena, "splits", "score", "table")


def test_a_damaged_index_is_not_read(arena: Arena) -> None:
    folder = arena.path("data", "tiny", "index")
    whole = {path: path.read_bytes() for path in sorted(folder.iterdir())}
    known = read_index(folder, "given")
    refused = 0
    for seed in range(60):
        rng = random.Random(seed)
        path = rng.choice(sorted(whole))
        spoil(path, rng)
        try:
            found = read_index(folder, "given")
        except UserError:
            refused += 1
        else:
            assert (found.paths, found.digest) == (known.paths, known.digest)
            assert (found.labels == known.labels).all() and (found.frames == known.frames).all()
        path.write_bytes(whole[path])
    assert refused >= 50


def test_a_flipped_bit_anywhere_in_an_embedding_is_noticed_and_mended(
    world: World, arena: Arena
) -> None:
    path = next(arena.path("runs").glob("*/*/embeddings.safetensors"))
    content = bytearray(path.read_bytes())
    content[-1] ^= 1  # the last bits of a number: without a digest nothing would look odd
    path.write_bytes(content)
    ended = run_bench(arena.root, "stage", "score")
    assert ended.code == 2 and "not the file that the training wrote" in ended.err
    ended = run_bench(arena.root, "stage", "train")
    assert ended.code == 0 and "1 restored" in ended.out
    heals(world, arena, "score", "table")


def test_a_current_record_is_not_replaced_by_a_failure_of_older_code(arena: Arena) -> None:
    """Records come by git; what failed here may have failed with other code."""
    file = sorted(arena.path("results", "records", "tiny").glob("*.json"))[0]
    record = json.loads(file.read_text())
    failed = {k: record[k] for k in ("row", "method", "label", "split", "seed", "parts")}
    failed |= {"status": "failed", "reason": "old"}
    shutil.rmtree(arena.path("runs", "tiny", file.stem))
    path = arena.path("runs", "tiny", "failures.json")
    write_json(path, {file.stem: failed | {"parts": record["parts"] | {"source": "older"}}})
    ended = run_bench(arena.root, "stage", "score")
    assert (
        "cells scored, 0 failed" in ended.out
        and "runs older than their records, which were kept: 1" in ended.out
    )
    assert json.loads(file.read_text()) == record
    write_json(path, {file.stem: failed})  # of the present code: it is what happened last
    assert "cells scored, 1 failed" in run_bench(arena.root, "stage", "score").out
    assert json.loads(file.read_text())["reason"] == "old"


def test_a_run_of_a_method_that_is_gone_is_not_read(arena: Arena) -> None:
    run = next(arena.path("runs").glob("tiny/*/run.json"))
    stale = run.parents[1] / f"gone.{run.parent.name.partition('.')[2]}"
    stale.mkdir()
    (stale / "run.json").write_text("{")
    before = arena.results()
    assert run_bench(arena.root, "stage", "score").code == 0
    assert arena.results() == before


def test_a_run_that_vanishes_while_it_is_scored_is_one_line(
    arena: Arena, monkeypatch: pytest.MonkeyPatch
) -> None:
    def listed(items: list[Path], *_: object) -> list[Path]:
        shutil.rmtree(items[0])  # what a training that replaces the cell does first
        return items

    monkeypatch.setattr(score, "track", listed)
    ended = run_bench(arena.root, "stage", "score")
    assert ended.code == 2 and "replaced or removed while it was scored" in ended.err


@pytest.mark.parametrize("stage", ["inputs", "audit"])
def test_a_stage_removes_what_its_own_profile_left_half_alone(arena: Arena, stage: str) -> None:
    folder = arena.path("results", stage)
    own, other = folder / ".tiny.json.a.part", folder / ".ucf15.json.b.part"
    own.touch()
    other.touch()  # of another profile's stage, which runs at the same time
    arena.path("splits", "tiny", "list.json").write_text("[1]")  # what is no object is no split
    assert run_bench(arena.root, "stage", stage).code == 0
    assert (own.exists(), other.exists()) == (False, True)


def test_a_file_size_limit_is_one_line(world: World, arena: Arena) -> None:
    import resource

    shutil.rmtree(arena.path("results", "tables"))

    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (2000, 2000))

    ended = arena.stages("table", preexec_fn=limit)
    plain(ended)
    assert ended.code == 2 and "File too large" in ended.error
    heals(world, arena, "table")


@pytest.mark.parametrize(
    ("name", "change", "undo"),
    [
        ("dtype", lambda: torch.set_default_dtype(torch.float64),
         lambda: torch.set_default_dtype(torch.float32)),
        ("gradients", lambda: torch.set_grad_enabled(False),
         lambda: torch.set_grad_enabled(True)),
        ("running", lambda: threading.Timer(1, print).start(), None),
        ("functions", lambda: setattr(torch.nn.functional, "normalize", print), None),
    ],
)  # fmt: skip
def test_what_a_method_leaves_behind_is_noticed(name: str, change: object, undo: object) -> None:
    normalize = torch.nn.functional.normalize
    before = process_state()
    assert not changed(before)
    try:
        change()  # type: ignore[operator]
        assert name in changed(before)
    finally:
        torch.nn.functional.normalize = normalize
        if undo:
            undo()  # type: ignore[operator]


def test_what_the_project_itself_imports_is_no_change(monkeypatch: pytest.MonkeyPatch) -> None:
    before = process_state()
    monkeypatch.setenv("PATH", f"{os.environ['PATH']}:/decord")  # as `import decord` does
    assert not changed(before)


def test_the_page_counts_the_tries(tmp_path: Path) -> None:
    path = tmp_path / "results.jsonl"
    path.write_text(
        '{"fault": "kill-score", "try": 0, "seed": 0, "holds": true, "outcome": "healed"}\n'
        '{"fault": "kill-score", "try": 1, "seed": 0, "holds": false, "outcome": "lost"}\n'
        '{"fault": "disk-full", "try": 0, "seed": 0, "holds": null, "outcome": "not tried: no"}\n'
    )
    text = table(path)
    assert "2 tries of 2 faults: 1 did not hold" in text
    row = next(line for line in text.splitlines() if line.startswith("| kill-score |"))
    assert "| 2 | 1 × healed; 1 × **did not hold** (try 1, seed 0) |" in row


@pytest.mark.slow
@pytest.mark.parametrize("fault", FAULTS, ids=[fault.name for fault in FAULTS])
def test_each_fault_of_the_long_form_once(fault: Fault, videos: World) -> None:
    fault.attempt(videos, random.Random(0))


@pytest.fixture(scope="module")
def videos(tmp_path_factory: pytest.TempPathFactory) -> World:
    made = World(tmp_path_factory.mktemp("videos") / "w")
    made.run_reference()
    return made
