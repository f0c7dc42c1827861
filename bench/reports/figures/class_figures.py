"""Figures of classes and videos: two rows class by class, confusions, coverage of the data."""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from bench.errors import UserError
from bench.experiments.plan import TRANSFER
from bench.reports.figures.drawing import GREY, INK, PALETTE, Sheet, short
from bench.reports.figures.material import Floats, Material, Run, no_runs, ranking, runs_of_row
from bench.reports.report_model import Coverage, Figure
from bench.reports.tables.rows import Row
from bench.reports.tables.typed_table import Counts, Number, Value

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_CLASSES = 30  # of a panel of differences: the largest ones
_CONFUSED, _PAIRS = 14, 40  # classes of the confusion matrix, pairs of its table
Pairs = Floats  # [n,2]: percent right of a and of b for each seed or draw


def draw_classes(material: Material) -> Figure:
    """Draw differences of accuracy per class between two rows, one panel per data set."""
    if material.compare is None:
        raise UserError("It takes two measured rows; run 'dvc repro', then 'bench report'")
    a, b = material.compare
    found = {scope: _paired(a, b, scope) for scope in material.context.primary}
    found = {scope: classes for scope, classes in found.items() if classes}
    if not found:
        raise UserError(
            f"{a.name} and {b.name} have no seed or draw in common with results per class "
            "(protocols of several class splits have none); name two others with --compare"
        )
    most = min(_CLASSES, max(map(len, found.values())))
    sheet = Sheet("classes", 0.9 + 0.19 * most, len(found), len(found))
    for axes, (scope, classes) in zip(sheet.axes, found.items(), strict=True):
        largest = sorted(classes, key=lambda name: -abs(_mean(classes[name])))[:_CLASSES]
        _draw_differences(sheet, axes, {name: classes[name] for name in classes if name in largest})
        axes.set_title(scope.replace(".", " · "))
        axes.set_ylim(most - 0.4, -0.6)
    cut = any(len(classes) > _CLASSES for classes in found.values())
    over = "draws" if any(map(material.context.per_draw, found)) else "seeds"
    return sheet.figure(
        f"{a.label} − {b.label}, class by class",
        f"Percent of a class's videos that {a.label} gets right minus the same of {b.label}: mean "
        f"over the {over} that both rows have; strokes are the single {over}. Right of the line "
        f"{a.label} is better. A class has few videos and there are many classes: look at single "
        "differences, but draw no conclusion from them."
        + f" The {_CLASSES} largest differences of each panel are drawn, all are in the table."
        * cut,
        f"Difference of accuracy per class between {a.label} and {b.label}; "
        + "; ".join(_summary(scope, classes) for scope, classes in found.items()),
        ("class", "data set", a.name, b.name, "difference", "n", f"single {over}"),
        [_class_line(scope, *one) for scope, classes in found.items() for one in classes.items()],
    )


def _paired(a: Row, b: Row, scope: str) -> dict[str, Pairs]:
    """Return class -> pairs over the cells of both rows, from the largest difference down."""
    cells = [{(r.split, r.seed): r.per_class.get(scope, {}) for r in row.records} for row in (a, b)]
    found: dict[str, list[list[float]]] = defaultdict(list)
    for cell in sorted(cells[0].keys() & cells[1].keys()):
        both = [side[cell] for side in cells]
        for name in both[0].keys() & both[1].keys():
            if all(one[name][0] for one in both):
                found[name].append([100 * one[name][1] / one[name][0] for one in both])
    pairs = {name: np.array(values) for name, values in found.items()}
    return dict(sorted(pairs.items(), key=lambda one: (-_mean(one[1]), one[0])))


def _mean(pairs: Pairs) -> float:
    return float(np.mean(pairs[:, 0] - pairs[:, 1]))


def _draw_differences(sheet: Sheet, axes: "Axes", classes: Mapping[str, Pairs]) -> None:
    for at, (name, pairs) in enumerate(classes.items()):
        mean, single = _mean(pairs), pairs[:, 0] - pairs[:, 1]
        colour, marker = (PALETTE[0], "o") if mean > 0 else (PALETTE[1], "s")
        colour = colour if mean else GREY
        drawn = axes.plot((0, mean), (at, at), color=colour, lw=1.6)
        drawn += axes.plot(single, [at] * len(single), "|", color=GREY, ms=5, alpha=0.8)
        drawn += axes.plot(mean, at, marker, color=colour, ms=5)
        of_a, of_b = pairs.mean(0)
        said = f"{name}: {mean:+.1f} points ({of_a:.1f} − {of_b:.1f}, n = {len(pairs)})"
        sheet.hover(f"{said}\nsingle: {_single(single)}", *drawn)
    axes.axvline(0, color=GREY, lw=1, zorder=0)
    axes.set_yticks(range(len(classes)), [short(name, 24) for name in classes], fontsize=8)
    axes.set_xlabel("points")
    axes.grid(False, axis="y")


