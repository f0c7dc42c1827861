"""The report's page: one self-contained HTML file that makes no network requests."""

import base64
import hashlib
import re
from importlib import resources
from typing import Any
from urllib.parse import quote

from jinja2 import Environment, FunctionLoader, StrictUndefined
from markupsafe import Markup, escape

from bench.errors import visible
from bench.reports.page.evidence import Behind, Grid, anchors, grid, plain_grid, quotes, records
from bench.reports.report_model import Report
from bench.reports.tables.context import EMBEDDED

_BREAKS = re.compile(r"(?<=[./+=,])(?=\w)")


def page(report: Report, root: str = "../../..", figures: str = "figures", links: str = "") -> str:
    """Return the page as HTML; ``root`` and ``figures`` are the paths to the project and figures.

    ``links`` is an address (``https://…``) for the project's files instead of ``root``. Missing
    parts of a report become a sentence that says what to do, never an error.
    """
    evidence, sources = records(report), tuple(quotes())
    behind = Behind(
        {one.row: one.anchor for one in evidence},
        {one.row: len(one.entries) for one in evidence},
        sources,
    )
    titles = [table.title for table in report.tables]
    names = anchors("table", [title.partition(",")[0].lower() for title in titles])
    tables = [
        grid(table, names[table.title.partition(",")[0].lower()], behind, (report.title, EMBEDDED))
        for table in report.tables
    ]
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
            behind_figure={one.key: _behind(one) for one in report.figures if one.rows},
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


def _behind(figure: Any) -> Grid:
    return plain_grid(
        f"numbers-{figure.key}", f"Numbers behind: {figure.title}", figure.columns, figure.rows
    )


def _asset(name: str) -> str:
    return (resources.files(__package__) / "assets" / name).read_text(encoding="utf-8")


def _environment() -> Environment:
    made = Environment(
        loader=FunctionLoader(_asset),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=_shown,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters["breaks"] = _breaks
    made.filters["path"] = lambda text: quote(text, safe="/+=")
    made.filters["drawn"] = Markup
    return made


def _shown(value: Any) -> Any:
    """Show control characters (such as bidi marks) in names and reasons instead of obeying them."""
    return visible(value) if isinstance(value, str) and not isinstance(value, Markup) else value


def _breaks(text: str) -> Markup:
    """Escape a name without spaces, and allow line breaks after its punctuation."""
    return Markup("<wbr>").join(escape(part) for part in _BREAKS.split(visible(text)))


def _image(image: bytes) -> str:
    kind = "png" if image.startswith(b"\x89PNG") else "jpeg"
    return f"data:image/{kind};base64,{base64.b64encode(image).decode()}"
