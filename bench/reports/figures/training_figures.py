"""Figures of trainings in runs/: loss curves, and a map of one model's embeddings."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, get_args

import numpy as np
from numpy.typing import NDArray

from bench.errors import UserError
from bench.models.similarity import unit
from bench.reports.figures.drawing import GREY, INK, PALETTE, Sheet, short
from bench.reports.figures.material import (
    NOT_MEASURED,
    Floats,
    Material,
    no_runs,
    ranking,
    runs_of,
    runs_of_row,
)
from bench.reports.report_model import Figure
from bench.reports.tables.rows import Row
from bench.reports.tables.typed_table import Counts, Number, Value

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_FLOOR = "_floor"
_DASHES = ("-", "--", "-.", ":", (0, (3, 1, 1, 1, 1, 1)))
_MOST = 800  # videos of the map
_NAMED = 20  # with more classes, their names are in the hover texts only


def draw_curves(material: Material) -> Figure:
    """Draw the parts of the loss: a panel per leading row, and the row of single-row figures."""
    wanted = {row.name: row for row in material.leading}
    if material.row is not None:
        wanted.setdefault(material.row.name, material.row)
    if not wanted:
        raise UserError(NOT_MEASURED)
    found = {row.name: logs for row in wanted.values() if (logs := _logs(material, row))}
    if not found:
        raise UserError(no_runs(material.layout, next(iter(wanted))))
    sheet = Sheet("curves", 0.9, len(found), 3, 2.2, width=7.2 if len(found) > 1 else 4.6)
    names = list(dict.fromkeys(p for parts in found.values() for p in parts if p != "step"))
    table: list[tuple[Value, ...]] = []
    for axes, (name, parts) in zip(sheet.axes, found.items(), strict=True):
        _draw_losses(sheet, axes, parts, names)
        axes.set_title(short(wanted[name].label, 26))
        axes.set_xlabel("step")
        table += [
            _loss_line(wanted[name], part, parts[part]) for part in list(parts) if part != "step"
        ]
    sheet.axes[0].set_ylabel("loss")
    sheet.legend(columns=5)
    floors = [part for part in names if part.endswith(_FLOOR)]
    of = " and ".join(part.removesuffix(_FLOOR) for part in floors)
    return sheet.figure(
        "Training curves",
        "Each named part of the loss as it was logged, mean over the trainings in runs/ with their "
        "range as a band. Parts of different rows have different scales: compare the shape."
        + f" {' and '.join(floors)}: the value of {of} if both sides were perfectly aligned."
        * bool(floors),
        f"Parts of the loss against steps for {', '.join(wanted[name].label for name in found)}.",
        ("row", "part", "first logged", "last logged", "range of the last", "n"),
        table,
    )


def _logs(material: Material, row: Row) -> Mapping[str, Floats]:
    """Return part -> values [n, steps] of the logs that have the same steps; "step" too."""
    logs = [log for run in runs_of(material.layout, row.records) if (log := run.log())]
    if not logs or "step" not in logs[0]:
        return {}
    logs = [log for log in logs if log.keys() == logs[0].keys() and log["step"] == logs[0]["step"]]
    parts = [p for p in logs[0] if p not in ("step", "lr", "loss") and not p.startswith("cos_")]
    return {name: np.array([log[name] for log in logs]) for name in ("step", *(parts or ["loss"]))}


def _draw_losses(sheet: Sheet, axes: "Axes", parts: Mapping[str, Floats], names: list[str]) -> None:
    plain = [name for name in names if not name.endswith(_FLOOR)]
    for name, values in parts.items():
        if name == "step":
            continue
        floor, own = name.endswith(_FLOOR), name.removesuffix(_FLOOR)
        at = plain.index(own) if own in plain else 0
        colour = INK if floor else PALETTE[at] if at < len(PALETTE) else GREY
        dash = (0, (1, 1.5)) if floor else _DASHES[at % len(_DASHES)]
        steps, mean = parts["step"][0], values.mean(0)
        line = axes.plot(steps, mean, color=colour, ls=dash, lw=1.3, label=name)
        axes.fill_between(steps, values.min(0), values.max(0), color=colour, alpha=0.2, lw=0)
        sheet.hover(f"{name}: {mean[0]:.2f} → {mean[-1]:.2f} (n = {len(values)})", *line)
    axes.set_ylim(bottom=0 if min(values.min() for values in parts.values()) >= 0 else None)


def _loss_line(row: Row, part: str, values: Floats) -> tuple[Value, ...]:
    mean, last = values.mean(0), values[:, -1]
    logged = (Number(float(one), digits=3) for one in (mean[0], mean[-1]))
    return row.label, part, *logged, f"{last.min():.3f} to {last.max():.3f}", Counts.of(len(values))


def draw_map(material: Material) -> Figure:
    """Draw the videos and classes of one training in the plane of most variance.

    Beside it the seen classes, and the synthetic ones of a method that generates them.
    """
    row, (run, *_) = runs_of_row(material.layout, material.row)
    dataset = next(iter(material.context.tests), "")
    arrays = run.arrays(dataset)
    if arrays.get("video", np.empty((0, 0))).shape[1:] != arrays["class"].shape[1:]:
        raise UserError(
            f"'{row.name}' scores pairs with a network of its own: its videos and classes do not "
            "share a space. Name another row with --row"
        )
    names, labels = run.names[dataset], arrays["label"]
    hits = ranking(arrays).argmax(1) == labels
    video, classes = unit(arrays["video"]), unit(arrays["class"])
    seen, centres = run.arrays("seen").get("class"), run.centres()
    beside = {} if seen is None else {"s, of class vectors": unit(seen)}
    law = run.record.parameters.get("method", {}).get("generator")
    if seen is not None and centres is not None and centres.shape == seen.shape:
        beside["W, visual centres"] = unit(centres)
        beside |= _synthetic(seen, centres, law, run.record.seed)
    synthetic = len(beside) > 2
    mean, axes_of, shares = plane(np.concatenate([video, classes, *list(beside.values())[:2]]))
    video, classes, *others = (
        (points - mean) @ axes_of.T for points in (video, classes, *beside.values())
    )
    panels = 1 + bool(beside)
    sheet = Sheet("map", 4.6 if beside else 5.2, panels, panels, share=(True, True))
    drawn = _draw_videos(sheet, video, labels, hits, names)
    if beside:
        _draw_seen(sheet, dict(zip(beside, others, strict=True)), classes)
    for point, name in zip(classes.tolist(), names, strict=True):
        (dot,) = sheet.axes[0].plot(*point, "D", color=INK, ms=4.5, label="test class")
        sheet.hover(f"test class {name}", dot)
        if len(names) <= _NAMED:
            sheet.axes[0].annotate(
                short(name, 20), point, (4, 4), textcoords="offset points", fontsize=6.5
            )
    sheet.axes[0].set_title(f"test videos and classes of {dataset}")
    sheet.axes[0].set_ylabel(f"second axis ({100 * shares[1]:.0f} % of variance)")
    for axes in sheet.axes:
        axes.set_xlabel(f"first axis ({100 * shares[0]:.0f} % of variance)")
    sheet.legend(columns=4)
    ranked = (
        "this row ranks classes by a score of its own"
        if "score" in arrays
        else "the nearest class is found in all dimensions"
    )
    few = f" ({drawn} of {len(hits)} drawn)" if drawn < len(hits) else ""
    about = ""
    if beside:
        about = (
            "\n\nBeside it, in the same plane, the embedded class vectors of the seen classes (s) "
            "and, of a method that has them and keeps its model, their learned visual centres (W)."
        )
    if synthetic:
        about += (
            " Rings are one draw of the class generator: the synthetic classes Z = A·s and Θ = A·W "
            f"of unit-length s and W, A by the law '{law}'. Where rings lie in one spot, mixing "
            "has made all synthetic classes alike."
        )
    return sheet.figure(
        f"{row.label}: a map of its embeddings",
        f"Principal components of the unit-length embeddings of one training ({run.record.cell}): "
        f"{len(hits)} test videos{few}, of which {hits.sum()} are right, and {len(names)} test "
        f"classes. Two axes hold {100 * float(shares.sum()):.0f} % of the variance, so points that "
        f"are near in the plane may be far apart: {ranked}.{about}",
        f"Map of {len(hits)} videos and {len(names)} classes of {dataset}, {hits.sum()} videos "
        "right"
        + (
            ", beside it the seen classes" + synthetic * " and the synthetic ones" if beside else ""
        ),
        ("class", "first axis", "second axis", "videos", "right"),
        [
            (
                name,
                *(Number(float(one), digits=2) for one in at),
                *(Counts.of(int(sum(one[labels == c]))) for one in (np.ones_like(hits), hits)),
            )
            for c, (name, at) in enumerate(zip(names, classes, strict=True))
        ],
    )


def plane(known: Floats) -> tuple[Floats, Floats, Floats]:
    """Return mean [D], the two axes [2,D] of most variance of points [N,D], and their shares [2].

    The largest component of an axis is positive, so that a map is always the same.
    """
    mean = known.mean(0)
    _, scales, axes = np.linalg.svd(known - mean, full_matrices=False)
    two = axes[:2]
    signs = np.sign(two[np.arange(len(two)), np.abs(two).argmax(1)])
    return mean, two * signs[:, None], scales[:2] ** 2 / max(float(np.square(scales).sum()), 1e-12)


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


def _draw_videos(
    sheet: Sheet, at: Floats, labels: NDArray[Any], hits: NDArray[Any], names: Sequence[str]
) -> int:
    """Draw the videos, class by class for their hover texts; return how many."""
    kept = np.sort(np.random.default_rng(0).permutation(len(at))[:_MOST])
    looks = ((True, "o", PALETTE[0], "right"), (False, "x", PALETTE[1], "wrong"))
    for right, marker, colour, said in looks:
        for c, name in enumerate(names):
            mine = kept[(labels[kept] == c) & (hits[kept] == right)]
            if len(mine):
                x, y = at[mine].T
                dots = sheet.axes[0].scatter(
                    x, y, s=9, marker=marker, color=colour, alpha=0.55, lw=0.8,
                    label=f"video, {said}",
                )  # fmt: skip
                sheet.hover(f"videos of {name}, {said}", dots)
    return len(kept)


def _draw_seen(sheet: Sheet, points: Mapping[str, Floats], classes: Floats) -> None:
    """Draw the seen classes and, as circles, the synthetic ones."""
    axes = sheet.axes[1]
    axes.plot(*classes.T, "D", color=INK, ms=3, alpha=0.35)
    looks = ((PALETTE[2], "s"), (PALETTE[3], "^"), (PALETTE[2], "o"), (PALETTE[3], "o"))
    for (name, at), (colour, marker) in zip(points.items(), looks, strict=False):
        ring = marker == "o"
        (dots,) = axes.plot(
            *at.T, marker, color=colour, markerfacecolor="none" if ring else colour,
            ms=6 if ring else 4, alpha=0.8, label=name,
        )  # fmt: skip
        sheet.hover(f"{name}: {len(at)} classes", dots)
    axes.set_title("seen classes" + " and synthetic ones" * (len(points) > 2))
