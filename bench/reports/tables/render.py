"""Render a table as Markdown, LaTeX, CSV, HTML or JSON; names are always escaped."""

import csv
import html
import io
import re
from collections.abc import Callable, Iterable
from itertools import accumulate, groupby

from bench.errors import unknown, visible
from bench.reports.tables.typed_table import Number, Table, text_of
from bench.utils.io import dump_json, rounded

_TEXT_COLUMNS = {"method", "reading", "note", "source", "status", "protocol"}
_TEXT_COLUMNS |= {"definition", "approximated"}
_MATH = {"±": "pm", "↓": "downarrow", "↑": "uparrow", "≥": "ge", "≡": "equiv"}
_MATH |= {"†": "dagger", "‡": "ddagger"}
_MATH |= {"Δ": "Delta", "λ": "lambda", "Θ": "Theta", "τ": "tau"}
_WORDS = {"\\": "backslash", "~": "asciitilde", "^": "asciicircum", "<": "less", ">": "greater"}
_LATEX = str.maketrans(
    {"§": r"\S{}", "−": "$-$", "—": "---", "…": r"\dots{}", "\n": " "}
    | {char: f"\\{char}" for char in "&%$#_{}"}
    | {char: f"$\\{name}$" for char, name in _MATH.items()}
    | {char: rf"\text{name}{{}}" for char, name in _WORDS.items()}
)
_FORMULA = re.compile(r"[\t\r\n]|\s*[=@+-]")
_STYLE = (
    "body{font:14px/1.5 system-ui,sans-serif;margin:2em}h1{font-size:1.3em}"
    "table{border-collapse:collapse;font-variant-numeric:tabular-nums;margin:1em 0}"
    "th,td{padding:.25em .7em;text-align:right;white-space:nowrap;vertical-align:top}"
    "thead th{text-align:center;font-weight:600}thead tr:last-child th{border-bottom:1px solid}"
    "tbody tr:hover{background:#f2f2f2}p{max-width:60em;margin:.3em 0}li{max-width:70em}"
)


def _is_text(name: str) -> bool:
    return name in _TEXT_COLUMNS or name.startswith(("class", "nearest", "data set", "trained"))


def _markdown(table: Table) -> str:
    from tabulate import tabulate

    def safe(text: str) -> str:
        one_line = " ".join(text.split())
        return one_line.replace("|", "\\|").replace("<", "&lt;")

    groups = {"": "", "measured": ""}  # other groups go before the column's name
    names = [groups.get(group, f"{group} ") + name for group, name in table.columns]
    body = tabulate(
        [[safe(cell) for cell in row] for row in table.texts],
        headers=[safe(name) for name in names],
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
    writer.writerow([_inert(f"{group} {name}".strip()) for group, name in table.columns])
    writer.writerows(
        [value if isinstance(value, Number) else _inert(text_of(value)) for value in row]
        for row in table.rows
    )
    return out.getvalue()


def _inert(cell: str) -> str:
    """Put an apostrophe before a text that a spreadsheet would take for a formula."""
    return f"'{cell}" if _FORMULA.match(cell) else cell


def _groups(table: Table) -> list[tuple[str, int]]:
    """Return (group, number of columns) of a table's head; [] if no column has a group."""
    groups = [group for group, _ in table.columns]
    return [(group, len(list(same))) for group, same in groupby(groups)] if any(groups) else []


def _latex(table: Table) -> str:
    def safe(text: str) -> str:
        return " ".join(text.split()).translate(_LATEX)

    def line(cells: Iterable[str]) -> str:
        return rf"{' & '.join(cells)} \\"

    groups = [
        rf"\multicolumn{{{width}}}{{c}}{{{safe(group)}}}" if width > 1 else safe(group)
        for group, width in _groups(table)
    ]

    align = "".join("l" if _is_text(name) else "r" for _, name in table.columns)
    lines = [
        r"% needs \usepackage{booktabs}",
        r"\begin{table}",
        r"\centering",
        rf"\caption{{{safe(' '.join([f'{table.title}.', *table.header]))}}}",
        rf"\begin{{tabular}}{{{align}}}",
        r"\toprule",
        *([line(groups)] if groups else []),
        line(safe(name) for _, name in table.columns),
        r"\midrule",
        *(line(map(safe, row)) for row in table.texts),
        r"\bottomrule",
        r"\end{tabular}",
        r"\end{table}",
        *(rf"\noindent{{\footnotesize {safe(note)}}}\par" for note in table.notes),
    ]
    return "\n".join(lines) + "\n"


def _html(table: Table) -> str:
    def cell(tag: str, text: str, width: int = 1) -> str:
        span = f' colspan="{width}" halign="left"' if width > 1 else ""
        return f"      <{tag}{span}>{html.escape(text.strip(), quote=False)}</{tag}>\n"

    def line(cells: Iterable[str], start: str = "<tr>") -> str:
        return f"    {start}\n{''.join(cells)}    </tr>\n"

    groups = _groups(table)
    head = line(cell("th", *group) for group in groups) if groups else ""
    start = "<tr>" if groups else '<tr style="text-align: right;">'
    head += line((cell("th", name) for _, name in table.columns), start)
    body = "".join(line(cell("td", text) for text in row) for row in table.texts)
    rules = [
        f"td:nth-child({at}){{text-align:left{';white-space:normal' * (name == 'note')}}}"
        for at, (_, name) in enumerate(table.columns, 1)
        if _is_text(name)
    ]
    ends = accumulate(width for _, width in groups[:-1])
    rules += [f"td:nth-child({end + 1}){{border-left:1px solid #bbb}}" for end in ends]
    title = html.escape(table.title)
    header = "".join(f"<p>{html.escape(text)}</p>\n" for text in table.header)
    notes = "".join(f"<li>{html.escape(text)}</li>\n" for text in table.notes)
    return (
        f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>{title}</title>\n'
        f"<style>{_STYLE}{''.join(rules)}</style></head>\n<body><h1>{title}</h1>\n{header}"
        f'<table class="dataframe">\n  <thead>\n{head}  </thead>\n  <tbody>\n{body}  </tbody>\n'
        "</table>\n" + (f"<ul>\n{notes}</ul>\n" if notes else "") + "</body></html>\n"
    )


_FORMATS: dict[str, Callable[[Table], str]] = {
    "md": _markdown,
    "latex": _latex,
    "csv": _csv,
    "html": _html,
    "json": lambda table: visible(
        dump_json(rounded(table.data))
    ),  # where JSON's escapes look the same
}
FORMATS = tuple(_FORMATS)


def render(table: Table, fmt: str) -> str:
    """Return the table in one of ``FORMATS``; an unknown format is a ``UserError``."""
    if fmt not in _FORMATS:
        raise unknown("format", fmt, FORMATS)
    return _FORMATS[fmt](_visible(table))


def _visible(table: Table) -> Table:
    """Return the table with control characters in names and reasons made visible."""
    return Table(
        title=visible(table.title),
        header=list(map(visible, table.header)),
        columns=[(visible(group), visible(name)) for group, name in table.columns],
        rows=[[visible(v) if isinstance(v, str) else v for v in row] for row in table.rows],
        notes=list(map(visible, table.notes)),
        data=table.data,
    )
