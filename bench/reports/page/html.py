"""The report's page: one self-contained HTML file that makes no network requests."""

import base64
import hashlib
import re
from collections.abc import Iterable, Mapping, Sequence
from importlib import resources
from itertools import groupby
from typing import Any
from urllib.parse import quote

from jinja2 import Environment, FunctionLoader, StrictUndefined
from markupsafe import Markup, escape

from bench.data.reference import Published, published
from bench.errors import visible
from bench.reports.report_model import Report
from bench.reports.tables.context import EMBEDDED
from bench.reports.tables.typed_table import (
    MISSING,
    SCATTER,
    Counts,
    Difference,
    Measured,
    Number,
    Quoted,
    Table,
    Value,
    number_text,
    text_of,
)

Shown = dict[str, Any]  # a part of the page, as the templates in assets/ read it

_BREAKS = re.compile(r"(?<=[./+=,])(?=\w)")
_COLUMNS = {"status", "reason", "metrics", "coverage", "commit", "dirty", "fingerprint", "started"}
_COLUMNS |= {"wall_s", "path", "seed", "split"}  # facts of a record with a column of their own
_LONG, _LONG_WORD = 40, 24  # characters from which a column is running text


def page(report: Report, root: str = "../../..", figures: str = "figures", links: str = "") -> str:
    """Return the page as HTML; ``root`` and ``figures`` are the paths to the project and figures.

    ``links`` is an address (``https://…``) for the project's files instead of ``root``. Missing
    parts of a report become a sentence that says what to do, never an error.
    """
    evidence = _evidence(report)
    sources = [
        {
            "anchor": f"published-{at}",
            "about": one,
            "value": number_text(one.value, one.std, one.key),
        }
        for at, one in enumerate(published())
    ]
    targets = {one["row"]: one for one in evidence}
    names = [table.title.partition(",")[0].lower() for table in report.tables]
    anchors = _anchors("table", names)
    tables = [
        _grid(table, anchors[name], targets, sources, (report.title, EMBEDDED))
        for table, name in zip(report.tables, names, strict=True)
    ]
    behind = {}
    for one in report.figures:
        if one.rows:
            title = f"Numbers behind: {one.title}"
            rows = [[*row, *[None] * (len(one.columns) - len(row))] for row in one.rows]
            numbers = Table(title, [], [("", name) for name in one.columns], rows, [], [])
            behind[one.key] = _grid(numbers, f"numbers-{one.key}")
    script, style = _asset("page.js"), _asset("page.css")
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    return (
        _environment()
        .get_template("page.html")
        .render(
            report=report,
            embedded=EMBEDDED,
            tables=tables,
            figures=report.figures,
            behind_figure=behind,
            videos=[(video, _image(video.image)) for video in report.videos],
            evidence=evidence,
            sources=sources,
            root=links.rstrip("/") or quote(root.rstrip("/"), safe="/+="),
            folder=figures.rstrip("/"),
            script=Markup(script),
            style=Markup(style),
            digest=digest,
        )
    )


def _asset(name: str) -> str:
    return (resources.files(__package__) / "assets" / name).read_text(encoding="utf-8")