def _single(values: Floats) -> str:
    if len(values) > 8:
        return f"{values.min():.1f} to {values.max():.1f}"
    return ", ".join(f"{value:.1f}" for value in values)


def _summary(scope: str, classes: Mapping[str, Pairs]) -> str:
    means = list(map(_mean, classes.values()))
    better, worse = sum(mean > 0 for mean in means), sum(mean < 0 for mean in means)
    return f"{scope}: better in {better}, worse in {worse} of {len(means)} classes"


def _class_line(scope: str, name: str, pairs: Pairs) -> tuple[Value, ...]:
    single = pairs[:, 0] - pairs[:, 1]
    std = float(np.std(single, ddof=1)) if len(single) > 1 else None
    means = (Number(float(mean)) for mean in pairs.mean(0))
    difference = Number(_mean(pairs), std, signed=True)
    return name, scope.split(".")[0], *means, difference, Counts.of(len(pairs)), _single(single)


def draw_confusion(material: Material) -> Figure:
    """Draw the confusion matrix of one row's most confused classes of the first data set."""
    row, runs = runs_of_row(material.layout, material.row)
    dataset = next(iter(material.context.tests), "")
    names, counts, n = confusions(runs, dataset)
    if not n:
        raise UserError(no_runs(material.layout, row.name))
    totals = counts.sum(1)
    shares = 100 * counts / np.maximum(totals, 1)[:, None]
    shown = most_confused(shares, _CONFUSED)
    by_draw = any(run.record.split != TRANSFER for run in runs)
    each = "trainings, each with test classes of its own" if by_draw else f"seed{'s' * (n != 1)}"
    sheet = Sheet("confusion", 1.9 + 0.33 * len(shown))
    _draw_matrix(sheet, names, counts, shares, shown)
    pairs = _pairs(shares)
    return sheet.figure(
        f"{row.label}: the most confused classes",
        f"Percent of a class's videos (line) that are taken for each class (column), on {dataset} "
        f"with {len(names)} tested classes, summed over n = {n} {each}. Shown are the {len(shown)} "
        "classes with the largest confusions; the rest of each line went to other classes. The "
        "diagonal is the accuracy."
        + " Two classes can only be confused where one draw tests both."
        * by_draw,
        f"Confusion matrix of {len(shown)} of {len(names)} classes of {dataset}; largest: "
        + "; ".join(f"{names[i]} as {names[j]} {shares[i, j]:.0f} %" for i, j in pairs[:3]),
        ("class", "taken for", "percent", "videos", "of"),
        [
            (names[i], names[j], Number(shares[i, j]), *map(Counts.of, map(int, numbers)))
            for i, j in pairs[:_PAIRS]
            if (numbers := (counts[i, j], totals[i]))[1]
        ],
    )


def confusions(runs: Sequence[Run], dataset: str) -> tuple[list[str], Floats, int]:
    """Return classes, counts [true, predicted] summed over trainings, and the trainings counted."""
    names = sorted({name for run in runs for name in run.names.get(dataset, ())})
    place = {name: at for at, name in enumerate(names)}
    counts = np.zeros((len(names), len(names)))
    n = 0
    for run in runs:
        if dataset not in run.names:
            continue
        arrays = run.arrays(dataset)
        here = np.array([place[name] for name in run.names[dataset]])
        if len(arrays.get("label", ())) and len(here) == len(arrays["class"]):
            first = ranking(arrays).argmax(1)
            np.add.at(counts, (here[arrays["label"]], here[first]), 1)
            n += 1
    return names, counts, n


def _pairs(shares: Floats) -> list[tuple[int, int]]:
    """Return (true, predicted) of every confusion, the largest first."""
    wrong = shares.copy()
    np.fill_diagonal(wrong, 0)
    order = np.argsort(-wrong, axis=None, kind="stable")
    found = [divmod(int(at), len(wrong)) for at in order]
    return [(i, j) for i, j in found if wrong[i, j] > 0]


def most_confused(shares: Floats, most: int) -> list[int]:
    """Return up to ``most`` classes of percents [K,K], taken from the largest confusions down.

    Classes that are confused with each other are side by side.
    """
    shown: list[int] = []
    for pair in _pairs(shares):
        new = [at for at in pair if at not in shown]
        if len(shown) + len(new) <= most:
            known = [at for at in pair if at in shown]
            place = shown.index(known[0]) + 1 if known else len(shown)
            shown[place:place] = new
    return shown or list(range(min(most, len(shares))))


