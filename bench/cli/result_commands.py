"""``bench table``, ``report``, ``sweep`` and ``compare``: results of the recorded cells."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from bench.cli import completion
from bench.cli.options import AsJson, Profile, Wide, opened
from bench.cli.output import print_table
from bench.errors import UserError, unknown
from bench.utils.io import locked
from bench.utils.terminal import print_hanging

if TYPE_CHECKING:
    from bench.reports.tables import TableContext


FORMATS = ("md", "latex", "csv", "html", "json")
TableFormat = Annotated[
    str,
    typer.Option(
        "--format",
        "-f",
        help="Output format: md, latex, csv, html or json (default: md, or fitted to a terminal).",
        show_default=False,
        autocompletion=completion.among(*FORMATS),
    ),
]


def table(
    which: Annotated[
        str,
        typer.Option(
            "--which",
            "-w",
            help=f"Table to print: {', '.join(completion.TABLES)}.",
            autocompletion=completion.among(*completion.TABLES),
        ),
    ] = "ablation",
    fmt: TableFormat = "",
    as_json: AsJson = False,
    wide: Wide = False,
    method: Annotated[
        str,
        typer.Option(
            "--method",
            "-m",
            help="Method to show in the table 'protocols'.",
            autocompletion=completion.methods,
        ),
    ] = "",
    profile: Profile = None,
) -> None:
    """Print a table of the recorded results.

    Example: bench table --which sota
    """
    from bench.reports.tables import build
    from bench.reports.tables.context import read_context

    config, layout = opened(profile)
    if method and which != "protocols":
        raise UserError(f"--method goes with '--which protocols', not with '{which}'")
    found = build(which, read_context(config, layout, method))
    print_table(found, "json" if as_json else fmt, wide)


def report(
    compare: Annotated[
        tuple[str, str] | None,
        typer.Option("--compare", metavar="A B", help="Rows to compare class by class."),
    ] = None,
    row: Annotated[
        str,
        typer.Option(
            "--row",
            help="Row in the single-row figures (confusion matrix, map, curves, videos).",
            autocompletion=completion.rows,
        ),
    ] = "",
    out: Annotated[
        Path | None, typer.Option("--out", help="Output folder (default: results/report/PROFILE).")
    ] = None,
    links: Annotated[
        str,
        typer.Option(
            "--links",
            metavar="URL",
            help="Address of the project's files, for a page published without them.",
        ),
    ] = "",
    profile: Profile = None,
) -> None:
    """Write a page with all tables and figures.

    Example: bench report --compare aurl base_ls
    """
    from bench.pipeline.stages import report as stage
    from bench.utils.io import sweep as sweep_up

    if links and not re.fullmatch(r"https?://[^\s\"'<>]+", links):
        raise UserError(
            f"--links {links}: give an address, e.g. https://example.org/project/blob/main"
        )
    config, layout = opened(profile)
    folder = layout.report if out is None else out.absolute()
    try:
        if out is not None:
            folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(f"--out {out}: {error.strerror}; choose another folder") from None
    with locked(layout.scratch / "locks" / "stage-report"):
        sweep_up(folder)
        stage.run(config, layout, compare, row, None if out is None else folder, links)


def sweep(
    name: Annotated[str, typer.Argument(help="Saved sweep (default: DVC's experiments).")] = "",
    save: Annotated[
        str, typer.Option("--save", help="Save the sweep under this name in results/sweeps/.")
    ] = "",
    over: Annotated[
        list[str] | None,
        typer.Option("--over", help="Only experiments that change this parameter; repeatable."),
    ] = None,
    fmt: TableFormat = "",
    as_json: AsJson = False,
    wide: Wide = False,
    profile: Profile = None,
) -> None:
    """Print the accuracy for each setting of a sweep.

    Example: bench sweep --over tau --save tau
    """
    from bench.experiments.saved_sweeps import saved_sweep
    from bench.pipeline.sweeps import read_sweep
    from bench.reports.tables.result_tables import build_sweep
    from bench.utils.io import dump_sealed, write_text

    if name and (save or over):
        raise UserError("give either the NAME of a saved sweep, or --save and --over for a new one")
    for one in filter(None, (name, save)):
        if not re.fullmatch(r"[\w+=.-]*\w", one) or one.startswith("."):
            raise UserError(f"'{one}' is not a valid sweep name; use letters, digits, '_' and '-'")
    config, layout = opened(profile)
    found = saved_sweep(config, layout, name) if name else read_sweep(config, layout, over or ())
    table = build_sweep(found, config.profile.title, config.profile.embedded)
    print_table(table, "json" if as_json else fmt, wide)
    if save:
        path = layout.sweeps / f"{save}.json"
        write_text(path, dump_sealed(found))
        typer.echo(f"saved in {path.relative_to(layout.root)}", err=True)


# Part of a comparison -> what is resampled, and what the interval generalises to.
_BOOTSTRAP = {
    "over_classes": ("classes", "other test classes, these trained models"),
    "over_videos": ("videos", "other videos of these classes, these trained models"),
    "over_classes_then_videos": ("both", "other classes and other videos, these trained models"),
}
_T = {
    "classes": "other seeds and other test classes (as in the tables)",
    "splits": "other seeds and other test classes, from the class splits (as in the tables)",
    "draws": "other draws of seen and unseen classes (as in the tables)",
}
_FOOT = (
    "p: probability of a gap this large if the two rows were equal, for this comparison only (the "
    "tables correct it for all their rows)",
    "turned: share of resamples in which the order is reversed or equal",
    "docs/statistics.md explains each line and how often it covers the true value",
)


def compare(
    a: Annotated[
        str,
        typer.Argument(
            help="Row: a method, or method+parameter=value.", autocompletion=completion.rows
        ),
    ],
    b: Annotated[str, typer.Argument(help="Row to compare with.", autocompletion=completion.rows)],
    dataset: Annotated[
        str,
        typer.Option(
            "--dataset",
            "-d",
            help="Test data set (default: all).",
            autocompletion=completion.data_sets,
        ),
    ] = "",
    protocol: Annotated[
        str,
        typer.Option(
            "--protocol",
            help="Protocol (default: the first of each data set).",
            autocompletion=completion.protocols,
        ),
    ] = "",
    as_json: AsJson = False,
    resamples: Annotated[
        int,
        typer.Option("--resamples", min=100, max=1_000_000, help="Bootstrap resamples."),
    ] = 10_000,
    seed: Annotated[int, typer.Option("--seed", min=0, help="Seed of the bootstraps.")] = 0,
    profile: Profile = None,
) -> None:
    """Print the difference between two rows and its uncertainty.

    Example: bench compare aurl base_ls
    """
    from bench.reports.tables.columns import opening
    from bench.reports.tables.context import read_context
    from bench.reports.tables.row_gaps import compare as compared
    from bench.utils.io import dump_json

    config, layout = opened(profile)
    whole = read_context(config, layout)
    found = [
        compared(whole, (a, b), scope, resamples, seed)
        for scope in _scopes(whole, dataset, protocol)
    ]
    if as_json:
        print(dump_json(found), end="")
    else:
        for line in opening(whole):
            print_hanging(line, 0)
        for one in found:
            print()
            for line in _comparison(one):
                print_hanging(line, 23 if line.startswith("  ") else 2)
        print()
        for line in _FOOT:
            print_hanging(line, 2)


def _scopes(context: "TableContext", dataset: str, protocol: str) -> list[str]:
    if dataset and dataset not in context.tests:
        raise unknown("test data set", dataset, context.tests)
    known = {d: context.tests[d] for d in ([dataset] if dataset else context.tests)}
    if not protocol:
        return [f"{name}.{protocols[0]}" for name, protocols in known.items()]
    found = [f"{name}.{protocol}" for name, protocols in known.items() if protocol in protocols]
    if not found:
        raise unknown("protocol", protocol, dict.fromkeys(p for ps in known.values() for p in ps))
    if not known:
        raise UserError("this profile has no test data set")
    return found


def _comparison(one: dict[str, Any]) -> list[str]:
    means = [
        f"{mean['mean']:.1f}" + ("" if mean["std"] is None else f" ± {mean['std']:.1f}")
        for mean in one["means"]
    ]
    units = "draws" if one["paired_over"] == "draws" else "seeds"
    counts = " and ".join(str(mean["n"]) for mean in one["means"])
    common = one["common_draws"]
    if common and any(mean["n"] != common for mean in one["means"]):
        units += f"; difference over the {common} that both have"
    lines = [
        f"{one['a']} − {one['b']}, {one['metric']}: {one['difference']:+.1f} points "
        f"({means[0]} − {means[1]}; n = {counts} {units})"
    ]
    rows = [("t", one["t"], _T[one["paired_over"]])]
    rows += [(f"bootstrap, {name}", one[part], why) for part, (name, why) in _BOOTSTRAP.items()]
    missing: dict[str, list[str]] = {}
    for name, part, why in rows:
        if "missing" in part:
            missing.setdefault(part["missing"], []).append(name)
            continue
        low, high = part["interval"]
        sure = f"p {_p(part['p'])}" if "p" in part else f"turned {100 * part['turned']:.1f} %"
        lines.append(f"  {name:<19}  {low:+6.1f} to {high:+6.1f}   {sure:<13}  {why}")
    for at, pair in one["mcnemar"].items():
        if at == "missing":
            missing.setdefault(pair, []).append("McNemar")
            continue
        lines.append(
            f"  {f'McNemar, {at}':<19}  only one right: {pair['only_a']} against {pair['only_b']} "
            f"videos, p {_p(pair['p'])}   these two models, other videos like these"
        )
    lines += _seeds(one["seeds"], one["t"].get("floor"))
    lines += [f"  not available: {', '.join(names)}: {why}" for why, names in missing.items()]
    lines += [
        f"  {name}: {state}: its records are kept, but no longer updated"
        for name, state in one["not_current"].items()
    ]
    return [*lines, *_flags(one)]


def _flags(one: dict[str, Any]) -> Iterator[str]:
    """Yield the audit flags of both rows; a flag that both have is given once."""
    flags: dict[str, list[str]] = one["flags"]
    for flag in dict.fromkeys(flag for found in flags.values() for flag in found):
        whose = [name for name, found in flags.items() if flag in found]
        yield f"  {'both' if len(whose) > 1 else whose[0]}: {flag}"
    if not one["audited"]:
        yield "  not audited: run 'bench stage audit'"


def _p(p: float) -> str:
    return "< 0.001" if p < 0.001 else f"{p:.3f}"


def _seeds(found: dict[str, Any], floor: float | None) -> list[str]:
    if "missing" in found:
        lines = [f"  seeds for 1 point    —  {found['missing']}"]
    else:
        low, high = found["between"]
        measured = " + ".join(map(str, found["measured_from"]))
        lines = [
            f"  seeds for 1 point    {found['for_1_point']} per row (80 % power, 95 % level, these "
            f"test classes); the spread of {measured} seeds allows {low} to {high}"
        ]
    if floor is not None and floor < 0.05:
        lines.append("  with more seeds      the t interval can shrink to 0 (an estimate)")
    elif floor is not None:
        lines.append(
            f"  with more seeds      about ± {floor:.1f} of the t interval remains (an estimate), "
            "from the choice of the classes"
        )
    return lines
