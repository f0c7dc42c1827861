"""The long form of the fuzz targets: `make fuzz`, or with CASES=1000 ONLY=params fewer of them.

Prints a table of targets, cases and how they ended; exits with 1 if there was a defect.
"""

import argparse
import importlib
import sys
import tempfile
import time
from pathlib import Path

import toy
from fuzzing import Defects, Target, fuzz
from tabulate import tabulate


def main() -> None:
    """Run every target's share of the cases."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cases", type=int, default=100_000, help="over all targets")
    parser.add_argument("--only", default="", help="targets with this in their name")
    parser.add_argument("--seed", type=int, default=int(time.time()))
    wanted = parser.parse_args()
    targets = [target for target in _targets() if wanted.only in target.name]
    shares = sum(target.share for target in targets)
    print(f"seed {wanted.seed}", flush=True)
    defects: Defects = {}
    rows = []
    for target in targets:
        cases = -(-wanted.cases * target.share // shares)
        start = time.monotonic()
        with tempfile.TemporaryDirectory() as folder:
            ended = fuzz(target, toy.make(Path(folder) / "project"), cases, wanted.seed, defects)
        took = time.monotonic() - start
        counts = [ended[how] for how in ("taken", "refused", "defect")]
        rows.append([target.name, sum(counts), *counts, f"{took:.0f}"])
        print(f"{target.name}: {sum(counts)} cases, {took:.0f} s", file=sys.stderr, flush=True)
    rows.append(["all", *(sum(row[i] for row in rows) for i in range(1, 5)), ""])
    print(tabulate(rows, ["input", "cases", "taken", "refused", "defects", "s"], "github"))
    for (name, place), case in defects.items():
        print(f"\n{name}: {place}\n  {case}")
    sys.exit(bool(defects))


def _targets() -> list[Target]:
    files = sorted(Path(__file__).parent.glob("test_fuzz_*.py"))
    return [one for file in files for one in importlib.import_module(file.stem).TARGETS]


if __name__ == "__main__":
    main()
