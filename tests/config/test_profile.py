"""params.yaml: the shipped profiles load, overrides apply, every mistake is one clear line."""

from pathlib import Path
from typing import Any

import pytest
from project import ROOT
from ruamel.yaml import YAML

from bench.config.paths import Layout
from bench.config.profile import Config, load_config
from bench.errors import UserError

VIDEOS = {"kind": "videos", "root": "there"}


def load(folder: Path, changes: dict[str, Any], profile: str = "tiny") -> Config:
    """Load a small sound file with ``changes`` at dotted places (profile tiny)."""
    raw: dict[str, Any] = {
        "profile": "tiny",
        "profiles": {
            "tiny": {
                "title": "tiny",
                "datasets": {
                    "a": VIDEOS.copy(),
                    "b": {"kind": "features", "file": "b.npz", "protocols": ["full", "half10"]},
                },
                "train_on": "a",
                "words": {"kind": "corpus"},
                "train": {"steps": 7, "batch": 3},
            },
        },
    }
    for place, value in changes.items():
        block, keys = raw, place.split(".")
        for key in keys[:-1]:
            block = block.setdefault(key, {})
        block[keys[-1]] = value
    with (folder / "params.yaml").open("w") as handle:
        YAML(typ="safe").dump(raw, handle)
    return load_config(folder, profile)


@pytest.mark.parametrize("name", ["mini", "ucf15", "paper", "released"])
def test_shipped_profiles_load(name: str) -> None:
    config = load_config(ROOT, name)
    assert config.name == name
    assert config.profile.transfer_sets() or config.profile.per_split()


def test_paper_is_what_was_published() -> None:
    profile = load_config(ROOT, "paper").profile
    assert (profile.tau, profile.network.head, profile.input.length) == (0.05, 2048, 16)
    train = profile.train
    assert (train.steps, train.batch, train.lr, train.warmup) == (58_500, 256, 0.05, 390)
    assert (train.momentum, train.weight_decay) == (0.9, 1e-4)


def test_overrides_replace_the_profiles_values(tmp_path: Path) -> None:
    config = load(tmp_path, {"train.steps": 99, "train.seeds": None, "tau": 0.5})
    assert (config.profile.train.steps, config.profile.train.batch) == (99, 3)
    assert config.profile.train.seeds == (0,)
    assert config.profile.tau == 0.5
    assert load(tmp_path, {"tau": None}).profile.tau == 0.05


@pytest.mark.parametrize(
    ("place", "value", "named", "hint"),
    [
        ("tua", 0.1, "'tua'", "did you mean 'tau'"),
        ("train.stepz", 5, "'train.stepz'", "did you mean 'steps'"),
        ("readings.runs", True, "'readings.runs'", "did you mean 'run'"),
        ("readings.rows", [{"method": "a", "sets": {"b": 1}}], "rows.0.sets'", "'set'"),
        ("profiles.tiny.tittle", "x", "'profiles.tiny.tittle'", "'title'"),
        ("profiles.tiny.train.stepz", 5, "'profiles.tiny.train.stepz'", "'steps'"),
        ("profiles.tiny.input.sise", 5, "'profiles.tiny.input.sise'", "'size'"),
        ("profiles.tiny.network.heads", 5, "'profiles.tiny.network.heads'", "'head'"),
        ("profiles.tiny.words.fil", "x", "'profiles.tiny.words.fil'", "'file'"),
        ("profiles.tiny.fifty_fifty.drawz", 5, "'profiles.tiny.fifty_fifty.drawz'", "'draws'"),
        ("profiles.tiny.datasets.a.protocol", [], "datasets.a.protocol'", "'protocols'"),
        ("profiles.tiny.datasets.b.keys", {"feature": "x"}, "datasets.b.keys", "'features'"),
        ("profiles.tiny.datasets.b.protocols", ["half"], "datasets.b.protocols", "'half10'"),
        ("profiles.tiny.train_on", "c", "profiles.tiny", "unknown data set 'c'"),
    ],
)
def test_unknown_names(tmp_path: Path, place: str, value: Any, named: str, hint: str) -> None:
    with pytest.raises(UserError) as error:
        load(tmp_path, {place: value})
    message = str(error.value)
    assert named in message and hint in message and "params.yaml" in message
    assert "\n" not in message


