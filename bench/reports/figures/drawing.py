"""Drawing: the style, the colours and the sheet that all figures share."""

import io
import math
import re
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from xml.sax.saxutils import escape, quoteattr

from bench.errors import visible
from bench.reports.report_model import Figure
from bench.reports.tables.typed_table import Counts, Value

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes


INK = "#010203"  # replaced by the page's text colour; looks black in a PNG
# Okabe & Ito's colours with a contrast of 3 to white and near-black, and two more of that kind.
PALETTE = ("#1a80c4", "#d55e00", "#009e73", "#b85c9e", "#9a7b00")
MARKERS = ("o", "s", "^", "D", "v")
GREY = "#808080"
_STYLE: Any = {
    "font.family": "sans-serif",
    "font.size": 9,
    "text.parse_math": False,  # a label may hold a $
    "axes.titlesize": 10,
    "axes.titlelocation": "left",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "axes.grid": True,
    "grid.alpha": 0.15,
    "grid.linewidth": 0.6,
    "axes.facecolor": "none",
    "figure.facecolor": "none",
    "legend.frameon": False,
    "legend.fontsize": 8.5,
    "lines.markersize": 5.5,
    "svg.fonttype": "none",
    "svg.hashsalt": "report",
    **dict.fromkeys(
        ("text.color", "axes.edgecolor", "axes.labelcolor", "xtick.color", "ytick.color"), INK
    ),
    "grid.color": INK,
}


@dataclass(frozen=True)
class Look:
    """How figures draw a row: with a colour and a marker, or as a grey number."""

    colour: str = GREY
    marker: str = "."
    number: str = ""  # of a row without a colour; the figure's table has it too

    @property
    def cell(self) -> Value:
        """The number as a cell of the figure's table."""
        return Counts.of(int(self.number)) if self.number else None


@contextmanager
def style() -> Iterator[None]:
    """Apply the style while drawing; matplotlib reads it whenever an artist is made."""
    import matplotlib

    with matplotlib.rc_context(_STYLE), warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph .* missing")  # the page has other fonts
        yield


def short(text: str, most: int = 30) -> str:
    """Return a name with visible characters only, on one line and cut to ``most`` characters."""
    text = " ".join(visible(text).split())
    return text if len(text) <= most else text[: most - 1] + "…"


