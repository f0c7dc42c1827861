"""``bench splits show``: the class splits of a protocol, built by a stage or drawn from facts."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from bench.cli import complete
from bench.cli.stages import Profile
from bench.errors import UserError, unknown
from bench.layout import Layout, find_root

if TYPE_CHECKING:
    from bench.config import FiftyFifty

TextFormat = Annotated[
    str,
    typer.Option(
        "--format", "-f", help="text or json.", autocompletion=complete.among("text", "json")
    ),
]
AsJson = Annotated[bool, typer.Option("--json", help="JSON, for a script.")]
Dataset = Annotated[
    str,
    typer.Argument(help="For example ucf101 or mini_ucf.", autocompletion=complete.data_sets),
]
TestLists = Annotated[
    Path | None, typer.Option("--lists", help="official3: folder or archive of test lists.")
]


def splits_show(
    dataset: Dataset,
    protocol: Annotated[
        str,
        typer.Argument(help=", ".join(complete.PROTOCOLS), autocompletion=complete.protocols),
    ],
    published: Annotated[
        bool, typer.Option("--published", help="fifty-fifty: the 50 draws of Xu et al. 2017.")
    ] = False,
    lists: TestLists = None,
    fmt: TextFormat = "text",
    as_json: AsJson = False,
    profile: Profile = None,
) -> None:
    """Print a protocol's class splits.

    Example: bench splits show ucf101 truze --json
    """
    from bench.config import PROTOCOLS, FiftyFifty

    as_json = is_json(fmt, as_json)
    if protocol not in PROTOCOLS:
        raise unknown("protocol", protocol, PROTOCOLS)
    if published and protocol != "fifty-fifty":
        raise UserError("--published is of fifty-fifty alone")
    if lists and protocol != "official3":
        raise UserError("--lists is of official3 alone")
    draws = FiftyFifty(published="xu50") if published else None
    file, note = find_splits(dataset, protocol, profile, draws, lists)
    if note:
        print(f"note: {note}", file=sys.stderr)
    if as_json:
        print_json(file["splits"])
        return
    print(f"{file['dataset']} {file['protocol']}: {file['definition']} (hash {file['digest']})")
    for one in file["splits"]:
        lists_of = {key: value for key, value in one.items() if key != "name"}
        counts = ", ".join(f"{len(names)} {key}" for key, names in lists_of.items())
        print(f"{one['name']}: {counts}")
        for key, names in lists_of.items():
            print(f"   {key}: {', '.join(names)}")


def find_splits(
    dataset: str,
    protocol: str,
    profile: str | None,
    draws: "FiftyFifty | None" = None,
    lists: Path | None = None,
) -> tuple[dict[str, Any], str]:
    """Return a split file's content and a note for the user, "" if there is nothing to say.

    What a splits stage has built is read, unless ``draws`` or ``lists`` ask for other splits; else
    they are drawn from the class list of the profile's data or of the public data set, without the
    seen classes of another data set, which need word vectors.
    """
    from bench import facts
    from bench.config import PER_SPLIT, FiftyFifty, load_config
    from bench.files import read_json
    from bench.plan import SPLITS
    from bench.stages.splits import build

    root = find_root()
    configs = [load_config(root, name) for name in ([profile] if profile else profile_names(root))]
    stage = "'bench stage splits' has not run"
    for config in configs:
        described = config.profile.datasets.get(dataset)
        if described is None:
            continue
        layout = Layout(root, config.name)
        built = read_json(
            layout.splits / f"{dataset}.{protocol}.json",
            "definition",
            "digest",
            "dataset",
            "protocol",
            splits=SPLITS,
        )
        if built and not (draws or lists):
            return built, ""
        classes = known_classes(described.classes, layout, dataset)
        draws = draws or config.profile.fifty_fifty
        if lists is None and described.lists:
            lists = root / described.lists
        stage = f"'bench stage splits -p {config.name}' has not run"
        break
    else:
        try:
            classes = sorted(facts.classes(dataset))
        except UserError:
            known = {name for config in configs for name in config.profile.datasets}
            raise unknown("data set", dataset, {*known, *facts.class_lists()}) from None
    file = build(dataset, protocol, classes, [], root, draws or FiftyFifty(), lists)
    return file, "" if protocol in PER_SPLIT else f"seen is empty: {stage}"


def is_json(fmt: str, as_json: bool = False) -> bool:
    """Return whether JSON is asked for, by --format or by --json; a UserError if ``fmt`` is odd."""
    if fmt not in ("text", "json"):
        raise unknown("format", fmt, ("text", "json"))
    return as_json or fmt == "json"


def print_json(value: Any) -> None:
    """Print a value as JSON that people can read, too."""
    import json

    print(json.dumps(value, indent=1, ensure_ascii=False))


def profile_names(root: Path) -> list[str]:
    """Return the profiles of params.yaml, the chosen one first."""
    from bench.config import read_parameters

    raw = read_parameters(root)
    return sorted(raw["profiles"], key=lambda name: name != raw.get("profile"))


def known_classes(described: tuple[str, ...] | None, layout: Layout, dataset: str) -> list[str]:
    """Return the classes as described, indexed or published; a UserError if none is known yet."""
    from bench import facts
    from bench.files import read_json

    if described:
        return sorted(described)
    index = read_json(layout.index / f"{dataset}.json", classes=[str])
    if index:
        return list(index["classes"])
    try:
        return sorted(facts.classes(dataset))
    except UserError:
        raise UserError(
            f"classes of {dataset} not known yet; run 'bench stage data -p {layout.profile}'"
        ) from None
