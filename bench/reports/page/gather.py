"""Gather a report from a profile's records, tables and runs, and write its figures."""

import io
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench.config.paths import Layout
from bench.data.index import Index, read_index
from bench.data.video.decode import Pixels, VideoError, read_frames
from bench.errors import UserError
from bench.experiments.record import Record
from bench.reports.figures import FIGURES, draw
from bench.reports.figures.class_figures import coverage_of
from bench.reports.figures.material import Material, Run, ranking, runs_of_row
from bench.reports.report_model import Report, Video
from bench.reports.tables import TABLES, build
from bench.reports.tables.context import TableContext
from bench.reports.tables.rows import cells
from bench.utils.io import replacing, write_text

_STANDALONE = (
    "<style>svg{color:#1c2024}@media(prefers-color-scheme:dark){svg{color:#e6e6e6}}</style>"
)


def gather(
    context: TableContext,
    layout: Layout,
    compare: tuple[str, str] | None = None,
    row: str = "",
) -> Report:
    """Return the report; ``compare`` names two rows, ``row`` the row of single-row figures.

    UserError for an unknown row, one that is not measured, or damaged records.
    """
    material = Material(context, layout, compare, row)
    _ = material.compare, material.row  # UserError for unknown rows before anything is drawn
    videos: tuple[Video, ...] = ()
    lacking = ""
    try:
        videos = examples(material)
    except UserError as error:
        lacking = str(error).replace(f"{layout.root}/", "") + "."
    return Report(
        profile=context.profile,
        title=context.header,
        is_embedded_world=context.is_embedded_world,
        built_from=_built_from(context.records),
        tables=tuple(build(which, context) for which in TABLES),
        figures=tuple(draw(key, material) for key in FIGURES),
        videos=videos,
        records=_records_by_row(context, layout),
        environment=_environment(context.records),
        coverage=coverage_of(material.rows),
        videos_lacking=lacking,
    )


def _records_by_row(context: TableContext, layout: Layout) -> dict[str, dict[str, Any]]:
    """Return row -> cell -> facts of every record."""
    states = {cell.about.cell: (cell.state, cell.reason) for cell in cells(context)}
    found: dict[str, dict[str, Any]] = defaultdict(dict)
    for record in context.records:
        state, reason = states.get(record.cell, ("not planned", ""))
        path = layout.records / f"{record.cell}.json"
        found[record.row][record.cell] = {
            "status": record.status if state == "ok" else state,
            "reason": record.reason or reason,
            "seed": record.seed,
            "split": record.split,
            "metrics": record.metrics,
            "coverage": {n: f"{c.scored}/{c.expected}" for n, c in record.coverage.items()},
            "commit": record.git_commit,
            "dirty": record.git_dirty,
            "fingerprint": record.fingerprint,
            "started": record.started,
            "wall_s": record.wall_s,
            "decoder": record.decoder,
            "path": path.relative_to(layout.root).as_posix(),
        }
    return dict(found)


def _environment(records: Sequence[Record]) -> tuple[tuple[str, str], ...]:
    """Return (name, value) over all records; several values joined, the most frequent first."""
    seen: dict[str, Counter[str]] = defaultdict(Counter)
    for record in records:
        for name, value in {**record.environment, "decoder": record.decoder}.items():
            seen[name][value or "none"] += 1
    joined = {}
    for name, counts in sorted(seen.items()):
        ordered = sorted(counts.items(), key=lambda one: (-one[1], one[0]))
        several = "; ".join(f"{value} ({count} records)" for value, count in ordered)
        joined[name] = several if len(ordered) > 1 else ordered[0][0]
    return tuple(joined.items())


def _built_from(records: Sequence[Record]) -> str:
    """Return how many records, of which commits, the newest from when."""
    if not records:
        return "no record"
    commits = sorted({one.git_commit[:12] for one in records if one.git_commit})
    dirty = sum(one.git_dirty for one in records)
    newest = max(one.started for one in records)[:10]
    shown = ", ".join(commits[:3]) + (f" and {len(commits) - 3} more" if len(commits) > 3 else "")
    return (
        f"{len(records)} record{'s' * (len(records) > 1)}"
        + (f" of commit{'s' * (len(commits) > 1)} {shown}" if commits else "")
        + (f" ({dirty} with uncommitted changes)" if dirty else "")
        + (f", the newest from {newest}" if newest else "")
    )


