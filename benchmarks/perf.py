"""Every benchmark that compares two ways (``rows`` in a module here), each in its own process.

    python benchmarks/perf.py [--quick] [NAME ...]  # measures, prints, keeps build/perf.json
    python benchmarks/perf.py --page                # docs/performance.md anew, of build/perf.json

A ratio is that of the two medians; its spread is from the smallest to the largest ratio of a round,
in which both ways run one after the other on the same core. A benchmark that cannot run here (a
package or a part of the product is missing) is a row that says why.
"""

import argparse
import ast
import importlib
import json
import os
import platform
import re
import subprocess
import sys
import time
from collections.abc import Iterable
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
KEPT, PAGE = ROOT / "build" / "perf.json", ROOT / "docs" / "performance.md"
MARKS = "<!-- make perf PAGE=1: begin -->", "<!-- make perf PAGE=1: end -->"
AIMS = {
    "step": "≥ 4.5 (bf16), ≥ 1.3 (fp32)",
    "forward": "≥ 4 (bf16), ≥ 2 (fp32)",
    "scoring": "≥ 29 (10 halves), ≥ 80 (50 halves)",
    "reading": "≥ 6 (1 clip), ≥ 2.4 (25 clips)",
    "feed": "≤ 0.1 ms of processor time a clip",
    "words": "≤ 5 s",
    "clips": "≥ 1,150 clips/s on an H200",
}
"""What each benchmark is to reach, times as fast if nothing else is said."""
PACKAGES = ("torch", "torchvision", "numpy", "scipy", "av")
Row = dict[str, Any]


def names() -> list[str]:
    """Return the modules here that have ``rows``, by their text: none is run."""
    found = []
    for file in sorted(Path(__file__).parent.glob("*.py")):
        tree = ast.parse(file.read_text(encoding="utf-8"))
        if any(isinstance(node, ast.FunctionDef) and node.name == "rows" for node in tree.body):
            found.append(file.stem)
    return found


def one(name: str, quick: bool) -> None:
    """Run a benchmark in this process; print a line of JSON a row."""
    for row in importlib.import_module(name).rows(quick):
        print(json.dumps({"module": name, **asdict(row), "times": row.times}), flush=True)


def measured(name: str, quick: bool) -> list[Row]:
    """Run a benchmark in a process of its own and return its rows, told as they come."""
    words = [sys.executable, __file__, "--one", name, *(["--quick"] if quick else [])]
    path = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))
    environment = {"OMP_NUM_THREADS": "1"} | os.environ | {"PYTHONPATH": path}
    pipe = subprocess.PIPE
    rows: list[Row] = []
    with subprocess.Popen(
        words, stdout=pipe, stderr=pipe, text=True, env=environment, cwd=ROOT
    ) as process:
        assert process.stdout is not None and process.stderr is not None
        for line in process.stdout:
            if line.startswith("{"):
                rows.append(json.loads(line))
                print("  ".join(_cells(rows[-1])), flush=True)
        said = process.stderr.read().strip()
    if process.returncode:
        why = said.splitlines()[-1] if said else f"exit status {process.returncode}"
        rows.append({"module": name, "work": name, "why": why[:200]})
        print("  ".join(_cells(rows[-1])), flush=True)
    return rows


def machine() -> dict[str, str]:
    """Return what the figures belong to: processor, its number formats, GPU, versions."""
    import torch

    from bench.utils.machine import processor

    info = Path("/proc/cpuinfo")
    text = info.read_text(errors="replace") if info.is_file() else ""
    flags = set(re.findall(r"\b(?:avx2|avx512f|avx512_bf16|amx_bf16)\b", text))
    cuda = torch.cuda.is_available()
    return {
        "processor": processor(text) or platform.processor(),
        "formats": ", ".join(sorted(flags)),
        "cores": str(len(os.sched_getaffinity(0))),
        "gpu": torch.cuda.get_device_name() if cuda else "",
        "cuda": str(torch.version.cuda) if cuda else "",
        "python": platform.python_version(),
        **{name: version(name) for name in PACKAGES},
    }


