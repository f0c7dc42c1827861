"""A table as Markdown, LaTeX, CSV, HTML or JSON; names are escaped, never trusted."""

import csv
import html
import io
from collections.abc import Callable
from typing import TYPE_CHECKING

from bench.errors import unknown
from bench.files import dump_json
from bench.tables.context import Table

if TYPE_CHECKING:
    import pandas as pd

_TEXT_COLUMNS = {"method", "reading", "note", "source", "status", "protocol", "definition"}
_LATEX: dict[str, str | int | None] = {
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    **{char: f"\\{char}" for char in "&%$#_{}"},
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "±": r"$\pm$",
    "−": "$-$",
    "↓": r"$\downarrow$",
    "↑": r"$\uparrow$",
    "Δ": r"$\Delta$",
    "λ": r"$\lambda$",
    "≥": r"$\ge$",
    "Θ": r"$\Theta$",
    "τ": r"$\tau$",
    "—": "---",
    "…": r"\dots{}",
    "\n": " ",
}
_STYLE = (
    "body{font:14px/1.5 system-ui,sans-serif;margin:2em}h1{font-size:1.3em}"
    "table{border-collapse:collapse;font-variant-numeric:tabular-nums;margin:1em 0}"
    "th,td{padding:.25em .7em;text-align:right;white-space:nowrap;vertical-align:top}"
    "thead th{text-align:center;font-weight:600}thead tr:last-child th{border-bottom:1px solid}"
    "tbody tr:hover{background:#f2f2f2}p{max-width:60em;margin:.3em 0}li{max-width:70em}"
)


def _flat(table: Table) -> list[str]:
    """Return one-line column names: the group stands before all but what was measured here."""
    return [
        name if group in ("", "measured") else f"{group} {name}" for group, name in table.columns
    ]


def _is_text(name: str) -> bool:
    return name in _TEXT_COLUMNS or name.startswith(("class", "nearest", "data set", "trained"))


def _markdown(table: Table) -> str:
    from tabulate import tabulate

    def safe(text: str) -> str:
        one_line = " ".join(text.split())
        return one_line.replace("|", "\\|").replace("<", "&lt;")

    body = tabulate(
        [[safe(cell) for cell in row] for row in table.rows],
        headers=[safe(name) for name in _flat(table)],
        tablefmt="github",
        disable_numparse=True,
        colalign=["left" if _is_text(name) else "right" for _, name in table.columns],
    )
    header = "\n\n".join(safe(line) for line in table.header)
    notes = "".join(f"- {safe(line).replace('*', chr(92) + '*', 1)}\n" for line in table.notes)
    return f"## {safe(table.title)}\n\n{header}\n\n{body}\n" + (f"\n{notes}" if notes else "")


def _csv(table: Table) -> str:
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow([f"{group} {name}".strip() for group, name in table.columns])
    writer.writerows(table.rows)
    return out.getvalue()


def _frame(table: Table, escape: Callable[[str], str]) -> "pd.DataFrame":
    import pandas as pd

    columns = [(escape(group), escape(name)) for group, name in table.columns]
    grouped = any(group for group, _ in columns)
    index = pd.MultiIndex.from_tuples(columns) if grouped else pd.Index([n for _, n in columns])
    return pd.DataFrame(
        [[escape(cell) for cell in row] for row in table.rows], columns=index, dtype=object
    )


def latex(text: str) -> str:
    """Return ``text`` with every character that LaTeX reads as a command made literal."""
    return text.translate(str.maketrans(_LATEX))


def _latex(table: Table) -> str:
    body = (
        _frame(table, latex)
        .style.hide(axis="index")
        .to_latex(
            hrules=True,
            column_format="".join("l" if _is_text(name) else "r" for _, name in table.columns),
            multicol_align="c",
            position_float="centering",
            caption=latex(" ".join([f"{table.title}.", *table.header])),
        )
    )
    notes = "".join(f"\n\\noindent{{\\footnotesize {latex(line)}}}\\par" for line in table.notes)
    return f"% needs \\usepackage{{booktabs}}\n{body}{notes[1:]}" + ("\n" if notes else "")


def _html(table: Table) -> str:
    import pandas as pd

    with pd.option_context("display.max_colwidth", None):  # else pandas cuts cells at 50 characters
        body = _frame(table, str).to_html(index=False, escape=True, border=0, na_rep="")
    rules = [
        f"td:nth-child({at}){{text-align:left{';white-space:normal' * (name == 'note')}}}"
        for at, (_, name) in enumerate(table.columns, 1)
        if _is_text(name)
    ]
    starts = zip(table.columns, [("", ""), *table.columns], strict=False)
    rules += [
        f"td:nth-child({at}){{border-left:1px solid #bbb}}"
        for at, ((group, _), (before, _)) in enumerate(starts, 1)
        if group != before
    ]
    title = html.escape(table.title)
    header = "".join(f"<p>{html.escape(line)}</p>\n" for line in table.header)
    notes = "".join(f"<li>{html.escape(line)}</li>\n" for line in table.notes)
    return (
        f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>{title}</title>\n'
        f"<style>{_STYLE}{''.join(rules)}</style></head>\n<body><h1>{title}</h1>\n{header}{body}\n"
        + (f"<ul>\n{notes}</ul>\n" if notes else "")
        + "</body></html>\n"
    )


_FORMATS: dict[str, Callable[[Table], str]] = {
    "md": _markdown,
    "latex": _latex,
    "csv": _csv,
    "html": _html,
    "json": lambda table: dump_json(table.data),
}
FORMATS = tuple(_FORMATS)


def render(table: Table, fmt: str) -> str:
    """Return the table in one of ``FORMATS``; an unknown format is a ``UserError``."""
    if fmt not in _FORMATS:
        raise unknown("format", fmt, FORMATS)
    return _FORMATS[fmt](table)
