"""docs/reliability.md from the results of a run: no number in it is written by hand."""

import json
import re
from collections import Counter, defaultdict
from pathlib import Path
from typing import Any

from .catalogue import FAULTS

HEAD = """# Reliability

What happens when things go wrong, tried rather than argued. `python -m tests.torture` (an hour:
`make torture`) makes each fault in throw-away copies of the project with a tiny profile (24 videos,
3 methods, 12 steps, CPU) and compares with an undisturbed run. `tests/torture/` has one file for
each family; `catalogue.py` lists them; a try is repeated by its number and seed, as the results
name them (`--only-try 3 --seed 0`). This page is made of the results of one run or, appended to the
same file, of several: `python -m tests.torture --page > docs/reliability.md`.

Each try asserts three things: nothing that was finished is lost; no record or table shows a wrong
number as right; the next run heals, or stops with one line that says what to do. "The undisturbed
run's files" are all under `data/`, `splits/`, `runs/` and `results/`.
"""
TAIL = """
## Limits

* Nothing here cuts the power: files are flushed before they are renamed, folders are not.
* A method is code of the user's own. What it leaves behind in its process (number type, gradients,
  threads, replaced functions of torch or of the project, environment, folder) is noticed, and costs
  the process; one that forges another cell's files together with their digests is not.
* Checksums find damage, not intent. A file edited by hand is refused until its last line, the
  checksum, is removed or its stage is run again.
* DVC writes `dvc.lock` in place. Killed in that moment it leaves a part of it, and the next
  `dvc repro` says "'./dvc.lock' validation failed" and no more: `git checkout dvc.lock`, or delete
  it, and run again. The stages then run again and find everything done; nothing is trained twice.
* An earlier hour (2026-11-28, 644 tries with a part of the next, 352 kills) found a
  defect: one flipped bit in the *name* of a checksum let a cell's `run.json` pass, with all its
  facts right, and stay. Such a file is refused now, and `tests/utils/test_sealed.py` flips every
  bit of one. Every try above is of the code since.
* In a run before, Ctrl-C was lost once in 13 tries. It was never repeated, and two ways in which it
  could be lost (in a destructor, at a worker's start) have been closed since.
* `train.stall_s` (an hour) ends a cell in which no step and no video ended for so long.
"""


def page(results: Path) -> str:
    """Return the page for a file of results."""
    by_fault: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for text in results.read_text(encoding="utf-8").splitlines():
        line = json.loads(text)
        by_fault[line["fault"]].append(line)
    rows = ["| fault | what must hold | times tried | what happened | command |", "|" + "---|" * 5]
    kills = tried = violated = 0
    for fault in FAULTS:
        lines = by_fault.get(fault.name, [])
        done = [line for line in lines if line["holds"] is not None]
        outcomes = Counter(_told(line) for line in lines)
        kills += sum(_kills(line) for line in lines)
        tried += len(done)
        violated += sum(line["holds"] is False for line in lines)
        told = "; ".join(f"{n} × {text}" for text, n in outcomes.most_common()) or "not tried"
        command = f"`python -m tests.torture {fault.name}`"
        rows.append(f"| {fault.name} | {fault.holds} | {len(done)} | {told} | {command} |")
    sums = (
        f"\n{tried} tries of {len(by_fault)} faults, {kills} of them kills by signal 9 that hit a "
        f"running stage: {violated} did not hold.\n\n"
    )
    return HEAD + sums + "\n".join(rows) + "\n" + TAIL


def _told(line: dict[str, Any]) -> str:
    if line["holds"] is False:
        return f"**did not hold** (try {line['try']}, seed {line['seed']})"
    return re.sub(r"^\d+ kills, ", "", line["outcome"]).replace("|", "/")


def _kills(line: dict[str, Any]) -> int:
    found = re.match(r"(\d+) kills", line["outcome"])
    return int(found[1]) if found else 0
