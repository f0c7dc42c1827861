"""Many cases of every fuzz target: `make fuzz`, or fewer with CASES=1000 ONLY=params.

Prints a table of targets, cases and how they ended, then each defect with its case; exits with 1
if there was one.
"""

import argparse
import importlib
import os
import sys
import tempfile
import time
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import toy
from fuzzing import Defects, Target, fuzz
from tabulate import tabulate


def targets() -> list[Target]:
    """Return the targets of every file, the most expensive first."""
    files = sorted(Path(__file__).parent.glob("test_fuzz_*.py"))
    return [one for file in files for one in importlib.import_module(file.stem).TARGETS]


def run(number: int, cases: int, seed: int) -> tuple[Counter[str], Defects, float]:
    """Run a target in a folder of its own, without what it prints."""
    target, defects, start = targets()[number], Defects(), time.monotonic()
    sys.stdout = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115
    with tempfile.TemporaryDirectory() as folder:
        ended = fuzz(target, toy.make(Path(folder) / "project"), cases, seed, defects)
    took = time.monotonic() - start
    said = f"{target.name}: {sum(ended.values())} cases, {took:.0f} s"
    print(said, *map(repr, defects.items()), sep="\n  ", file=sys.stderr, flush=True)
    return ended, defects, took


def main() -> None:
    """Run every target's share of the cases, as many side by side as there are cores."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cases", type=int, default=100_000, help="over all targets")
    parser.add_argument("--only", default="", help="targets with this in their name")
    parser.add_argument("--seed", type=int, default=int(time.time()))
    parser.add_argument("--jobs", type=int, default=len(os.sched_getaffinity(0)))
    wanted = parser.parse_args()
    chosen = {i: one for i, one in enumerate(targets()) if wanted.only in one.name}
    shares = sum(one.share for one in chosen.values())
    print(f"seed {wanted.seed}", flush=True)
    with ProcessPoolExecutor(wanted.jobs, max_tasks_per_child=1) as pool:
        found = {
            i: pool.submit(run, i, -(-wanted.cases * one.share // shares), wanted.seed)
            for i, one in chosen.items()
        }
    rows = []
    for i, future in found.items():
        ended, _, took = future.result()
        counts = [ended[how] for how in ("taken", "refused", "defect")]
        rows.append([chosen[i].name, sum(counts), *counts, f"{took:.0f}"])
    rows.append(["all", *(sum(row[column] for row in rows) for column in range(1, 5)), ""])
    print(tabulate(rows, ["input", "cases", "taken", "refused", "defects", "s"], "github"))
    for future in found.values():
        for (name, place), case in future.result()[1].items():
            print(f"\n{name}: {place}\n  {case}")
    sys.exit(bool(rows[-1][4]))


if __name__ == "__main__":
    main()
