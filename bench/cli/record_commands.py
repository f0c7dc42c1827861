"""``bench record``: the record of a cell in readable form, and the schema of records."""

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Annotated, Any

import typer

from bench.cli import completion
from bench.cli.options import AsJson, Profile, opened

if TYPE_CHECKING:
    from bench.experiments.record import Record


app = typer.Typer(rich_markup_mode=None, help="Print the records of cells (docs/record.md).")


@app.command("show")
def show(
    cell: Annotated[
        str,
        typer.Argument(help="Cell, e.g. aurl.transfer.seed0.", autocompletion=completion.cells),
    ],
    as_json: AsJson = False,
    profile: Profile = None,
) -> None:
    """Print the record of a cell and whether it is current.

    Example: bench record show aurl.transfer.seed0
    """
    from bench.experiments.record import read_record, record_path
    from bench.reports.tables.context import read_context
    from bench.reports.tables.rows import cells

    config, layout = opened(profile)
    record = read_record(record_path(layout.records, cell, config.name))
    if as_json:
        print(record.model_dump_json(indent=1))
        return
    states = {one.about.cell: one for one in cells(read_context(config, layout))}
    found = states.get(cell)
    _print_record(record, f"{found.state} {found.reason}".strip() if found else "no longer planned")


@app.command("schema")
def schema_() -> None:
    """Print the JSON schema of records.

    Example: bench record schema
    """
    from bench.experiments.record import schema

    print(schema(), end="")


def _print_record(record: "Record", state: str) -> None:
    """Print a record section by section, and its metrics as a table."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    wide = None if Console().is_terminal else 100
    console = Console(width=wide, highlight=False, force_terminal=False)  # see bench.terminal
    for title, facts in _sections(record, state):
        grid = Table(show_header=False, box=None, pad_edge=False)
        grid.add_column(min_width=14)
        grid.add_column(overflow="fold")
        for name, text in facts:
            if text:
                grid.add_row(name, Text(text))
        console.print(Text(title, "bold"))
        console.print(grid)
        console.print()
    console.print(_metrics_table("metrics", record.metrics, record))
    if record.metrics_best_on_test:
        title = f"best on test (step {record.best_on_test_step})"
        console.print(_metrics_table(title, record.metrics_best_on_test, record))


def _sections(record: "Record", state: str) -> Iterator[tuple[str, list[tuple[str, str]]]]:
    yield (
        f"{record.cell} of profile {record.profile}",
        [
            ("status", " ".join(filter(None, (record.status, record.reason)))),
            ("now", state),
            ("method", f"{record.label} (methods/{record.method}.py)"),
            ("reading", _pairs(record.reading)),
            ("split, seed", f"{record.split}, {record.seed}"),
        ],
    )
    dirty = ", with uncommitted changes" * record.git_dirty
    rule = "best on the test sets" if record.checkpoint == "best_on_test" else "last"
    yield (
        "Made by",
        [
            ("fingerprint", f"{record.fingerprint} ({_pairs(record.parts)})"),
            ("commit", f"{record.git_commit}{dirty}"),
            *((name, _pairs(value)) for name, value in record.parameters.items()),
            ("environment", _pairs(record.environment)),
            ("decoder", record.decoder),
            ("started", record.started),
            ("took", f"{record.wall_s:.1f} s, {record.cpu_s:.1f} s of processor time"),
            ("steps", f"{record.steps} of {record.effective_batch} videos"),
            ("world size", str(record.world_size)),
            ("speed", _speed(record)),
            ("checkpoint", rule),
            ("loss at the end", _pairs({k: f"{v:.4g}" for k, v in record.losses.items()})),
        ],
    )
    used = record.training_videos
    yield (
        "Data",
        [
            ("manifests", _pairs(record.data)),
            ("split files", _pairs(record.split_digests)),
            ("embeddings", _pairs(record.embeddings)),
            ("trained on", f"{used['used']}/{used['expected']} videos" if used else ""),
            *(
                (f"scored {name}", f"{seen.scored}/{seen.expected} videos")
                for name, seen in record.coverage.items()
            ),
            *(
                ("not scored", f"{name}: {path}: {reason}")
                for name, seen in record.coverage.items()
                for path, reason in seen.failed.items()
            ),
        ],
    )


def _metrics_table(title: str, metrics: Mapping[str, float], record: "Record") -> Any:
    """Return metrics as a table with one row per data set and protocol."""
    from rich.table import Table

    values: dict[str, dict[str, float]] = {}
    for key, value in metrics.items():
        scope, _, metric = key.rpartition(".")
        values.setdefault(scope, {})[metric] = value
    names = list(dict.fromkeys(metric for found in values.values() for metric in found))
    table = Table(box=None, pad_edge=False, padding=(0, 1, 0, 0))
    for name in (title, *names, "splits", "videos"):
        first = name == title
        table.add_column(
            name,
            justify="left" if first else "right",
            overflow="fold",
            min_width=min(20, max(map(len, [title, *values]))) if first else None,
        )
    for scope, found in values.items():
        counts = record.videos.get(scope, {})
        shown = [_number(name, found[name]) if name in found else "" for name in names]
        sizes = [str(len(counts)), str(sum(counts.values()))] if counts else ["", ""]
        table.add_row(scope, *shown, *sizes)
    return table


def _speed(record: "Record") -> str:
    """Return ``690 clips/s: read 2 %, copy 3 %, …; 892 MiB``."""
    if (speed := record.speed) is None:
        return ""
    shares = ", ".join(f"{name} {100 * share:.0f} %" for name, share in speed.shares.items())
    parts = f", a batch in {record.micro_batches} parts" if record.micro_batches > 1 else ""
    gpu = f", {speed.gpu_memory_mb} MiB on the GPU" if speed.gpu_memory_mb else ""
    return f"{speed.clips_per_s:g} clips/s{parts}: {shares}; {speed.memory_mb} MiB{gpu}"


def _number(metric: str, value: float) -> str:
    """Return a percentage with two digits, or a cosine distance with four."""
    from bench.reports.tables.typed_table import SCATTER

    return f"{value:.4f}" if metric in SCATTER else f"{value:.2f}"


def _pairs(values: Any) -> str:
    if not isinstance(values, dict):
        return str(values)
    return ", ".join(f"{name} {'none' if value == '' else value}" for name, value in values.items())