def _environment() -> Environment:
    made = Environment(
        loader=FunctionLoader(_asset),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=_finalize,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters["breaks"] = _breaks
    made.filters["path"] = lambda text: quote(text, safe="/+=")
    made.filters["drawn"] = Markup
    return made


def _finalize(value: Any) -> Any:
    """Show control characters (such as bidi marks) in names and reasons instead of obeying them."""
    return visible(value) if isinstance(value, str) and not isinstance(value, Markup) else value


def _breaks(text: str) -> Markup:
    """Escape a name without spaces, and allow line breaks after its punctuation."""
    return Markup("<wbr>").join(escape(part) for part in _BREAKS.split(visible(text)))


def _image(image: bytes) -> str:
    kind = "png" if image.startswith(b"\x89PNG") else "jpeg"
    return f"data:image/{kind};base64,{base64.b64encode(image).decode()}"


def _anchors(kind: str, names: Iterable[str]) -> dict[str, str]:
    """Return name -> a unique id of letters, digits and ``.=+-``."""
    found: dict[str, str] = {}
    for name in names:
        plain = new = f"{kind}-{re.sub(r'[^A-Za-z0-9_.=+-]+', '-', name)[:80]}"
        n = 1
        while new in found.values():
            n += 1
            new = f"{plain}-{n}"
        found[name] = new
    return found


def _evidence(report: Report) -> list[Shown]:
    """Return the records of each row, in the report's order."""
    anchors, labels = _anchors("records", report.records), dict[str, str]()
    for table in report.tables:
        for row in table.data:
            if "row" in row:
                labels.setdefault(row["row"], row.get("label", row["row"]))
    found = []
    for name, cells in report.records.items():
        metrics = list(dict.fromkeys(k for one in cells.values() for k in one.get("metrics", ())))
        others = list(dict.fromkeys(k for one in cells.values() for k in one if k not in _COLUMNS))
        bad = sum(one.get("status") != "ok" for one in cells.values())
        counted = f"{len(cells)} record{'s' * (len(cells) != 1)}" + f", {bad} not ok" * bool(bad)
        found.append(
            {
                "anchor": anchors[name],
                "row": name,
                "label": labels.get(name, name),
                "metrics": metrics,
                "others": others,
                "entries": [_entry(cell, one, metrics, others) for cell, one in cells.items()],
                "counted": counted,
            }
        )
    return found


def _entry(
    cell: str, facts: Mapping[str, Any], metrics: Iterable[str], others: Iterable[str]
) -> Shown:
    reason, dirty = facts.get("reason", ""), " with changes" * bool(facts.get("dirty"))
    values, wall = facts.get("metrics") or {}, facts.get("wall_s")
    coverage = (facts.get("coverage") or {}).items()
    return {
        "cell": cell,
        "status": facts.get("status", MISSING) + f": {reason}" * bool(reason),
        "metrics": [_exact(key, values.get(key)) for key in metrics],
        "coverage": ", ".join(f"{name} {text}" for name, text in coverage) or MISSING,
        "commit": f"{str(facts.get('commit') or MISSING)[:12]}{dirty}",
        "fingerprint": facts.get("fingerprint") or MISSING,
        "started": facts.get("started") or MISSING,
        "wall": MISSING if wall is None else f"{wall:.1f}",
        "others": [str(facts.get(name, MISSING)) for name in others],
        "path": facts.get("path", ""),
    }


def _exact(key: str, value: float | None) -> str:
    """Return a record's value with one digit more than in tables, so that means can be checked."""
    if value is None:
        return MISSING
    return f"{value:.4f}" if key.rpartition(".")[2] in SCATTER else f"{value:.2f}"


def _grid(
    table: Table,
    anchor: str,
    targets: Mapping[str, Shown] | None = None,
    sources: Sequence[Shown] = (),
    said: Sequence[str] = (),
) -> Shown:
    """Return a table; its numbers lead to ``targets``, the records of each row, and ``sources``.

    Header lines in ``said`` are already on the page.
    """
    names = [name for _, name in table.columns]
    first = names.index("method") if "method" in names else 0
    order = [first, *(at for at in range(len(names)) if at != first)]
    heads, before = [], table.columns[first][0]
    for at in order:
        group, name = table.columns[at]
        starts, before = group != before, group
        head = {"name": name, "group": group, "starts": starts}
        heads.append(head | _kind([row[at] for row in table.rows]))
    lines = []
    for at, row in enumerate(table.rows):
        data = table.data[at] if at < len(table.data) else {}
        cells = [_cell(table.columns[i], row[i], data, targets or {}, sources) for i in order]
        measured = any(cell["key"] for cell in cells)
        quoted = data.get("status") == "quoted"
        lines.append({"cells": cells, "measured": measured, "quoted": quoted})
    embedded = EMBEDDED in table.header
    groups = [(name, len(list(same))) for name, same in groupby(head["group"] for head in heads)]
    measured_here = f"measured{', embedded world' * embedded}"
    return {
        "anchor": anchor,
        "title": table.title.rpartition(", profile ")[0] or table.title,
        "header": [line for line in table.header if line not in said],
        "groups": [(measured_here if name == "measured" else name, n) for name, n in groups]
        if any(name for name, _ in groups)
        else [],
        "heads": heads,
        "lines": lines,
        "notes": table.notes,
        "embedded": embedded,
        # Some rows are measured and some are not, so that the page offers a filter.
        "mixed": len({line["measured"] for line in lines}) == 2,
    }


def _kind(values: Sequence[Value]) -> Shown:
    """Return whether a column has numbers, running text or room for the mark of ties."""
    found = [value for value in values if value is not None]
    numeric = bool(found) and all(isinstance(value, Number | Counts) for value in found)
    texts = [] if numeric else list(map(text_of, found))
    long = any(len(text) > _LONG for text in texts)
    long = long or any(len(word) > _LONG_WORD for text in texts for word in text.split())
    starred = any(isinstance(value, Number) and value.is_tied for value in found)
    return {"numeric": numeric, "long": long, "starred": numeric and starred}


def _cell(
    column: tuple[str, str],
    value: Value,
    data: Mapping[str, Any],
    targets: Mapping[str, Shown],
    sources: Sequence[Shown],
) -> Shown:
    """Return a cell: a number in its parts or a text (``main``), and where it leads."""
    shown: Shown = {"main": text_of(value), "spread": "", "star": False, "end": ""}
    shown |= {"href": "", "tip": "", "key": ""}  # the metric, where the link leads to records
    if not isinstance(value, Number):
        return shown
    start, end = ("(", ")") if value.in_doubt else ("", "")
    shown |= {"main": start + value.mean, "spread": value.spread, "star": value.is_tied, "end": end}
    if isinstance(value, Quoted):
        for source in sources:
            if source["about"] == value.source:
                tip = _source_tip(source["about"], source["value"])
                return shown | {"href": f"#{source['anchor']}", "tip": tip}
        return shown
    group, name = column
    target = targets.get(data.get("row", ""))
    if not group or target is None:
        return shown
    label, key = data.get("label", ""), "-"
    if isinstance(value, Measured):
        key = value.key
        lines = [f"{label}, {key}", *_spread_tip(value)]
    else:
        lines = [f"{label}, {group} {name}: {value}"]
        if isinstance(value, Difference) and value.interval:
            low, high = value.interval
            lines.append(f"95 % interval {low:+.1f} to {high:+.1f} against {value.against}")
    count = len(target["entries"])
    lines.append(f"Source: {count} record{'s' * (count != 1)} of {target['row']}")
    return shown | {"href": f"#{target['anchor']}", "tip": "\n".join(lines), "key": key}


def _source_tip(one: Published, value: str) -> str:
    """Return the source and the setting of a published number."""
    clips = f", {one.clips} clip{'s' * (one.clips != 1)}" if one.clips else ""
    return (
        f"Published {one.metric}: {value}"
        + ("" if one.std else "\nno spread, no n stated")
        + f"\n{one.dataset or 'class set not stated'}, {one.protocol}, trained on {one.train}"
        + clips
        + (f"\n{one.note}" if one.note else "")
        + f"\nSource: {one.source}"
    )


def _spread_tip(found: Measured) -> list[str]:
    unit = found.over if found.n != 1 else found.over.removesuffix("s")
    mean = f"{found.value:.3f}".rstrip("0").rstrip(".")
    lines = [
        f"{mean}, one {unit}: no spread"
        if found.std is None
        else f"mean {mean}, sample deviation {found.std:.3f}, n = {found.n} {unit}"
    ]
    if found.within:
        over, inner = found.within
        lines.append(f"± {inner.std:.3f} over {inner.n} {over} within")
    if found.is_tied:
        lines.append("* best of its column, or not significantly different from it")
    return lines
