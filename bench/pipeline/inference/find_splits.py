"""The class splits of a protocol, built by a stage or drawn from facts."""

from pathlib import Path
from typing import Any

from bench.config.paths import Layout, find_root
from bench.config.profile import PER_SPLIT, PROTOCOLS, FiftyFifty, load_config, read_parameters
from bench.errors import UserError, unknown
from bench.experiments.plan import SPLITS
from bench.utils.io import read_json


def find_splits(
    dataset: str,
    protocol: str,
    profile: str | None,
    draws: FiftyFifty | None = None,
    lists: Path | None = None,
    start: Path | None = None,
) -> tuple[dict[str, Any], str]:
    """Return a split file's content and a note for the user, "" if there is nothing to say.

    What a splits stage has built is read, unless ``draws`` or ``lists`` ask for other splits; else
    they are drawn from the class list of the profile's data or of the public data set, without the
    seen classes of another data set, which need word vectors. The project is at or above ``start``.
    """
    from bench.data import reference as facts
    from bench.pipeline.stages.splits import build

    if protocol not in PROTOCOLS:
        raise unknown("protocol", protocol, PROTOCOLS)
    root = find_root(start)
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


def profile_names(root: Path) -> list[str]:
    """Return the profiles of params.yaml, the chosen one first."""
    raw = read_parameters(root)
    return sorted(raw["profiles"], key=lambda name: name != raw.get("profile"))


def known_classes(described: tuple[str, ...] | None, layout: Layout, dataset: str) -> list[str]:
    """Return the classes as described, indexed or published; a UserError if none is known yet."""
    from bench.data import reference as facts

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
