"""Make faults in throw-away copies of the project, many times: ``python -m tests.torture``."""

import argparse
import json
import os
import random
import shutil
import signal
import sys
import tempfile
import time
import traceback
from collections import Counter, defaultdict
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from .arena import NotPossible
from .faults import FAULTS, Fault
from .world import World

RESULTS, PAGE = Path("build/torture.jsonl"), Path("docs/reliability.md")
MARKS = "<!-- make torture: begin -->", "<!-- make torture: end -->"


def table(results: Path) -> str:
    """Return the table of docs/reliability.md for a file of results."""
    by_fault: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for text in results.read_text(encoding="utf-8").splitlines():
        line = json.loads(text)
        if line["holds"] is False:
            line["outcome"] = f"**did not hold** (try {line['try']}, seed {line['seed']})"
        by_fault[line["fault"]].append(line)
    rows = ["| fault | what must hold | tries | what happened |", "|---|---|---|---|"]
    tried = violated = 0
    for fault in FAULTS:
        lines = by_fault.get(fault.name, [])
        done = sum(line["holds"] is not None for line in lines)
        tried += done
        violated += sum(line["holds"] is False for line in lines)
        counts = Counter(line["outcome"].replace("|", "/") for line in lines).most_common()
        told = "; ".join(f"{n} × {text}" for text, n in counts) or "not tried"
        rows.append(f"| {fault.name} | {fault.holds} | {done} | {told} |")
    head = f"{tried} tries of {len(by_fault)} faults: {violated} did not hold.\n"
    return "\n".join([head, *rows]) + "\n"


def write_table(results: Path) -> None:
    """Replace the table between the marks in docs/reliability.md."""
    before, _, rest = PAGE.read_text(encoding="utf-8").partition(MARKS[0])
    after = rest.partition(MARKS[1])[2]
    PAGE.write_text(f"{before}{MARKS[0]}\n{table(results)}{MARKS[1]}{after}", encoding="utf-8")


def attempt(fault: Fault, number: int, seed: int, world: World) -> dict[str, Any]:
    """Make a fault once; return its line of the results."""
    began = time.monotonic()
    line: dict[str, Any] = {"fault": fault.name, "try": number, "seed": seed, "holds": True}
    try:
        line["outcome"] = fault.attempt(world, random.Random(f"{fault.name} {seed} {number}"))
    except NotPossible as error:
        line |= {"holds": None, "outcome": f"not tried: {error}"}
    except Exception as error:  # a violation, or a defect of this programme
        line |= {"holds": False, "outcome": f"{type(error).__name__}: {error}"[:2000]}
        line["where"] = traceback.format_exc(limit=-2)
    return line | {"seconds": round(time.monotonic() - began, 1)}


def turns(faults: list[Fault], share: float) -> list[tuple[Fault, int]]:
    """Return (fault, number of the try), mixed so that a run cut short has tried every fault."""
    counts = [max(1, round(fault.tries * share)) for fault in faults]
    order = sorted((n / most, i, n) for i, most in enumerate(counts) for n in range(most))
    return [(faults[i], n) for _, i, n in order]


def main() -> int:
    """Run the programme; 1 if anything did not hold."""
    parser = argparse.ArgumentParser(prog="python -m tests.torture", description=__doc__)
    parser.add_argument("faults", nargs="*", help="names or beginnings of names; default: all")
    parser.add_argument("--minutes", type=float, default=60, help="start no new try after this")
    parser.add_argument("--jobs", type=int, default=2, help="tries side by side")
    parser.add_argument("--share", type=float, default=1.0, help="part of the tries to make")
    parser.add_argument("--seed", type=int, default=0, help="of the random moments and places")
    parser.add_argument("--only-try", type=int, help="only the try of this number")
    parser.add_argument("--out", type=Path, default=RESULTS, help="JSON lines, appended")
    parser.add_argument("--keep", action="store_true", help="keep the copies, to look at them")
    parser.add_argument("--list", action="store_true", help="list the faults and end")
    parser.add_argument("--page", action="store_true", help="write docs/reliability.md and end")
    given = parser.parse_args()
    chosen = [f for f in FAULTS if not given.faults or f.name.startswith(tuple(given.faults))]
    if given.list:
        for fault in chosen:
            print(f"{fault.name:24} {fault.tries:3}  {fault.holds}")
        return 0
    if given.page:
        write_table(given.out)
        return 0
    if not chosen:
        parser.error("no such fault; --list names them")
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    # A shell makes a process behind '&' ignore Ctrl-C, and its children would inherit that.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    folder = Path(tempfile.mkdtemp(prefix="torture-"))
    given.out.parent.mkdir(parents=True, exist_ok=True)
    broken = left = 0
    with ExitStack() as stack:
        if not given.keep:
            stack.callback(shutil.rmtree, folder, ignore_errors=True)
        world = World(folder)
        world.run_reference()
        end = time.monotonic() + 60 * given.minutes
        todo = turns(chosen, given.share)
        if given.only_try is not None:
            todo = [(fault, given.only_try) for fault in chosen]

        def one(turn: tuple[Fault, int]) -> dict[str, Any] | None:
            late = time.monotonic() > end
            return None if late else attempt(*turn, given.seed, world)

        pool = stack.enter_context(ThreadPoolExecutor(given.jobs))
        ends = as_completed([pool.submit(one, turn) for turn in todo])
        for i, end_of_try in enumerate(ends, 1):
            line = end_of_try.result()
            if line is None:
                left += 1
                continue
            broken += line["holds"] is False
            word = {True: "ok", False: "VIOLATED", None: "--"}[line["holds"]]
            name = f"{line['fault']} {line['try']}"
            print(f"[{i}/{len(todo)}] {word} {name}: {line['outcome']}", flush=True)
            with given.out.open("a", encoding="utf-8") as handle:
                handle.write(json.dumps(line, ensure_ascii=False) + "\n")
    if left:
        print(f"{left} of {len(todo)} tries were left when the time was over")
    print(f"{broken} tries did not hold" if broken else "all held")
    return int(broken > 0)


if __name__ == "__main__":
    sys.exit(main())
