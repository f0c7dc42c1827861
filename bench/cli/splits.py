"""``bench splits show``: the class splits of a protocol, built by a stage or drawn from facts."""

import json
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from bench.cli.stages import Profile
from bench.config import PER_SPLIT, PROTOCOLS, FiftyFifty, load_config, read_parameters
from bench.errors import UserError, unknown
from bench.files import read_json
from bench.layout import Layout, find_root
from bench.plan import SPLITS

TextFormat = Annotated[str, typer.Option("--format", "-f", help="text or json.")]
TestLists = Annotated[
    Path | None, typer.Option("--lists", help="official3: folder or archive of test lists.")
]


def splits_show(
    dataset: Annotated[str, typer.Argument(help="For example ucf101 or mini_ucf.")],
    protocol: Annotated[str, typer.Argument(help=", ".join(PROTOCOLS))],
    published: Annotated[
        bool, typer.Option("--published", help="fifty-fifty: the 50 draws of Xu et al. 2017.")
    ] = False,
    lists: TestLists = None,
    fmt: TextFormat = "text",
    profile: Profile = None,
) -> None:
    """Print a protocol's class splits. Example: bench splits show ucf101 truze -f json"""
    as_json = is_json(fmt)
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
        print(json.dumps(file["splits"], indent=1, ensure_ascii=False))
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
    draws: FiftyFifty | None = None,
    lists: Path | None = None,
) -> tuple[dict[str, Any], str]:
    """Return a split file's content and a note for the user, "" if there is nothing to say.

    What a splits stage has built is read, unless ``draws`` or ``lists`` ask for other splits; else
    they are drawn from the class list of the profile's data or of the public data set, without the
    seen classes of another data set, which need word vectors.
    """
    from bench import facts
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


def is_json(fmt: str) -> bool:
    """Return whether ``fmt`` is json; a UserError if it is not text either."""
    if fmt not in ("text", "json"):
        raise unknown("format", fmt, ("text", "json"))
    return fmt == "json"


def profile_names(root: Path) -> list[str]:
    """Return the profiles of params.yaml, the chosen one first."""
    raw = read_parameters(root)
    return sorted(raw["profiles"], key=lambda name: name != raw.get("profile"))


def known_classes(described: tuple[str, ...] | None, layout: Layout, dataset: str) -> list[str]:
    """Return the classes as described, indexed or published; a UserError if none is known yet."""
    from bench import facts

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
