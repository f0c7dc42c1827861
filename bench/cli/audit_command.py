"""``bench audit``: test classes that a method's training and pre-training have seen."""

from collections.abc import Collection, Iterator, Mapping
from typing import Annotated, Any

import typer

from bench.cli import completion
from bench.cli.options import AsJson, Profile, TextFormat, opened
from bench.cli.output import is_json, print_json
from bench.utils.terminal import print_hanging

_CLASS_VECTORS = (
    "Class vectors and texts are made from the class names, including the test classes: zero-shot "
    "methods are given those."
)


def audit(
    method: Annotated[
        str | None,
        typer.Argument(help="Method or row (default: all).", autocompletion=completion.rows),
    ] = None,
    fmt: TextFormat = "text",
    as_json: AsJson = False,
    profile: Profile = None,
) -> None:
    """List the test classes seen in training and pre-training.

    Example: bench audit er
    """
    from bench.evaluation.audit_flags import audit_rows, stored_audit
    from bench.evaluation.leakage import measure

    as_json = is_json(fmt, as_json)
    config, layout = opened(profile)
    stored = stored_audit(config, layout)
    found = stored or measure(config, layout)
    rows = audit_rows(config, layout, found, method)
    made = "from the audit stage" if stored else "computed now from the files here"
    if as_json:
        print_json({**found, "made": made, "rows": rows})
        return
    width = max((len(one["row"]) for one in rows), default=0)
    for line in _text(found, made, {key for one in rows for key in one["sources"]}):
        print_hanging(line, len(line) - len(line.lstrip()) + 4)
    for one in rows:
        text = "; ".join(_of_row(one, found["sources"]))
        print_hanging(f"{one['row']:<{width}}  {text}", min(width + 2, 24))


def _text(found: Mapping[str, Any], made: str, wanted: Collection[str]) -> Iterator[str]:
    counts = ", ".join(f"{number} of {name}" for name, number in found["tested"].items())
    rule = f"τ = {found['tau']:g}{'' if found['excluded'] else ' (no filter in this profile)'}"
    yield f"profile {found['profile']}: test classes: {counts}; {rule}; {made}"
    for key, source in found["sources"].items():
        if key in wanted:
            yield from _of_source(key, source)
    yield _CLASS_VECTORS


def _of_row(row: Mapping[str, Any], sources: Mapping[str, Any]) -> Iterator[str]:
    """Yield the parts of a row's line: one per source, its checkpoints, a missing input."""
    for key in row["sources"]:
        counts = [
            f"{len(one['seen'])} of {one['tested']} ({dataset})"
            for dataset, one in sources[key]["tests"].items()
            if one["seen"]
        ]
        counts += [
            f"{one['shared']} videos ({dataset})"
            for dataset, one in sources[key].get("videos", {}).items()
            if one["shared"]
        ]
        by_name = all(one["nearest"] is None for one in sources[key]["tests"].values())
        clean = "none by name" if by_name and sources[key]["classes"] else "none"
        clean = "cannot be excluded" if sources[key]["unknown"] else clean
        yield f"{key}: {', '.join(counts) or clean}"
    for name in row["not_described"]:
        yield f"{name}: unknown, the profile does not describe its training data"
    if not row["sources"] and not row["not_described"]:
        yield "uses no source that the profile describes"
    if row["checkpoints"]:
        yield f"checkpoint: {', '.join(row['checkpoints'])}"
    if "checkpoint trained elsewhere" in " ".join(row["flags"]):
        yield "trained elsewhere: seen classes unknown"
    if row["also_best_on_test"]:
        yield "also has a number of a checkpoint chosen on test data, kept separate"
    if row["missing"]:
        yield f"missing: {row['missing']}"


def _of_source(key: str, source: Mapping[str, Any]) -> Iterator[str]:
    number = "" if source["classes"] is None else f", {source['classes']} classes"
    if "left_out" in source:
        number += f" after leaving out {source['left_out']}"
    if source.get("with_vectors") and source["with_vectors"] < source["classes"]:
        number += f", {source['with_vectors']} with word vectors"
    yield f"{key}: {source['what']}{number}"
    if source["unknown"]:
        yield f"  cannot be excluded: {source['unknown']}"
    if not source.get("built", True):
        yield "  the splits are not built yet: only classes with the same words count as left out"
    for dataset, compared in source["tests"].items():
        yield f"  {dataset}: {len(compared['seen'])} of {compared['tested']} seen{_near(compared)}"
        for one in compared["seen"]:
            far = "" if one["distance"] is None else f", distance {one['distance']:.3f}"
            by = "near" if one["by"] == "distance" else f"the same {one['by']}"
            drawn = f", in {one['draws']} of {source['splits']} splits" if "draws" in one else ""
            yield f"    {one['name']}: {by}, {one['source']}{far}{drawn}"
    videos = source.get("videos")
    if videos is None:  # no videos of another data set
        return
    for dataset, shared in videos.items():
        if shared["by"]:
            names = f" ({', '.join(shared['names'])})" if shared["names"] else ""
            counted = f"{shared['shared']} of {shared['compared']} shared by {shared['by']}"
            yield f"  videos of {dataset}: {counted}{names}"
    if not any(shared["by"] for shared in videos.values()):
        yield "  video ids: the profile has no lists of them"


def _near(compared: Mapping[str, Any]) -> str:
    nearest = compared["nearest"]
    if nearest is None:
        return "; by name only, no vectors here"
    pair = f"{nearest['name']} – {nearest['source']}, {nearest['distance']:.3f}"
    without = compared["tested"] - compared["measured"]
    more = f"; {without} without a vector to compare" if without > 0 else ""
    return f"; nearest {pair}{more}"
