"""``bench verify`` and ``bench audit``: can a result be repeated, and were its classes unseen?"""

import sys
from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import typer

from bench.cli import completion
from bench.cli.options import AsJson, Profile, TextFormat, Wide, opened
from bench.cli.output import is_json, print_json, print_table
from bench.config.paths import find_root
from bench.errors import UserError, unknown
from bench.utils.terminal import print_hanging

_OTHER_MACHINE = (
    "end-to-end training on another machine changes a cell about as much as another seed does, so "
    "one cell proves nothing; train a whole profile here and run 'bench verify --against HEAD'"
)


def verify(
    method: Annotated[
        str | None,
        typer.Argument(
            help="Method or row to verify (default: one cell of each method).",
            autocompletion=completion.rows,
        ),
    ] = None,
    cell: Annotated[
        str,
        typer.Option(
            "--cell",
            help="Verify this cell, e.g. aurl.transfer.seed0.",
            autocompletion=completion.cells,
        ),
    ] = "",
    tables: Annotated[
        bool, typer.Option("--tables", help="Rebuild the committed tables and compare them.")
    ] = False,
    against: Annotated[
        str | None,
        typer.Option(
            "--against",
            metavar="<path or commit>",
            help="Compare all records with those of another results folder or of a commit.",
        ),
    ] = None,
    results: Annotated[
        Path | None,
        typer.Option("--from", help="Results folder to verify (default: the project's)."),
    ] = None,
    tolerance: Annotated[
        float,
        typer.Option(min=0, help="Accepted difference on another machine, in accuracy points."),
    ] = 1.0,
    fresh: Annotated[
        bool, typer.Option("--fresh", help="Generate and prepare the data again as well.")
    ] = False,
    as_json: AsJson = False,
    wide: Wide = False,
    profile: Profile = None,
) -> None:
    """Train recorded cells again and compare the results.

    The verdict is identical, within tolerance, or different (exit code 1).

    Example: bench verify base_ls
    """
    root = find_root()
    folder = (results or root / "results").resolve()
    if not folder.is_dir():
        raise UserError(f"--from {results}: no such folder" if results else f"{folder} is missing")
    if tables:
        if method or cell or fresh or against is not None:
            raise UserError("--tables can be combined only with --from, --profile and --json")
        _verify_tables(root, folder, profile, as_json)
    elif against is not None:
        if method or cell or fresh:
            raise UserError(
                "--against can be combined only with --from, --tolerance, --profile, --wide and "
                "--json"
            )
        _verify_against(root, folder, against, profile, tolerance, as_json, wide)
    else:
        name = opened(profile)[0].name
        _verify_cells(root, folder, name, method, cell, tolerance, fresh, as_json)


def _verify_cells(
    root: Path,
    folder: Path,
    profile: str,
    method: str | None,
    cell: str,
    tolerance: float,
    fresh: bool,
    as_json: bool,
) -> None:
    from bench.pipeline.verify.rerun import records_to_verify
    from bench.pipeline.verify.rerun import verify as train_again

    records = records_to_verify(root, folder / "records" / profile, profile, method, cell)
    say = partial(print, flush=True, file=sys.stderr if as_json else None)
    seconds = sum(record.wall_s for record in records)
    say(f"{len(records)} cells of profile {profile}, {seconds:.0f} s of training when recorded")
    verdicts = []
    for record in records:
        say(f"{record.cell}: …")
        found = train_again(root, record, tolerance, fresh, lambda line: say(f"  {line}"))
        say(f"  {found.word.upper()}: {'; '.join(found.details)}")
        verdicts.append(found)
    counts = Counter(one.word for one in verdicts)
    say(", ".join(f"{count} {word}" for word, count in counts.items()))
    if any(one.word == "different" and one.elsewhere for one in verdicts):
        say(_OTHER_MACHINE)
    if as_json:
        print_json([{**asdict(one), "stands": one.stands} for one in verdicts])
    if not all(one.stands for one in verdicts):
        raise typer.Exit(1)


def _verify_tables(root: Path, results: Path, profile: str | None, as_json: bool) -> None:
    from bench.pipeline.verify.tables import differing, profiles

    known = profiles(results)
    if profile and profile not in known:
        raise unknown(f"profile in {results}", profile, known)
    found = {}
    for name in [profile] if profile else known:
        count, lines = differing(root, results, name)
        found[name] = {"files": count, "differing": lines}
        if not as_json:
            for line in lines:
                print(line)
            print(f"profile {name}: {count} files, {len(lines)} differ from what the records make")
    if as_json:
        print_json(found)
    if any(one["differing"] for one in found.values()):
        raise typer.Exit(1)


def _verify_against(
    root: Path,
    folder: Path,
    source: str,
    profile: str | None,
    tolerance: float,
    as_json: bool,
    wide: bool,
) -> None:
    from bench.pipeline.verify.against import compare_trainings, tabled

    found, notes = compare_trainings(root, folder, source, profile, tolerance)
    if as_json:
        print_json([{**asdict(one), "stands": one.stands} for one in found])
    else:
        for one in found:
            print_table(tabled(one), wide=wide)
    for note in notes:
        print(f"note: {note}", file=sys.stderr)
    if not all(one.stands for one in found):
        raise typer.Exit(1)


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
