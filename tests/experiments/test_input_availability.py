"""Which inputs a method is given, from what it declares and what the stage inputs has made."""

import json
from pathlib import Path

import pytest
from project import copy_project

from bench.config.paths import Layout
from bench.config.profile import load_config
from bench.experiments.method_registry import MethodFile
from bench.experiments.plan import Given, Inputs

STATUS = {
    "features": {"source": "f", "digests": {"mini_kinetics": "1", "mini_ucf": "2"}, "lacking": {}},
    "objects": {
        "source": "o",
        "digests": {"mini_ucf": "3"},
        "lacking": {"mini_kinetics": "no weights; get them"},
    },
}
BOTH, TEST = ["mini_kinetics", "mini_ucf"], ["mini_ucf"]


def method(**declares: object) -> MethodFile:
    return MethodFile("mine", Path("mine.py"), "Mine", **declares)  # type: ignore[arg-type]


@pytest.fixture
def inputs(tmp_path: Path) -> Inputs:
    copy_project(tmp_path)
    layout = Layout(tmp_path, "mini")
    layout.inputs_status.parent.mkdir(parents=True)
    layout.inputs_status.write_text(json.dumps(STATUS))
    return Inputs(load_config(tmp_path, "mini"), layout)


def test_an_input_is_part_of_the_fingerprint(inputs: Inputs) -> None:
    given = inputs.of(method(needs=("features",)), {}, BOTH)
    assert (given.missing, given.sources) == ("", {"features": "f"})
    assert given.parts.keys() == {"input features"}
    assert inputs.of(method(needs=("features",)), {}, TEST).parts != given.parts


def test_numbers_that_a_network_computed_are_recorded_beside_their_key(tmp_path: Path) -> None:
    keyed = {"source": "f", "digests": {"mini_ucf": "1"}, "keys": {"mini_ucf": "k"}, "lacking": {}}
    here, there = (given_by({**keyed, "digests": {"mini_ucf": d}}, tmp_path / d) for d in "12")
    assert here.parts["input features"] == there.parts["input features"]
    assert here.parts["computed features"] != there.parts["computed features"]


def given_by(features: object, root: Path) -> Given:
    copy_project(root)
    layout = Layout(root, "mini")
    layout.inputs_status.parent.mkdir(parents=True)
    layout.inputs_status.write_text(json.dumps({"features": features}))
    return Inputs(load_config(root, "mini"), layout).of(method(needs=("features",)), {}, TEST)


def test_clips_alone_are_no_part_of_it(inputs: Inputs) -> None:
    assert inputs.of(method(), {}, BOTH) == Given()


def test_a_frozen_backbone_needs_features(inputs: Inputs) -> None:
    frozen = inputs.of(method(), {"freeze_backbone": True}, BOTH)
    assert frozen.sources == {"features": "f"}
    assert inputs.of(method(freeze_backbone=True), {}, BOTH) == frozen


def test_what_lacks_says_why_and_what_to_do(inputs: Inputs) -> None:
    needs = method(needs=("objects",))
    why = inputs.of(needs, {}, BOTH).missing
    assert why == "needs objects: no weights; get them; then run 'bench stage inputs'"
    assert inputs.of(needs, {}, TEST).missing == ""
    why = inputs.of(method(needs=("boxes",)), {}, TEST).missing
    assert why == "needs boxes: describe it as profiles.mini.inputs.boxes in params.yaml"


def test_a_wanted_input_that_lacks_is_known_to_lack(inputs: Inputs) -> None:
    wants = method(needs=("features",), wants=("objects",))
    without, given = inputs.of(wants, {}, BOTH), inputs.of(wants, {}, TEST)
    assert without.missing == "" and "objects" not in without.sources
    assert without.parts["input objects"] == "" != given.parts["input objects"]


def test_before_the_stage_has_run_nothing_is_said_to_lack(tmp_path: Path) -> None:
    copy_project(tmp_path)
    inputs = Inputs(load_config(tmp_path, "mini"), Layout(tmp_path, "mini"))
    assert inputs.of(method(needs=("objects",)), {}, BOTH) == Given()


def test_clips_of_a_data_set_of_features(tmp_path: Path) -> None:
    copy_project(tmp_path)
    layout = Layout(tmp_path, "ucf15")
    layout.inputs_status.parent.mkdir(parents=True)
    layout.inputs_status.write_text("{}")
    inputs = Inputs(load_config(tmp_path, "ucf15"), layout)
    why = inputs.of(method(needs=("clips",)), {}, ["ucf15"]).missing
    assert why == "needs clips, but data set ucf15 has features only"
