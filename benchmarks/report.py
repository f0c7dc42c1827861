"""How long `bench report` takes and how large it is: 20 methods × 5 seeds, and the real profiles.

    python benchmarks/report.py

The 100 records are made up: those of the committed profile mini under other names and seeds. Where
runs/ is here each gets the files of a training, by links, so that every figure is drawn.
"""

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from bench.config.paths import Layout
from bench.experiments.record import Record, read_records, write_record
from bench.utils.io import write_json

ROOT = Path(__file__).resolve().parents[1]
METHODS, SEEDS = 20, 5
SECONDS, MEGABYTES = 10.0, 5.0


def main() -> None:
    """Print seconds (clock and processor) and size, a line a report; exit 1 above the limits."""
    good = [_measured("mini", ROOT, "committed"), _measured("ucf15", ROOT, "committed")]
    with tempfile.TemporaryDirectory() as folder:
        made = _made_up(Path(folder))
        good.append(_measured("mini", made, f"{METHODS} methods × {SEEDS} seeds"))
    sys.exit(0 if all(good) else 1)


def _measured(profile: str, root: Path, what: str) -> bool:
    out = Path(tempfile.mkdtemp())
    code = "from bench.cli.main import main; main()"
    command = [sys.executable, "-c", code, "report", "-p", profile, "--out", str(out)]
    before, start = os.times(), time.perf_counter()
    done = subprocess.run(
        command,
        cwd=root,
        env=os.environ | {"PYTHONPATH": str(root)},
        capture_output=True,
        text=True,
    )
    seconds, after = time.perf_counter() - start, os.times()
    if done.returncode:
        sys.exit(done.stderr)
    cpu = after.children_user + after.children_system
    cpu -= before.children_user + before.children_system
    page = (out / "index.html").stat().st_size / 1e6
    whole = sum(path.stat().st_size for path in out.rglob("*") if path.is_file()) / 1e6
    shutil.rmtree(out)
    held = done.stdout.splitlines()[0].partition(": ")[2]
    print(
        f"{profile} ({what}): {seconds:.1f} s, {cpu:.1f} s of processor, page {page:.2f} MB, "
        f"with figures {whole:.2f} MB; {held}"
    )
    return cpu < SECONDS and page < MEGABYTES


def _made_up(root: Path) -> Path:
    """Copy the project and write records (and trainings) of METHODS × SEEDS into it."""
    for name in ("bench", "methods", "splits"):
        shutil.copytree(ROOT / name, root / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("params.yaml", "dvc.yaml"):
        shutil.copy(ROOT / name, root / name)
    for name in ("audit", "inputs"):
        shutil.copytree(ROOT / "results" / name, root / "results" / name)
    layout, committed = Layout(root, "mini"), Layout(ROOT, "mini")
    if committed.index.is_dir():
        (root / "data").symlink_to((ROOT / "data").resolve())
    rows: dict[str, list[Record]] = {}
    for record in read_records(committed.records):
        if not record.reading:
            rows.setdefault(record.row, []).append(record)
    source = list(rows.values())
    for number in range(METHODS):
        for seed in range(SEEDS):
            found = source[number % len(source)]
            record = found[seed % len(found)]
            name = record.row if number < len(source) else f"{record.row}_{number}"
            changed = {"seed": seed, "row": name, "method": name}
            write_record(layout.records, made := record.model_copy(update=changed))
            _linked(committed.runs / record.cell, layout.runs / made.cell)
    return root


def _linked(source: Path, target: Path) -> None:
    if not source.is_dir():
        return
    target.mkdir(parents=True)
    for file in source.resolve().iterdir():
        if file.name == "run.json":
            facts = json.loads(file.read_text())
            write_json(target / file.name, {k: v for k, v in facts.items() if k != "checksum"})
        else:
            (target / file.name).symlink_to(file)


if __name__ == "__main__":
    main()
