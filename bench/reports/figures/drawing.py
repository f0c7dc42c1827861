"""Draw figures: one sheet, one palette, ink in the page's text colour, labels beside points."""

import io
import math
import re
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import product
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
    """How a row is drawn in every figure: by colour and marker, never by colour only."""

    colour: str = GREY
    marker: str = "."
    number: str = ""  # of a row without a colour, beside its marker and in the figure's table

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
    """A figure being drawn: ``width`` × ``height`` in inches, ``grid`` of rows and columns."""

    key: str
    width: float
    height: float
    grid: tuple[int, int] = (1, 1)
    share: tuple[bool, bool] = (False, False)  # x, y
    heights: Sequence[float] | None = None  # of the grid's rows, to each other
    hovers: dict[str, str] = field(default_factory=dict)
    axes: list["Axes"] = field(init=False)
    _laid_out: bool = field(init=False, default=False)

    def __post_init__(self) -> None:
        from matplotlib.figure import Figure as Canvas

        self._canvas = Canvas((self.width, self.height), layout="constrained")
        found = self._canvas.subplots(
            *self.grid, squeeze=False, sharex=self.share[0], sharey=self.share[1],
            height_ratios=self.heights,
        )  # fmt: skip
        self.axes = list(found.flat)

    @property
    def dpi(self) -> float:
        """Pixels per inch of matplotlib's coordinates."""
        return float(self._canvas.dpi)

    def lay_out(self) -> None:
        """Fix the layout, once, so that labels can be placed in it."""
        if not self._laid_out:
            self._laid_out = True
            engine = self._canvas.get_layout_engine()
            assert engine is not None  # it was asked for
            engine.execute(self._canvas)
            self._canvas.set_layout_engine("none")

    def hover(self, text: str, *artists: "Artist") -> None:
        """Show ``text`` when the mouse rests on one of the artists."""
        for artist in artists:
            name = f"hover{len(self.hovers)}"
            artist.set_gid(name)
            self.hovers[name] = text

    def legend(self, handles: Sequence[Any] | None = None, columns: int = 3) -> None:
        """Put one legend of all labelled lines into unused axes, or else below the figure."""
        if handles is None:
            named = {
                label: handle
                for axes in self.axes
                for handle, label in zip(*axes.get_legend_handles_labels(), strict=True)
            }
            handles = list(named.values())
        spare = [axes for axes in self.axes if not axes.axison]
        if handles and spare:
            spare[0].legend(handles=handles, loc="upper left")
        elif handles:
            self._canvas.legend(handles=handles, loc="outside lower left", ncols=columns)

    def figure(
        self,
        title: str,
        text: str,
        alt: str,
        columns: Sequence[str] = (),
        rows: Sequence[Sequence[Value]] = (),
    ) -> Figure:
        """Return the finished figure."""
        return Figure(
            self.key,
            title,
            text,
            svg=_svg(self._saved("svg").decode(), self.key, alt, self.hovers),
            alt=alt,
            columns=tuple(columns),
            rows=tuple(map(tuple, rows)),
            png=self._saved("png"),
        )

    def _saved(self, kind: str) -> bytes:
        out = io.BytesIO()
        plain: dict[str, Any] = (
            {"metadata": {"Date": None, "Creator": None}, "transparent": True}
            if kind == "svg"
            else {"metadata": {"Software": None}, "dpi": 144, "facecolor": "white"}
        )
        self.lay_out()
        self._canvas.savefig(out, format=kind, **plain)
        return out.getvalue()


NOT_MEASURED = "No row is measured yet; run 'dvc repro', then 'bench report'."


def not_drawn(key: str, title: str, why: str) -> Figure:
    """Return a figure that cannot be drawn, with the reason and what to do."""
    return Figure(key, title, "", lacking=why)


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


_RADII = (5.0, 11.0, 18.0, 26.0, 36.0)  # distances of a label from its point, in 1/72 inch
_ANGLES = tuple(math.radians(degrees) for degrees in (35, -35, 145, -145, 90, -90, 0, 180))
_FAR = 10.0  # from this distance on, a thin line leads from the point to its label


def place(
    sheet: Sheet,
    axes: "Axes",
    labels: Sequence[tuple[float, float, str]],
    taken: Sequence[tuple[float, float]] = (),
    size: float = 7.0,
) -> None:
    """Write each (x, y, text) near its point, clear of the ``taken`` points and of each other.

    A label without room within half an inch is left out; its point still has a hover text.
    """
    sheet.lay_out()
    scale = 72 / sheet.dpi
    x0, y0, x1, y1 = (float(side) * scale for side in axes.get_window_extent().extents)
    points = [*taken, *((x, y) for x, y, _ in labels)]
    dots = [tuple(map(float, axes.transData.transform(point) * scale)) for point in points]
    boxes = [(x - 2.5, y - 2.5, x + 2.5, y + 2.5) for x, y in dots]
    line = {"arrowstyle": "-", "lw": 0.4, "color": INK, "alpha": 0.5, "shrinkA": 0, "shrinkB": 2}
    for (x, y, text), here in zip(labels, dots[len(taken) :], strict=True):
        width = 0.56 * size * len(text)
        for radius, angle in product(_RADII, _ANGLES):
            across, up = math.cos(angle), math.sin(angle)
            left = here[0] + radius * across - width * (1 - across) / 2
            low = here[1] + radius * up - size * (1 - up) / 2
            right, high = left + width, low + size
            inside = left >= x0 and low >= y0 and right <= x1 + 4 and high <= y1
            if inside and all(
                right <= a or c <= left or high <= b or d <= low for a, b, c, d in boxes
            ):
                boxes.append((left, low, right, high))
                axes.annotate(
                    text,
                    (x, y),
                    (left - here[0], low - here[1]),
                    textcoords="offset points",
                    fontsize=size,
                    va="bottom",
                    ha="left",
                    arrowprops=line if radius >= _FAR else None,
                    annotation_clip=False,
                ).set_in_layout(False)
                break