@dataclass
class Sheet:
    """A figure being drawn, with ``panels`` in ``columns``; sizes are in inches."""

    key: str
    height: float
    panels: int = 1
    columns: int = 1
    per_line: float = 0.0  # more height for each line of panels
    width: float = 7.2
    share: tuple[bool, bool] = (False, False)  # x, y
    heights: Sequence[float] | None = None  # of the lines, to each other
    axes: list["Axes"] = field(init=False)
    _hovers: dict[str, str] = field(init=False, default_factory=dict)

    def __post_init__(self) -> None:
        from matplotlib.figure import Figure as Canvas

        columns = min(self.columns, self.panels)
        lines = math.ceil(self.panels / columns)
        size = self.width, self.height + self.per_line * lines
        self._canvas = Canvas(size, layout="constrained")
        found = self._canvas.subplots(
            *(lines, columns), squeeze=False, sharex=self.share[0], sharey=self.share[1],
            height_ratios=self.heights,
        )  # fmt: skip
        self.axes = list(found.flat)[: self.panels]
        for axes in list(found.flat)[self.panels :]:
            axes.set_axis_off()

    def hover(self, text: str, *artists: "Artist") -> None:
        """Show ``text`` when the mouse rests on one of the artists."""
        for artist in artists:
            name = f"hover{len(self._hovers)}"
            artist.set_gid(name)
            self._hovers[name] = text

    def point(
        self,
        axes: "Axes",
        at: tuple[float, float],
        look: Look,
        said: str,
        label: str = "",
        bars: tuple[float | None, float | None] = (None, None),
    ) -> None:
        """Draw a row's point with its bars (half lengths along x and y) and its hover text."""
        (x, y), (across, up) = at, (bar or 0 for bar in bars)
        grey = bool(look.number)
        drawn: list[Artist] = []
        drawn += axes.plot(  # one line with a gap
            (x - across, x + across, math.nan, x, x), (y, y, math.nan, y - up, y + up),
            color=look.colour, lw=0.5 if grey else 1.2, alpha=0.5 if grey else 1, zorder=2,
        )  # fmt: skip
        if grey:
            drawn += axes.plot(x, y, ".", color=GREY, ms=3, clip_on=False)
            # Above or below the dot by turns: "2" beside "3" would read as 23.
            side = 1 if int(look.number) % 2 else -1
            place: Any = {"xytext": (0, 3 * side), "textcoords": "offset points", "ha": "center"}
            place["va"] = "bottom" if side > 0 else "top"
            drawn.append(axes.annotate(look.number, (x, y), color=GREY, fontsize=6, **place))
        else:
            drawn += axes.plot(
                x, y, look.marker, color=look.colour, label=short(label), zorder=3, clip_on=False
            )
        self.hover(said, *drawn)

    def legend(self, columns: int = 3) -> None:
        """Put one legend of all labelled artists below the figure."""
        named = {
            label: handle
            for axes in self.axes
            for handle, label in zip(*axes.get_legend_handles_labels(), strict=True)
        }
        if named:
            self._canvas.legend(
                handles=list(named.values()), loc="outside lower left", ncols=columns
            )

    def figure(
        self,
        title: str,
        text: str,
        alt: str,
        columns: Sequence[str] = (),
        rows: Sequence[Sequence[Value]] = (),
    ) -> Figure:
        """Return the finished figure."""
        svg = self._saved("svg", metadata={"Date": None, "Creator": None}, transparent=True)
        return Figure(
            self.key,
            title,
            text,
            svg=_svg(svg.decode(), self.key, alt, self._hovers),
            alt=alt,
            columns=tuple(columns),
            rows=tuple(map(tuple, rows)),
            png=self._saved("png", metadata={"Software": None}, dpi=144, facecolor="white"),
        )

    def _saved(self, kind: str, **options: Any) -> bytes:
        out = io.BytesIO()
        self._canvas.savefig(out, format=kind, **options)
        return out.getvalue()


_SIZE = re.compile(r'width="([\d.]+)pt" height="([\d.]+)pt"')
_PLACES = re.compile(r'\b(?:d|x|y|transform)="[^"]*"')
_LONG = re.compile(r"(\.\d\d)\d+")


def _svg(text: str, key: str, alt: str, hovers: dict[str, str]) -> str:
    """Turn matplotlib's file into one element of a page: unique ids, the page's colour and font."""
    text = text[text.index("<svg") :]
    text = re.sub(r"\s*<metadata>.*?</metadata>", "", text, flags=re.S)
    text = re.sub(r"\s*<defs>\s*<style.*?</style>\s*</defs>", "", text, count=1, flags=re.S)
    text = re.sub(r"\s*<!--.*?-->", "", text, flags=re.S)  # comments repeat every text
    text = _PLACES.sub(lambda found: _LONG.sub(r"\1", found[0]), text)
    for name, said in hovers.items():
        title = f"<title>{escape(visible(said))}</title>"
        text = text.replace(f'<g id="{name}">', f'<g id="{name}">{title}', 1)
    text = re.sub(r'\bid="', f'id="{key}-', text)
    text = re.sub(r"url\(#", f"url(#{key}-", text)
    text = re.sub(r'href="#', f'href="#{key}-', text)
    text = re.sub(r"\bfont: ([^;\"]*?px) [^;\"]*", r"font: \1 system-ui, sans-serif", text)
    text = re.sub(r"\bfont-family: [^;\"]*", "font-family: system-ui, sans-serif", text)
    text = text.replace(INK, "currentColor")
    width, height = (float(size) * 4 / 3 for size in _SIZE.search(text).groups())  # type: ignore[union-attr]
    root = (
        f'width="{width:g}" height="{height:g}" role="img" aria-label={quoteattr(visible(alt))} '
        f'style="--wide: {width:g}px" stroke-linejoin="round" stroke-linecap="butt"'
    )
    text = _SIZE.sub(lambda _: root, text, count=1)
    return re.sub(r"\n\s*", "\n", text).strip()
