"""Per-class accuracy of two rows, paired over the seeds or draws that both have."""

from collections import defaultdict
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from bench.reports.figures.drawing import GREY, PALETTE, Sheet, not_drawn, short
from bench.reports.figures.material import Material, points
from bench.reports.report_model import Figure
from bench.reports.tables.rows import Row
from bench.reports.tables.typed_table import Counts, Number, Value

if TYPE_CHECKING:
    from matplotlib.axes import Axes

KEY = "classes"
TITLE = "Two rows, class by class"
SHOWN = 30  # classes of a panel: those with the largest differences


def draw(material: Material) -> Figure:
    """Return differences of accuracy per class, one panel a data set.

    UserError for rows that were asked for and are not measured.
    """
    title = TITLE
    if material.compare is None:
        return not_drawn(
            KEY, title, "It takes two measured rows; run 'dvc repro', then 'bench report'."
        )
    a, b = material.compare
    title = f"{a.label} − {b.label}, class by class"
    found = {scope: _paired(a, b, scope) for scope in material.context.primary}
    found = {scope: classes for scope, classes in found.items() if classes}
    if not found:
        why = (
            f"{a.name} and {b.name} have no seed or draw in common with results per class (which "
            "protocols of several class splits have not); name two others with --compare."
        )
        return not_drawn(KEY, title, why)
    shown = {scope: _largest(classes) for scope, classes in found.items()}
    most = max(map(len, shown.values()))
    sheet = Sheet(KEY, 7.2, 0.9 + 0.19 * most, (1, len(shown)))
    for axes, (scope, names) in zip(sheet.axes, shown.items(), strict=True):
        _panel(sheet, axes, names, found[scope])
        axes.set_title(scope.replace(".", " · "))
        axes.set_ylim(most - 0.4, -0.6)
    cut = any(len(shown[scope]) < len(found[scope]) for scope in found)
    every = f" The {SHOWN} largest differences of each panel are drawn, all are in the table."
    over = "draws" if any(map(material.context.per_draw, found)) else "seeds"
    return sheet.figure(
        title,
        f"Percent of a class's videos that {a.label} gets right minus the same of {b.label}: mean "
        f"over the {over} that both rows have, strokes are the single {over}. Right of the line "
        f"{a.label} is better. A class has few videos and there are many classes: single "
        "differences are what to look at, not what to conclude from." + every * cut,
        f"Difference of accuracy per class between {a.label} and {b.label}; "
        + "; ".join(_summary(scope, classes) for scope, classes in found.items()),
        ("class", "data set", a.name, b.name, "difference", "n", f"single {over}"),
        [_line(scope, *one) for scope, classes in found.items() for one in _sorted(classes)],
    )


Pairs = list[tuple[float, float]]  # percent right of a and of b, a seed or draw each


def _paired(a: Row, b: Row, scope: str) -> dict[str, Pairs]:
    """Return class -> pairs, over the cells (training split, seed) that both rows have."""
    cells = [{(r.split, r.seed): r.per_class.get(scope, {}) for r in row.records} for row in (a, b)]
    found: dict[str, Pairs] = defaultdict(list)
    for cell in sorted(cells[0].keys() & cells[1].keys()):
        of_a, of_b = (side[cell] for side in cells)
        for name in of_a.keys() & of_b.keys():
            if of_a[name][0] and of_b[name][0]:
                shares = [100 * one[name][1] / one[name][0] for one in (of_a, of_b)]
                found[name].append((shares[0], shares[1]))
    return dict(found)


def _mean(pairs: Pairs) -> float:
    return float(np.mean([a - b for a, b in pairs]))


def _sorted(classes: dict[str, Pairs]) -> list[tuple[str, Pairs]]:
    return sorted(classes.items(), key=lambda one: (-_mean(one[1]), one[0]))


def _largest(classes: dict[str, Pairs]) -> list[str]:
    names = [name for name, _ in _sorted(classes)]
    kept = set(sorted(names, key=lambda name: -abs(_mean(classes[name])))[:SHOWN])
    return [name for name in names if name in kept]


def _panel(sheet: Sheet, axes: "Axes", names: Sequence[str], classes: dict[str, Pairs]) -> None:
    for at, name in enumerate(names):
        pairs = classes[name]
        mean = _mean(pairs)
        colour, marker = (PALETTE[0], "o") if mean > 0 else (PALETTE[1], "s")
        colour = colour if mean else GREY
        single = [a - b for a, b in pairs]
        stem = axes.plot((0, mean), (at, at), color=colour, lw=1.6)
        dots = axes.plot(single, [at] * len(single), "|", color=GREY, ms=5, alpha=0.8)
        point = axes.plot(mean, at, marker, color=colour, ms=5)
        of_a, of_b = (float(np.mean(side)) for side in zip(*pairs, strict=True))
        sheet.hover(
            f"{name}: {mean:+.1f} points ({of_a:.1f} − {of_b:.1f}, n = {len(pairs)})\n"
            f"single: {points(single[:8])}{' …' if len(single) > 8 else ''}",
            *stem, *dots, *point,
        )  # fmt: skip
    axes.axvline(0, color=GREY, lw=1, zorder=0)
    axes.set_yticks(range(len(names)), [short(name, 24) for name in names], fontsize=8)
    axes.set_xlabel("points")
    axes.grid(False, axis="y")


def _summary(scope: str, classes: dict[str, Pairs]) -> str:
    means = [_mean(pairs) for pairs in classes.values()]
    better, worse = sum(mean > 0 for mean in means), sum(mean < 0 for mean in means)
    return f"{scope}: better in {better}, worse in {worse} of {len(means)} classes"


def _line(scope: str, name: str, pairs: Pairs) -> tuple[Value, ...]:
    single = [a - b for a, b in pairs]
    of_a, of_b = (float(np.mean(side)) for side in zip(*pairs, strict=True))
    std = float(np.std(single, ddof=1)) if len(single) > 1 else None
    few = points(single) if len(single) <= 8 else f"{min(single):.1f} to {max(single):.1f}"
    dataset = scope.split(".")[0]
    return (
        name,
        dataset,
        Number(of_a),
        Number(of_b),
        Number(of_a - of_b, std, signed=True),
        Counts.of(len(pairs)),
        few,
    )
