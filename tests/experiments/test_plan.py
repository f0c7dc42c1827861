"""The planned cells, the inputs of their methods, and what changes their fingerprints."""

import json
import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from project import ROOT, copy_project, overlap_json, split_json
from ruamel.yaml import YAML

from bench.config.paths import Layout
from bench.config.profile import load_config, row_id
from bench.errors import UserError
from bench.experiments import fingerprint as sources
from bench.experiments.method_registry import MethodFile, scan
from bench.experiments.plan import Given, Inputs, PlannedCell, plan
from bench.reports.tables.rows import changed
from bench.training.job import job_of


class _Committed(Layout):
    """The split files of the checkout itself."""

    splits = property(lambda self: ROOT / "splits" / self.profile)


_DRAWS = [{"name": name, "seen": ["a"], "unseen": ["b"]} for name in ("00", "01")]


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give the project with split files, so that everything can be planned."""
    folder = tmp_path_factory.mktemp("project")
    copy_project(folder)
    for profile, name, content in (
        ("mini", "overlap", overlap_json({"digest": "one"})),
        ("ucf15", "ucf15.fifty-fifty", split_json({"splits": _DRAWS})),
    ):
        (folder / "splits" / profile).mkdir(parents=True)
        (folder / "splits" / profile / f"{name}.json").write_text(content)
    return folder


Edit = Callable[[str, str, Any], None]


@pytest.fixture
def edit(root: Path) -> Iterator[Edit]:
    """Give a function that changes a file until the test's end: text, or a parameter's value."""
    before: dict[Path, bytes] = {}

    def change(name: str, old: str, new: Any) -> None:
        path = root / name
        before[path] = path.read_bytes()
        if name == "params.yaml":
            raw = block = YAML(typ="safe").load(path)
            *parents, last = old.split(".")
            for key in parents:
                block = block.setdefault(key, {})
            assert block.get(last) != new
            block[last] = new
            YAML(typ="safe").dump(raw, path)
        else:
            text = path.read_text()
            assert old in text
            path.write_text(text.replace(old, new))
        _forget()

    yield change
    for path, content in before.items():
        path.write_bytes(content)
    _forget()


def _forget() -> None:
    sources.forget_code()


def cells(root: Path, profile: str = "mini", readings: bool = False) -> dict[str, PlannedCell]:
    config = load_config(root, profile)
    return {c.cell: c for c in plan(config, Layout(root, profile), readings)}


def outdated(before: dict[str, PlannedCell], after: dict[str, PlannedCell]) -> set[str]:
    """Return the rows of which a fingerprint differs."""
    same = before.keys() & after.keys()
    return {before[c].row for c in same if before[c].fingerprint != after[c].fingerprint}


def test_cells_are_methods_by_seeds_by_splits(root: Path) -> None:
    methods = scan(root)
    seeds = load_config(root, "mini").profile.train.seeds
    assert set(cells(root)) == {
        f"{m}.transfer.seed{s}"
        for m, file in methods.items()
        for s in (seeds if file.learning == "steps" else seeds[:1])
    }
    assert "aurl.ucf15.fifty-fifty.01.seed0" in cells(root, "ucf15")
    assert len(cells(root, "ucf15")) == 2 * len(methods)


def test_readings_are_rows_of_their_own(root: Path) -> None:
    rows = {c.row for c in cells(root, readings=True).values()}
    assert "aurl+w_init=normal" in rows
    assert rows > {c.row for c in cells(root).values()}
    assert row_id("aurl", {"w": True, "a": 1.5}) == "aurl+a=1.5+w=true"
    prints = {c.fingerprint for c in cells(root, readings=True).values()}
    assert len(prints) == len(cells(root, readings=True))


def test_all_fingerprints_differ_and_repeat(root: Path) -> None:
    first = cells(root)
    assert len({c.fingerprint for c in first.values()}) == len(first)
    assert not outdated(first, cells(root))


@pytest.mark.parametrize(
    ("name", "old", "new", "rows"),
    [
        ("methods/aurl.py", '"""AURL (', '"""The method AURL (', set()),
        (
            "methods/aurl.py",
            "visual_centres_loss: bool = True",
            "visual_centres_loss: bool = False",
            {"aurl"},
        ),
        ("bench/reports/tables/typed_table.py", "import", "import os\nimport", set()),
        ("bench/cli/main.py", "import errno", "import errno, json", set()),
        ("bench/experiments/method_registry.py", "import sys", "import sys, json", set()),
        ("bench/training/run_cell.py", "seed(job.seed)", "seed(1 + job.seed)", {"all"}),
        ("bench/models/centres.py", "else 0.05", "else 0.06", {"aurl", "aurl_no_cg"}),
        ("params.yaml", "train.lr", 0.7, {"all"}),
        ("params.yaml", "profiles.mini.own.e2e", {"input": {"test_clips": 2}}, {"e2e"}),
        ("params.yaml", "profiles.mini.input.jpeg", True, {"all"}),
        ("params.yaml", "profiles.mini.network.head", 77, {"all"}),
        ("params.yaml", "train.checkpoint_every", 77, set()),
        ("params.yaml", "profiles.mini.title", "another", set()),
        ("params.yaml", "methods", {"base_ls": {"lam": 5}}, {"base_ls"}),
        ("splits/mini/overlap.json", "one", "two", {"all"}),
    ],
)
def test_what_outdates_what(
    root: Path, edit: Edit, name: str, old: str, new: Any, rows: set[str]
) -> None:
    before = cells(root)
    edit(name, old, new)
    everything = {c.row for c in before.values()}
    assert outdated(before, cells(root)) == (everything if rows == {"all"} else rows)


def test_an_imported_checkpoint_is_planned_with_what_decides_its_numbers(
    root: Path, edit: Edit
) -> None:
    name = "aurl+checkpoint=mine.transfer.seed0"
    folder = root / "data" / "checkpoints" / "mini"
    folder.mkdir(parents=True)
    facts = {"method": "aurl", "source": "f", "sha256": "s", "classes": 3}
    facts |= {"digest": "one", "chosen": "best_on_test"}
    try:
        (folder / "mine.json").write_text(json.dumps(facts))
        (folder / "other.json").write_text(json.dumps(facts | {"method": "not there"}))
        found = cells(root)
        assert {c for c in found if "checkpoint" in c} == {name}
        assert found[name].label == "AURL (ours), checkpoint mine, chosen on test data"
        edit("params.yaml", "train.lr", 0.7)
        edit("splits/mini/overlap.json", "one", "two")
        assert "aurl+checkpoint=mine" not in outdated(found, cells(root))
        edit("params.yaml", "profiles.mini.input.test_clips", 25)
        assert "aurl+checkpoint=mine" in outdated(found, cells(root))
        (folder / "mine.json").write_text(json.dumps(facts | {"digest": "two"}))
        assert cells(root)[name].parts["checkpoint"] == "two"
    finally:
        shutil.rmtree(folder)


@pytest.mark.parametrize(
    ("profile", "place", "value", "unfit"),
    [
        ("mini", "tau", 0.051, False),  # the same 40 classes are kept
        ("mini", "tau", 0.3, True),
        ("ucf15", "profiles.ucf15.fifty_fifty.draws", 10, True),
        ("ucf15", "profiles.ucf15.fifty_fifty.draws", 60, True),
        ("ucf15", "profiles.ucf15.fifty_fifty.seed", 7, True),
        ("ucf15", "profiles.ucf15.fifty_fifty", {"draws": 50, "file": "own.json"}, False),
    ],
)
def test_cells_of_split_files_of_other_parameters_are_outdated_and_not_trained(
    root: Path, edit: Edit, profile: str, place: str, value: Any, unfit: bool
) -> None:
    def planned() -> PlannedCell:
        return plan(load_config(root, profile), layout)[0]

    layout = _Committed(root, profile)
    before = planned()
    edit("params.yaml", place, value)
    after = planned()
    assert changed(after.parts, before.parts) == (["split"] if unfit else [])
    if unfit:
        with pytest.raises(UserError, match="run 'bench stage splits'"):
            job_of(load_config(root, profile), layout, after)


def test_another_seed_keeps_the_cells_of_the_first(root: Path, edit: Edit) -> None:
    before = cells(root)
    edit("params.yaml", "train.seeds", [0, 7])
    after = cells(root)
    assert "aurl.transfer.seed7" in after
    assert not outdated(before, after)


def test_a_file_with_a_syntax_error_is_a_cell_with_a_problem(root: Path, edit: Edit) -> None:
    before = cells(root)
    edit("methods/aurl_no_cg.py", '"""', "def f(:\n")
    after = cells(root)
    problem = after["aurl_no_cg.transfer.seed0"].problem
    assert problem.startswith("methods/aurl_no_cg.py:1 SyntaxError")
    assert outdated(before, after) == {"aurl_no_cg"}


@pytest.mark.parametrize(
    ("place", "value", "where"),
    [
        ("methods", {"aurrl": {"lam": 5}}, "methods"),
        ("readings.rows", [{"method": "aurrl", "set": {"lam": 5}}], "readings"),
        ("profiles.mini.own", {"aurrl": {"train": {"lr": 0.1}}}, "profiles.mini.own"),
    ],
)
def test_unknown_method_in_the_parameters(
    root: Path, edit: Edit, place: str, value: Any, where: str
) -> None:
    edit("params.yaml", place, value)
    line = f"unknown method in params.yaml '{where}' 'aurrl'; did you mean 'aurl'"
    with pytest.raises(UserError, match=re.escape(line)):
        cells(root, readings=True)


@pytest.mark.parametrize(
    ("values", "line"),
    [
        ([{"w_init": "a/b"}], "readings.rows: aurl has w_init: 'a/b', which names files; use"),
        ([{"w_init": "a\nb"}], "readings.rows: aurl has w_init: 'a\\nb', which names files; use"),
        (
            [{"lam": True}, {"lam": "true"}],
            "readings: reading aurl+lam=true is listed twice; remove one",
        ),
    ],
)
def test_a_reading_that_its_row_cannot_name(
    root: Path, edit: Edit, values: list[dict[str, Any]], line: str
) -> None:
    edit("params.yaml", "readings.rows", [{"method": "aurl", "set": one} for one in values])
    with pytest.raises(UserError, match=re.escape(f"params.yaml: {line}")):
        cells(root, readings=True)


def test_missing_splits_name_the_stage(root: Path) -> None:
    with pytest.raises(UserError, match="bench stage splits"):
        plan(load_config(root, "ucf15"), Layout(root, "of-another-name"))


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