def _draw_matrix(
    sheet: Sheet, names: Sequence[str], counts: Floats, shares: Floats, shown: Sequence[int]
) -> None:
    from matplotlib.patches import Rectangle

    (axes,) = sheet.axes
    for y, i in enumerate(shown):
        for x, j in enumerate(shown):
            share, colour = float(shares[i, j]), PALETTE[0] if i == j else PALETTE[1]
            # The number must stay readable on it, on a white page and on a dark one.
            cell = Rectangle((x - 0.5, y - 0.5), 1, 1, fc=colour, alpha=0.006 * share, lw=0)
            axes.add_patch(cell)
            of = f"{counts[i, j]:.0f} of {counts[i].sum():.0f}"
            sheet.hover(f"{names[i]} taken for {names[j]}: {share:.1f} % ({of})", cell)
            if share >= 0.5:
                axes.text(x, y, f"{share:.0f}", ha="center", va="center", fontsize=8, color=INK)
    places, labels = range(len(shown)), [short(names[at], 22) for at in shown]
    axes.set_xticks(places, labels, rotation=40, ha="right", fontsize=8)
    axes.set_yticks(places, labels, fontsize=8)
    axes.set_xlim(-0.5, len(shown) - 0.5)
    axes.set_ylim(len(shown) - 0.5, -0.5)
    axes.set_ylabel("class")
    axes.set_xlabel("taken for")
    axes.grid(False)


def coverage_of(rows: Sequence[Row]) -> tuple[Coverage, ...]:
    """Return the videos of the least complete record and the failures of all, by data set.

    The videos of the training split are the data set "training"; records only count them.
    """
    expected: dict[str, tuple[int, int]] = {}
    failed: dict[str, dict[str, str]] = defaultdict(dict)
    for record in (record for row in rows for record in row.records):
        seen = {name: (one.expected, one.scored) for name, one in record.coverage.items()}
        used = record.training_videos
        if used.get("expected"):
            names = ", ".join(sorted(record.data.keys() - record.coverage.keys()))
            name = f"training ({names})" if names else "training"
            seen[name] = (used["expected"], used.get("used", 0))
        for name, pair in seen.items():
            before = expected.setdefault(name, pair)
            expected[name] = max(before, pair, key=lambda one: (one[0] - one[1], one[0]))
        for name, one in record.coverage.items():
            failed[name].update(one.failed)
    return tuple(
        Coverage(name, *pair, tuple(sorted(failed[name].items())))
        for name, pair in sorted(expected.items())
    )


def draw_coverage(material: Material) -> Figure:
    """Draw one bar per data set: used and lost videos."""
    found = coverage_of(material.rows)
    if not found:
        raise UserError("No record says yet what it was scored on; run 'dvc repro'")
    sheet = Sheet("coverage", 0.9 + 0.3 * len(found))
    (axes,) = sheet.axes
    table: list[tuple[Value, ...]] = []
    for at, one in enumerate(found):
        share = 100 * one.used / one.expected if one.expected else 0.0
        lost = one.expected - one.used
        bars = axes.barh(at, share, color=PALETTE[0], height=0.55, alpha=0.85).patches
        rest = axes.barh(at, 100 - share, left=share, color=PALETTE[1], height=0.55, hatch="////")
        said = f"{one.dataset}: {one.used} of {one.expected} videos used ({share:.1f} %)"
        sheet.hover(f"{said}, {lost} lost", *bars, *rest)
        axes.text(102, at, f"{one.used} / {one.expected}", va="center")
        reasons = Counter(reason for _, reason in one.failed).most_common(5)
        why = "; ".join(f"{reason} ({count})" for reason, count in reasons)
        counts = map(Counts.of, (one.expected, one.used, lost))
        table.append((one.dataset, *counts, why or ("not in the records" if lost else None)))
    axes.set_yticks(range(len(found)), [short(one.dataset) for one in found])
    axes.set_ylim(len(found) - 0.5, -0.5)
    axes.set_xlim(0, 118)
    axes.set_xticks(range(0, 101, 20))
    axes.set_xlabel("percent of the videos that should have been used")
    axes.grid(False, axis="y")
    axes.axvline(100, color=GREY, lw=0.6)
    lost_ones = sum(one.expected - one.used for one in found)
    return sheet.figure(
        "Data coverage",
        "Videos used of those that should have been, of the least complete record of each data set "
        "(blue: used; hatched: lost). A video that cannot be read is never replaced by another: it "
        "is missing from the numbers, and listed here.",
        f"Videos used of those expected for {len(found)} data sets; {lost_ones} were lost.",
        ("data set", "expected", "used", "lost", "reasons"),
        table,
    )
