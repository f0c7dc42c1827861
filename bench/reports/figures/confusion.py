"""Confusion matrix of one row, of its most confused test classes."""

import numpy as np

from bench.experiments.plan import TRANSFER
from bench.reports.figures.drawing import INK, NOT_MEASURED, PALETTE, Sheet, not_drawn, short
from bench.reports.figures.material import Material
from bench.reports.figures.training_runs import Floats, confusions, no_runs_message, runs_of
from bench.reports.report_model import Figure
from bench.reports.tables.typed_table import Counts, Number

KEY = "confusion"
TITLE = "The most confused classes"
MOST = 14  # classes shown
LISTED = 40  # pairs of the table


def draw(material: Material) -> Figure:
    """Return the confusion matrix of the most confused classes of the first data set.

    UserError for a row that was asked for and is not measured, or for damaged files in runs/.
    """
    title = TITLE
    row = material.row
    if row is None:
        return not_drawn(KEY, title, NOT_MEASURED)
    runs = runs_of(material.layout, row.records)
    dataset = next(iter(material.context.tests), "")
    names, counts, n = confusions(runs, dataset)
    title = f"{row.label}: the most confused classes"
    if not n:
        return not_drawn(KEY, title, no_runs_message(material.layout, row.name))
    shares = 100 * counts / np.maximum(counts.sum(1, keepdims=True), 1)
    shown = most_confused(shares, MOST)
    by_draw = any(run.record.split != TRANSFER for run in runs)
    over = (
        "trainings, each with its own test classes to choose from"
        if by_draw
        else f"seed{'s' * (n != 1)}"
    )
    sheet = Sheet(KEY, 7.2, 1.9 + 0.33 * len(shown))
    _matrix(sheet, [names[at] for at in shown], shares[np.ix_(shown, shown)], counts, shown)
    pairs = _pairs(shares)
    return sheet.figure(
        title,
        f"Percent of a class's videos (line) that are taken for each class (column), on {dataset} "
        f"with {len(names)} tested classes, summed over n = {n} {over}. Shown are "
        f"the {len(shown)} classes in the largest confusions; the rest of each line went to "
        "other classes. The diagonal is what is right."
        + " Two classes can only be confused where one draw tests both."
        * by_draw,
        f"Confusion matrix of {len(shown)} of {len(names)} classes of {dataset}; largest: "
        + "; ".join(f"{names[i]} as {names[j]} {shares[i, j]:.0f} %" for i, j in pairs[:3]),
        ("class", "taken for", "percent", "videos", "of"),
        [
            (
                names[i],
                names[j],
                Number(shares[i, j]),
                *map(Counts.of, (int(counts[i, j]), int(total))),
            )
            for i, j in pairs[:LISTED]
            if (total := counts[i].sum())
        ],
    )


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


def _matrix(
    sheet: Sheet, names: list[str], shares: Floats, counts: Floats, shown: list[int]
) -> None:
    from matplotlib.patches import Rectangle

    (axes,) = sheet.axes
    for i, line in enumerate(shares):
        for j, share in enumerate(line):
            colour = PALETTE[0] if i == j else PALETTE[1]
            # Ink must stay readable on it, on a white page and on a dark one.
            cell = Rectangle(
                (j - 0.5, i - 0.5), 1, 1, fc=colour, alpha=0.6 * float(share) / 100, lw=0
            )
            axes.add_patch(cell)
            count, total = counts[shown[i], shown[j]], counts[shown[i]].sum()
            sheet.hover(
                f"{names[i]} taken for {names[j]}: {share:.1f} % ({count:.0f} of {total:.0f})", cell
            )
            if share >= 0.5:
                axes.text(j, i, f"{share:.0f}", ha="center", va="center", fontsize=8, color=INK)
    places = range(len(names))
    axes.set_xticks(
        places, [short(name, 22) for name in names], rotation=40, ha="right", fontsize=8
    )
    axes.set_yticks(places, [short(name, 22) for name in names], fontsize=8)
    axes.set_xlim(-0.5, len(names) - 0.5)
    axes.set_ylim(len(names) - 0.5, -0.5)
    axes.set_ylabel("class")
    axes.set_xlabel("taken for")
    axes.grid(False)
