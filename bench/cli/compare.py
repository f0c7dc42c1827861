"""``bench compare``: two rows of the tables, and how sure their difference is."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, Any

import typer

from bench.cli import complete
from bench.cli.splits import AsJson
from bench.cli.stages import Profile, opened
from bench.errors import UserError, unknown
from bench.utils.terminal import print_hanging

if TYPE_CHECKING:
    from bench.reports.tables import TableContext

# Part of a comparison -> what its interval is over, and the question that it answers.
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
    "p: how often so large a gap would come up if the two rows were equal; of this comparison "
    "alone (the tables correct it for all their rows)",
    "turned: share of resamples in which the order turns or is level",
    "what each line means and how often it holds the truth: docs/statistics.md",
)


def compare(
    a: Annotated[
        str,
        typer.Argument(
            help="A row: a method, or method+parameter=value.", autocompletion=complete.rows
        ),
    ],
    b: Annotated[
        str, typer.Argument(help="The row to compare it to.", autocompletion=complete.rows)
    ],
    dataset: Annotated[
        str,
        typer.Option(
            "--dataset",
            "-d",
            help="A test data set; default: every one.",
            autocompletion=complete.data_sets,
        ),
    ] = "",
    protocol: Annotated[
        str,
        typer.Option(
            "--protocol",
            help="Default: the first of each data set.",
            autocompletion=complete.protocols,
        ),
    ] = "",
    as_json: AsJson = False,
    resamples: Annotated[
        int, typer.Option("--resamples", min=100, max=1_000_000, help="Of each bootstrap.")
    ] = 10_000,
    seed: Annotated[int, typer.Option("--seed", min=0, help="Of the bootstraps.")] = 0,
    profile: Profile = None,
) -> None:
    """Say how sure the difference of two rows is.

    Example: bench compare aurl base_ls
    """
    from bench.pipeline.stages.table import context
    from bench.reports.tables.comparability import opening
    from bench.reports.tables.pairwise import compare as compared
    from bench.utils.io import dump_json

    config, layout = opened(profile)
    whole = context(config, layout)
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
            for line in _text(one):
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
        raise UserError("this profile tests no data set")
    return found


def _text(one: dict[str, Any]) -> list[str]:
    means = [
        f"{mean['mean']:.1f}" + ("" if mean["std"] is None else f" ± {mean['std']:.1f}")
        for mean in one["means"]
    ]
    units = "draws" if one["paired_over"] == "draws" else "seeds"
    counts = " and ".join(str(mean["n"]) for mean in one["means"])
    common = one["common_draws"]
    if common and any(mean["n"] != common for mean in one["means"]):
        units += f", the difference is over the {common} that both have"
    lines = [
        f"{one['a']} − {one['b']}, {one['metric']}: {one['difference']:+.1f} points "
        f"({means[0]} − {means[1]}; n = {counts} {units})"
    ]
    rows = [("t", one["t"], _T[one["paired_over"]])]
    rows += [(f"bootstrap, {name}", one[part], why) for part, (name, why) in _BOOTSTRAP.items()]
    lacking: dict[str, list[str]] = {}
    for name, part, why in rows:
        if "missing" in part:
            lacking.setdefault(part["missing"], []).append(name)
            continue
        low, high = part["interval"]
        sure = f"p {_p(part['p'])}" if "p" in part else f"turned {100 * part['turned']:.1f} %"
        lines.append(f"  {name:<19}  {low:+6.1f} to {high:+6.1f}   {sure:<13}  {why}")
    for at, pair in one["mcnemar"].items():
        if at == "missing":
            lacking.setdefault(pair, []).append("McNemar")
            continue
        lines.append(
            f"  {f'McNemar, {at}':<19}  right alone: {pair['only_a']} against {pair['only_b']} "
            f"videos, p {_p(pair['p'])}   these two models, other videos like these"
        )
    lines += _seeds(one["seeds"], one["t"].get("floor"))
    lines += [f"  not here: {', '.join(names)}: {why}" for why, names in lacking.items()]
    lines += [
        f"  {name}: {state}: its records stand, and nothing keeps them up to date"
        for name, state in one["not_current"].items()
    ]
    return [*lines, *_flags(one)]


def _flags(one: dict[str, Any]) -> Iterator[str]:
    """Yield what the audit flags of either row, once where it is the same of both."""
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
            f"  seeds for 1 point    {found['for_1_point']} a row (80 % power, 95 % level, these "
            f"test classes); the spread of {measured} seeds allows {low} to {high}"
        ]
    if floor is not None and floor < 0.05:
        lines.append("  however many         nothing of the t interval need stay (an estimate)")
    elif floor is not None:
        lines.append(
            f"  however many         about ± {floor:.1f} of the t interval stays (an estimate): "
            "the choice of the classes"
        )
    return lines