def block(kept: dict[str, Any]) -> str:
    """Return the generated part of the page: this machine's section."""
    here: dict[str, str] = kept["machine"]
    versions = ", ".join(f"{name} {here[name]}" for name in ("python", *PACKAGES))
    device = f"GPU {here['gpu']} (CUDA {here['cuda']})" if here["gpu"] else "no GPU"
    short = " With `QUICK=1`: smaller work and fewer rounds." if kept["quick"] else ""
    lines = [
        f"### {here['processor']} ({here['formats']}), {device}",
        "",
        f"Measured on {kept['day']} on {here['cores']} cores of which one is used; {versions}."
        f"{short}",
        "",
        "| benchmark | work | times as fast | spread | rounds | plain | here | to reach |",
        "|---|---|---|---|---|---|---|---|",
    ]
    told: set[str] = set()
    for row in kept["rows"]:
        aim = "" if row["module"] in told else AIMS.get(row["module"], "")
        told.add(row["module"])
        cells = [f"`{row['module']}`", *(cell.replace("|", "/") for cell in _cells(row)), aim]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def write_page() -> None:
    """Put this machine's section between the marks of the page, the first of all there.

    The sections of other machines stay. SystemExit without results or marks.
    """
    if not KEPT.is_file():
        raise SystemExit(f"error: no {KEPT.relative_to(ROOT)}: run 'make perf' first")
    begin, end = MARKS
    before, found, rest = PAGE.read_text(encoding="utf-8").partition(begin)
    old, closed, after = rest.partition(end)
    if not found or not closed:
        raise SystemExit(f"error: {PAGE.relative_to(ROOT)} lacks the marks {begin} … {end}")
    made = block(json.loads(KEPT.read_text(encoding="utf-8")))
    sections = [part.strip() for part in re.split(r"^(?=### )", old, flags=re.MULTILINE)]
    heading = made.partition("\n")[0]
    others = [part for part in sections if part and part.partition("\n")[0] != heading]
    text = "\n\n".join([made, *others])
    PAGE.write_text(f"{before}{begin}\n{text}\n{end}{after}", encoding="utf-8")


def _cells(row: Row) -> list[str]:
    """Return work, ratio, spread, rounds, plain and fast seconds of a row."""
    if "why" in row:
        return [row["work"], f"not measured: {row['why']}", "", "", "", ""]
    spread = f"{row['low']:.2f}–{row['high']:.2f}"
    plain, fast = (_seconds(row[name]) for name in ("plain_s", "fast_s"))
    return [row["work"], f"{row['times']:.2f}", spread, str(row["rounds"]), plain, fast]


def _seconds(value: float) -> str:
    return f"{1000 * value:.3g} ms" if value < 1 else f"{value:.3g} s"


def measure(chosen: Iterable[str], quick: bool) -> None:
    """Run the chosen benchmarks; keep after each what it gave, beside what others gave before."""
    kept = json.loads(KEPT.read_text(encoding="utf-8")) if KEPT.is_file() else {}
    here = machine()
    same = kept.get("machine") == here and kept.get("quick") == quick
    rows: dict[str, list[Row]] = {}
    for row in kept["rows"] if same else ():
        rows.setdefault(row["module"], []).append(row)
    for name in chosen:
        rows[name] = measured(name, quick)
        every = [row for known in sorted(rows) for row in rows[known]]
        day = time.strftime("%Y-%m-%d", time.gmtime())
        KEPT.parent.mkdir(exist_ok=True)
        content = {"day": day, "quick": quick, "machine": here, "rows": every}
        KEPT.write_text(json.dumps(content, indent=1, ensure_ascii=False), encoding="utf-8")


def main() -> None:
    """Measure, or write the page."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    known = names()
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(known)}")
    parser.add_argument("--quick", action="store_true", help="smaller work and fewer rounds")
    parser.add_argument("--page", action="store_true", help="write docs/performance.md and end")
    parser.add_argument("--one", metavar="NAME", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if unknown := [name for name in given.names if name not in known]:
        parser.error(f"no benchmark '{unknown[0]}'; known: {', '.join(known)}")
    if given.one:
        one(given.one, given.quick)
    elif given.page:
        write_page()
    else:
        measure(given.names or known, given.quick)


if __name__ == "__main__":
    main()
