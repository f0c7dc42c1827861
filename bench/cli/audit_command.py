"""``bench audit``: test classes that a method's training and pre-training have seen."""

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping
from typing import Annotated, Any

import typer

from bench.cli import completion
from bench.cli.options import AsJson, Profile, TextFormat, opened
from bench.cli.output import is_json, print_json
from bench.errors import unknown
from bench.utils.terminal import print_hanging

_MADE = ("features", "objects", "boxes", "clip")  # inputs that were trained on something
WORDS = (
    "Class vectors: made of the words of the class names, the test classes' own among them, "
    "which is what zero-shot methods are given; texts likewise."
)


def audit(
    method: Annotated[
        str | None,
        typer.Argument(help="One method or row; default: all.", autocompletion=completion.rows),
    ] = None,
    fmt: TextFormat = "text",
    as_json: AsJson = False,
    profile: Profile = None,
) -> None:
    """List the test classes that training and pre-training have seen.

    Example: bench audit er
    """
    from bench.evaluation.leakage.audit_flags import flags, stored_audit, touched
    from bench.evaluation.leakage.measure import measure
    from bench.experiments.method_registry import scan
    from bench.experiments.plan import PlannedCell, plan
    from bench.experiments.record import Record, read_records

    as_json = is_json(fmt, as_json)
    config, layout = opened(profile)
    stored = stored_audit(config, layout)
    found = stored or measure(config, layout)
    files, records = scan(layout.root), read_records(layout.records)
    by_row: dict[str, list[PlannedCell | Record]] = defaultdict(list)
    splits = (layout.splits / f"{n}.{p}.json" for n, p in config.profile.per_split())
    planned = plan(config, layout, readings=True) if all(p.is_file() for p in splits) else []
    for cell in planned:
        by_row[cell.row].append(cell)
    known = set(by_row)
    for record in records:
        if record.row not in known:
            by_row[record.row].append(record)
    if method is not None and all(
        method not in (row, one[0].method) for row, one in by_row.items()
    ):
        raise unknown("method", method, {one[0].method for one in by_row.values()})
    rows: list[dict[str, Any]] = []
    for row, cells in by_row.items():
        if method not in (None, row, cells[0].method):
            continue
        file = files.get(cells[0].method)
        needs = file.uses(cells[0].reading)[0] if file else ()
        done = [one for one in records if one.row == row and one.status == "ok"]
        missing = next((c.missing for c in cells if isinstance(c, PlannedCell) and c.missing), "")
        rows.append(
            {
                "row": row,
                "method": cells[0].method,
                "sources": touched(cells, file, found),
                "not_described": [n for n in needs if n in _MADE and n not in found["sources"]],
                "flags": [flag.text for flag in flags(cells, done, file, found)],
                "checkpoints": sorted({one.checkpoint for one in done}),
                "also_best_on_test": any(one.metrics_best_on_test for one in done),
                "missing": missing,
            }
        )
    made = "as stage audit found it" if stored else "looked up now, in what is here"
    if as_json:
        print_json({**found, "made": made, "rows": rows})
        return
    width = max((len(one["row"]) for one in rows), default=0)
    for line in _text(found, made, {key for one in rows for key in one["sources"]}):
        print_hanging(line, len(line) - len(line.lstrip()) + 4)
    for one in rows:
        said = "; ".join(_of_row(one, found["sources"]))
        print_hanging(f"{one['row']:<{width}}  {said}", min(width + 2, 24))


def _text(found: Mapping[str, Any], made: str, wanted: Collection[str]) -> Iterator[str]:
    counts = ", ".join(f"{number} of {name}" for name, number in found["tested"].items())
    rule = f"τ = {found['tau']:g}" + (
        "" if found["excluded"] else ", which this profile leaves off"
    )
    yield f"profile {found['profile']}: test classes: {counts}; {rule} ({made})"
    for key, source in found["sources"].items():
        if key in wanted:
            yield from _of_source(key, source)
    yield WORDS


def _of_row(row: Mapping[str, Any], sources: Mapping[str, Any]) -> Iterator[str]:
    """Yield what concerns a row: a part a source, the checkpoint, what it lacks."""
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
        yield f"{name}: not described by the profile, so not known"
    if not row["sources"] and not row["not_described"]:
        yield "touches nothing that the profile describes"
    if row["checkpoints"]:
        yield f"checkpoint: {', '.join(row['checkpoints'])}"
    if "checkpoint trained elsewhere" in " ".join(row["flags"]):
        yield "trained elsewhere: what it has seen is not known here"
    if row["also_best_on_test"]:
        yield "a second number, of a checkpoint chosen on test data, is kept apart"
    if row["missing"]:
        yield f"missing, {row['missing']}"


def _of_source(key: str, source: Mapping[str, Any]) -> Iterator[str]:
    number = "" if source["classes"] is None else f", {source['classes']} classes"
    if "left_out" in source:
        number += f" after {source['left_out']} were left out"
    if source.get("with_vectors") and source["with_vectors"] < source["classes"]:
        number += f", {source['with_vectors']} with word vectors"
    yield f"{key}: {source['what']}{number}"
    if source["unknown"]:
        yield f"  cannot be excluded: {source['unknown']}"
    if not source.get("built", True):
        yield "  the splits are not built yet: only classes of the same words count as left out"
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
        yield "  video ids: no lists in this profile"


def _near(compared: Mapping[str, Any]) -> str:
    nearest = compared["nearest"]
    if nearest is None:
        return "; by name alone, no vectors here"
    pair = f"{nearest['name']} – {nearest['source']}, {nearest['distance']:.3f}"
    lacking = compared["tested"] - compared["measured"]
    more = f"; {lacking} have no vector or none to compare with" if lacking > 0 else ""
    return f"; nearest {pair}{more}"