@pytest.mark.parametrize(
    ("place", "value", "named"),
    [
        ("train", 5, "train"),
        ("train", ["steps"], "train"),
        ("train.steps", "many", "train.steps"),
        ("train.steps", 0, "train.steps"),
        ("train.seeds", [-1], "train.seeds"),
        ("train.seeds", [2**32], "train.seeds"),
        ("train.momentum", -1, "train.momentum"),
        ("train.weight_decay", -1, "train.weight_decay"),
        ("train.lr", float("inf"), "train.lr"),
        ("profiles.tiny.network", {"dropout": 1.5}, "network.dropout"),
        ("profiles.tiny.network", {"widths": [4, 8], "blocks": [1]}, "one number for each of"),
        ("profiles.tiny.network", {"widths": [4, 8], "blocks": [1, 0]}, "the last at least 1"),
        ("train.seeds", [], "train.seeds: Tuple should have at least 1 item"),
        (
            "profiles.tiny.train.seeds",
            [0, 1, 0],
            "tiny.train.seeds: seed 0 is listed twice",
        ),
        (
            "profiles.tiny.own",
            {"m": {"train": {"seeds": []}}},
            "own.m: seeds: Tuple should have at least 1 item",
        ),
        ("tau", -0.1, "tau"),
        ("tau", "near", "tau"),
        ("tau", float("inf"), "tau"),
        ("methods", ["aurl"], "methods"),
        ("readings.rows", [{"method": "aurl", "set": {}}], "set"),
        (
            "readings.rows",
            [{"method": "m", "set": s} for s in ({"a": 1, "b": True}, {"b": True, "a": 1})],
            "readings: reading m+a=1+b=true is listed twice",
        ),
        (
            "profiles.tiny.datasets.b.protocols",
            ["full", "half10", "full"],
            "datasets.b: protocol full",
        ),
        ("profiles", ["tiny"], "profiles"),
        ("profiles.tiny", "x", "profiles.tiny"),
        ("profiles.tiny.train", [1], "profiles.tiny.train"),
        ("profiles.tiny.datasets", ["a"], "profiles.tiny.datasets"),
        ("profiles.tiny.datasets", {"../v": VIDEOS}, "data set '../v': a name has letters"),
        ("profiles.tiny.datasets", {"ucf.15": VIDEOS}, "data set 'ucf.15': a name has letters"),
        ("profiles.tiny.datasets.a.kind", "video", "'videos'"),
        ("profiles.tiny.datasets.a.root", None, "root"),
        ("profiles.tiny.datasets.b.file", None, "file"),
        ("profiles.tiny.train_on", None, "train_on"),
        ("profiles.tiny.datasets.b.protocols", ["official3"], "'lists: "),
        ("profiles.tiny.fifty_fifty", {"file": "x", "published": "xu50"}, "not both"),
        ("profiles.tiny.fifty_fifty.published", "xu", "'xu50'"),
    ],
)
def test_bad_values(tmp_path: Path, place: str, value: Any, named: str) -> None:
    with pytest.raises(UserError, match=r"params\.yaml") as error:
        load(tmp_path, {place: value})
    assert named in str(error.value)
    assert "\n" not in str(error.value)


def test_null_is_a_methods_default_and_nulls_alone_need_no_file(tmp_path: Path) -> None:
    given = {"one": {"lam": 5, "w": None}, "gone": {"lam": None}, "misspelt": {}}
    assert load(tmp_path, {"methods": given}).methods == {"one": {"lam": 5}, "misspelt": {}}


def test_unknown_profile_names_the_nearest(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="unknown profile 'tinny'; did you mean 'tiny'"):
        load(tmp_path, {}, "tinny")


@pytest.mark.parametrize("text", ["", "a: [", "profile: a\nprofile: b\n", "\x00", "- 1"])
def test_files_that_are_no_parameters(tmp_path: Path, text: str) -> None:
    (tmp_path / "params.yaml").write_text(text)
    with pytest.raises(UserError, match=r"params\.yaml") as error:
        load_config(tmp_path)
    assert "\n" not in str(error.value)


def test_absent_file(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="is missing"):
        load_config(tmp_path)


def test_a_method_of_its_own_schedule_yields_to_the_overrides_above(tmp_path: Path) -> None:
    own = {"m": {"train": {"lr": 0.5, "steps": 3}, "input": {"test_clips": 25}}}
    profile = load(tmp_path, {"profiles.tiny.own": own}).profile
    assert (profile.train_of("m").lr, profile.train_of("m").steps) == (0.5, 3)
    assert (profile.train_of("m").batch, profile.input_of("m").test_clips) == (3, 25)
    assert (profile.train_of("other").steps, profile.input_of("other").test_clips) == (7, 1)
    above = load(tmp_path, {"profiles.tiny.own": own, "train.steps": 99}).profile
    assert (above.train_of("m").steps, above.train_of("m").lr) == (99, 0.5)


@pytest.mark.parametrize(
    ("own", "reason"),
    [
        ({"m": {"train": {"lr": -1}}}, r"own\.m: lr: Input should be greater than 0"),
        ({"m": {"train": {"stepz": 1}}}, r"own\.m: stepz: Extra inputs"),
        ({"m": {"trian": {}}}, r"own\.m\.trian'; did you mean 'train'"),
    ],
)
def test_what_is_wrong_in_a_methods_own_block(tmp_path: Path, own: Any, reason: str) -> None:
    with pytest.raises(UserError, match=reason) as error:
        load(tmp_path, {"profiles.tiny.own": own})
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("name", ["../v", "a/b", "..", ".hidden", "", "two words", "/tmp/v"])
def test_a_profiles_name_leads_to_no_other_folder(name: str, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"is not a plain name: rename it in params.yaml"):
        Layout(tmp_path, name)