def write(report: Report, folder: Path) -> list[Path]:
    """Write every figure as ``<key>.svg``, which follows the reader's dark mode, and ``<key>.png``.

    Files of figures that cannot be drawn any more are removed.
    """
    written = []
    for figure in report.figures:
        svg, png = (folder / f"{figure.key}.{kind}" for kind in ("svg", "png"))
        if not figure.svg:
            svg.unlink(missing_ok=True)
            png.unlink(missing_ok=True)
            continue
        start = figure.svg.index(">") + 1
        write_text(svg, f"{figure.svg[:start]}{_STANDALONE}{figure.svg[start:]}\n")
        if not png.is_file() or png.read_bytes() != figure.png:
            with replacing(png) as part:
                part.write_bytes(figure.png)
        written += [svg, png]
    return written


COUNT = 12
FRAMES = 4
HEIGHT = 80  # pixels
LARGEST = 6 * 1024  # bytes of a picture


def examples(material: Material) -> tuple[Video, ...]:
    """Return up to ``COUNT`` test videos of the first training of ``material.row``.

    UserError if there are none, or for damaged files in runs/ or data/.
    """
    row, (run, *_) = runs_of_row(material.layout, material.row)
    found: list[Video] = []
    missing = ""
    for dataset in material.context.tests:
        if dataset not in run.names:
            continue
        try:
            index = read_index(material.layout.index, dataset)
        except UserError:
            missing = f"The videos of {dataset} are not indexed here; run 'dvc pull' or 'dvc repro'"
            continue
        if index.kind != "videos":
            missing = f"{dataset} is a file of features: there are no frames to show"
        elif index.digest != run.record.data.get(dataset):
            missing = f"The videos of {dataset} are not those on which '{row.name}' was tested"
        else:
            found += _of(run, index, COUNT // len(material.context.tests))
            missing = missing or f"No video file of {dataset} can be read at {index.root}"
    if not found:
        raise UserError(missing)
    return tuple(found)


def _of(run: Run, index: Index, count: int) -> Iterator[Video]:
    arrays, names = run.arrays(index.name), run.names[index.name]
    first, labels = ranking(arrays).argmax(1), arrays["label"]
    for right in (True, False):
        taken = 0
        for at in spread_out(np.flatnonzero((first == labels) == right), labels, len(names)):
            row = int(arrays["row"][at])
            if taken == count // 2:
                break
            try:
                image = _picture(index, row)
            except (VideoError, OSError):
                continue
            taken += 1
            label, predicted = names[int(labels[at])], names[int(first[at])]
            path = f"{index.name}/{index.paths[row]}"
            yield Video(path, label, predicted, right, image, run.record.row)


def spread_out(
    which: NDArray[np.integer], labels: NDArray[np.integer], classes: int
) -> Iterable[int]:
    """Yield the videos ``which`` in a fixed order: first one of every class, then a second, ….

    So that the first few show different classes.
    """
    order = np.random.default_rng(0).permutation(classes)
    queues = [list(which[labels[which] == c]) for c in order]
    for round_ in range(max(map(len, queues), default=0)):
        yield from (int(queue[round_]) for queue in queues if round_ < len(queue))


def _picture(index: Index, row: int) -> bytes:
    """Return ``FRAMES`` frames of a video side by side as a JPEG of at most ``LARGEST`` bytes."""
    path, frames = index.root / index.paths[row], max(1, int(index.frames[row]))
    wanted = [int((i + 0.5) * frames / FRAMES) for i in range(FRAMES)]
    return sprite(read_frames(path, wanted))


def sprite(frames: Pixels) -> bytes:
    """Return frames [n,H,W,3] side by side as a JPEG, ``HEIGHT`` high and small in bytes."""
    from PIL import Image

    joined = Image.fromarray(np.concatenate(list(frames), axis=1))
    height = min(HEIGHT, max(joined.height, 64))
    width = round(joined.width * height / joined.height)
    small = joined.resize((min(width, 4 * HEIGHT * FRAMES), height))
    for quality in (80, 60, 45, 30, 20, 10):
        out = io.BytesIO()
        small.save(out, "JPEG", quality=quality, optimize=True)
        if out.tell() <= LARGEST:
            break
    return out.getvalue()
