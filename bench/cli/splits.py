"""Where ``bench splits show`` finds the splits of a data set of any profile."""

from typing import Any

from ruamel.yaml import YAML

from bench import facts
from bench.config import PROTOCOLS, load_config
from bench.errors import UserError, unknown
from bench.files import read_json
from bench.layout import Layout, find_root
from bench.stages.splits import build


def find_splits(dataset: str, protocol: str, profile: str | None) -> tuple[dict[str, Any], str]:
    """Return a split file's content and a note for the user, "" if there is nothing to say.

    What a splits stage has built is read; else the splits are drawn from the class list, without
    the seen classes of another data set, which need word vectors.
    """
    if protocol not in PROTOCOLS:
        raise unknown("protocol", protocol, PROTOCOLS)
    root = find_root()
    names = [profile] if profile else _profiles(root / "params.yaml")
    configs = [load_config(root, name) for name in names]
    known = {name for config in configs for name in config.profile.datasets}
    for config in configs:
        if dataset not in config.profile.datasets:
            continue
        layout = Layout(root, config.name)
        built = read_json(layout.splits / f"{dataset}.{protocol}.json", "splits", "digest")
        if built:
            return built, ""
        classes = _classes(config.profile.datasets[dataset].classes, layout, dataset)
        file = build(config, root, dataset, protocol, classes, [])
        if protocol == "fifty-fifty":
            return file, ""
        note = f"seen is empty: 'bench stage splits -p {config.name}' has not run"
        return file, note
    try:  # a public one that no profile names
        classes = sorted(facts.classes(dataset))
    except UserError:
        raise unknown("data set", dataset, known) from None
    return build(configs[0], root, dataset, protocol, classes, []), ""


def _profiles(params: Any) -> list[str]:
    raw = YAML(typ="safe").load(params)
    names = list(raw["profiles"])
    return sorted(names, key=lambda name: name != raw["profile"])


def _classes(described: tuple[str, ...] | None, layout: Layout, dataset: str) -> list[str]:
    if described:
        return sorted(described)
    index = read_json(layout.index / f"{dataset}.json", "classes")
    if index:
        return list(index["classes"])
    try:
        return sorted(facts.classes(dataset))
    except UserError:
        raise UserError(
            f"classes of {dataset} not known yet; run 'bench stage data -p {layout.profile}'"
        ) from None
