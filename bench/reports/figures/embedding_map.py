"""Map of one model's embeddings: videos and classes in the plane of most variance."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, get_args

import numpy as np
from numpy.typing import NDArray

from bench.models.similarity import unit
from bench.reports.figures.drawing import INK, NOT_MEASURED, PALETTE, Sheet, not_drawn, place, short
from bench.reports.figures.material import Material
from bench.reports.figures.training_runs import Floats, Run, no_runs_message, ranking, runs_of
from bench.reports.report_model import Figure
from bench.reports.tables.rows import Row
from bench.reports.tables.typed_table import Counts, Number, Value

if TYPE_CHECKING:
    from matplotlib.axes import Axes

KEY = "map"
TITLE = "A map of the embeddings"
MOST = 800  # videos drawn


def draw(material: Material) -> Figure:
    """Return the map of a row's first training in runs/, with its seen and synthetic classes.

    UserError for a row that was asked for and is not measured, or for damaged files in runs/.
    """
    title, row = TITLE, material.row
    if row is None:
        return not_drawn(KEY, title, NOT_MEASURED)
    title = f"{row.label}: a map of its embeddings"
    dataset = next(iter(material.context.tests), "")
    for run in runs_of(material.layout, row.records)[:1]:
        arrays = run.arrays(dataset)
        if arrays.get("video", np.empty((0, 0))).shape[1:] != arrays["class"].shape[1:]:
            why = (
                f"'{row.name}' scores pairs with a network of its own: its videos and classes do "
                "not share a space. Name another row with --row."
            )
            return not_drawn(KEY, title, why)
        return _drawn(title, row, run, dataset, arrays)
    return not_drawn(KEY, title, no_runs_message(material.layout, row.name))


def plane(known: Floats) -> tuple[Floats, Floats, Floats]:
    """Return mean [D], the two axes [2,D] of most variance of points [N,D], and their shares [2].

    The largest component of an axis is positive, so that a map is always the same.
    """
    mean = known.mean(0)
    _, scales, axes = np.linalg.svd(known - mean, full_matrices=False)
    two = axes[:2]
    signs = np.sign(two[np.arange(len(two)), np.abs(two).argmax(1)])
    return mean, two * signs[:, None], scales[:2] ** 2 / max(float(np.square(scales).sum()), 1e-12)


def _drawn(
    title: str, row: Row, run: Run, dataset: str, arrays: Mapping[str, NDArray[Any]]
) -> Figure:
    video, classes = unit(arrays["video"]), unit(arrays["class"])
    seen, centres = run.arrays("seen").get("class"), run.centres()
    pairs = {} if seen is None else {"s, of class vectors": unit(seen)}
    if seen is not None and centres is not None and centres.shape == seen.shape:
        pairs["W, visual centres"] = unit(centres)
        law = run.record.parameters.get("method", {}).get("generator")
        pairs |= _synthetic(seen, centres, law, run.record.seed)
    mean, axes_of, shares = plane(np.concatenate([video, classes, *list(pairs.values())[:2]]))

    def flat(points: Floats) -> Floats:
        found: Floats = (points - mean) @ axes_of.T
        return found

    sheet = Sheet(KEY, 7.2, 4.6 if pairs else 5.2, (1, 1 + bool(pairs)), (True, True))
    names = run.names[dataset]
    drawn = _videos(sheet, flat(video), arrays, names)
    at = flat(classes)
    if pairs:
        _seen(sheet, {name: flat(points) for name, points in pairs.items()}, at)
    _classes(sheet, sheet.axes[0], at, names)
    sheet.axes[0].set_title(f"test videos and classes of {dataset}")
    sheet.axes[0].set_ylabel(f"second axis ({100 * shares[1]:.0f} % of variance)")
    for axes in sheet.axes:
        axes.set_xlabel(f"first axis ({100 * shares[0]:.0f} % of variance)")
    sheet.legend(columns=4)
    labels = [(x, y, short(name, 20)) for (x, y), name in zip(at.tolist(), names, strict=True)]
    place(sheet, sheet.axes[0], labels, size=6.5)
    right, total = _right(arrays)
    few = f" ({drawn} of {total} drawn)" if drawn < total else ""
    synthetic = len(pairs) > 2
    return sheet.figure(
        title,
        f"Principal components of the unit-length embeddings of one training ({run.record.cell}): "
        f"{total} test videos{few}, of which {right} are right, and {len(names)} test classes. Two "
        f"axes hold {100 * float(shares.sum()):.0f} % of the variance, so near in the plane need "
        f"not be near: {_ranked(arrays)}." + ("\n\n" + _about(run, synthetic) if pairs else ""),
        f"Map of {total} videos and {len(names)} classes of {dataset}, {right} videos right"
        + (", beside it the seen classes" + synthetic * " and the synthetic ones" if pairs else ""),
        ("class", "first axis", "second axis", "videos", "right"),
        _rows(at, arrays, names),
    )


def _ranked(arrays: Mapping[str, NDArray[Any]]) -> str:
    if "score" in arrays:
        return "this row ranks classes by a score of its own"
    return "the nearest class is found in all dimensions"


def _about(run: Run, synthetic: bool) -> str:
    text = "Beside it, in the same plane, the seen classes: what their class vectors become (s)"
    if not synthetic:
        return (
            f"{text}, and W, learned visual centres, of a method that has them and keeps its model."
        )
    law = run.record.parameters["method"]["generator"]
    return (
        f"{text}, their learned visual centres (W), and one draw of the class generator: rings, "
        f"the synthetic classes Z = A·s and Θ = A·W of unit-length s and W, A by the law '{law}'. "
        "Where rings lie in one spot, mixing has made all synthetic classes alike."
    )


def _synthetic(seen: Floats, centres: Floats, law: object, seed: int) -> dict[str, Floats]:
    """Return one draw of Z and Θ [K,D] from the class generator of ``bench.losses``."""
    import torch

    from bench.losses import Law, mixing, synthesise

    if law not in get_args(Law):
        return {}
    s, w = (torch.from_numpy(np.asarray(one, np.float64)) for one in (seen, centres))
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        mix = mixing(law, len(s), s)  # type: ignore[arg-type]  # one of its names
    made = {"Z, synthetic": synthesise(mix, s), "Θ, synthetic": synthesise(mix, w)}
    return {name: unit(points.numpy()) for name, points in made.items()}


def _right(arrays: Mapping[str, NDArray[Any]]) -> tuple[int, int]:
    hits = ranking(dict(arrays)).argmax(1) == arrays["label"]
    return int(hits.sum()), len(hits)


def _videos(
    sheet: Sheet, at: Floats, arrays: Mapping[str, NDArray[Any]], names: Sequence[str]
) -> int:
    """Draw the videos, class by class for their hover texts; return how many."""
    hits = ranking(dict(arrays)).argmax(1) == arrays["label"]
    kept = np.sort(np.random.default_rng(0).permutation(len(at))[:MOST])
    for right, marker, colour, label in (
        (True, "o", PALETTE[0], "video, right"),
        (False, "x", PALETTE[1], "video, wrong"),
    ):
        for c, name in enumerate(names):
            mine = kept[(arrays["label"][kept] == c) & (hits[kept] == right)]
            if len(mine):
                x, y = at[mine].T
                dots = sheet.axes[0].scatter(
                    x, y, s=9, marker=marker, color=colour, alpha=0.55, lw=0.8, label=label
                )
                sheet.hover(f"videos of {name}, {label.removeprefix('video, ')}", dots)
    return len(kept)


def _classes(sheet: Sheet, axes: "Axes", at: Floats, names: Sequence[str]) -> None:
    for point, name in zip(at, names, strict=True):
        (dot,) = axes.plot(*point, "D", color=INK, ms=4.5, label="test class")
        sheet.hover(f"test class {name}", dot)


def _seen(sheet: Sheet, points: Mapping[str, Floats], classes: Floats) -> None:
    """Draw the seen classes and, as circles, the synthetic ones."""
    axes = sheet.axes[1]
    axes.plot(*classes.T, "D", color=INK, ms=3, alpha=0.35)
    styles = [(PALETTE[2], "s", True), (PALETTE[3], "^", True)]
    styles += [(PALETTE[2], "o", False), (PALETTE[3], "o", False)]
    for (name, at), (colour, marker, full) in zip(points.items(), styles, strict=False):
        fill = colour if full else "none"
        size = 6 if name.endswith("synthetic") else 4
        (dots,) = axes.plot(
            *at.T, marker, color=colour, markerfacecolor=fill, ms=size, alpha=0.8, label=name
        )
        sheet.hover(f"{name}: {len(at)} classes", dots)
    axes.set_title("seen classes" + " and synthetic ones" * (len(points) > 2))


def _rows(
    at: Floats, arrays: Mapping[str, NDArray[Any]], names: Sequence[str]
) -> list[tuple[Value, ...]]:
    hits = ranking(dict(arrays)).argmax(1) == arrays["label"]
    rows: list[tuple[Value, ...]] = []
    for c, (name, (x, y)) in enumerate(zip(names, at.tolist(), strict=True)):
        own = arrays["label"] == c
        counts = Counts.of(int(own.sum())), Counts.of(int(hits[own].sum()))
        rows.append((name, Number(x, digits=2), Number(y, digits=2), *counts))
    return rows
