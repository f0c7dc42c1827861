"""`bench status --eta`: how long what is left takes, from this machine's records or a trial."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from project import copy_project, keep_methods, run_bench, tiny_parameters, write_tiny
from ruamel.yaml import YAML

from bench.pipeline.time_left import MethodTime, total

STEPS = 40


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give a project of tiny features whose stages up to the training have run."""
    root = tmp_path_factory.mktemp("eta")
    copy_project(root)
    keep_methods(root, "aurl", "eszsl")
    write_tiny(root)
    YAML(typ="safe").dump(tiny_parameters(STEPS), root / "params.yaml")
    for name in ("data", "words", "splits", "inputs"):
        assert run_bench(root, "stage", name).code == 0
    return root


def eta(root: Path, *words: str) -> dict[str, Any]:
    code, out, _ = run_bench(root, "status", "--eta", "--json", *words)
    assert code == 0
    found: dict[str, Any] = json.loads(out)["eta"]
    return found


def test_a_method_without_records_is_tried(prepared: Path) -> None:
    found = eta(prepared, "-j", "1")
    times = {one["method"]: one for one in found["methods"]}
    assert {name: one["cells"] for name, one in times.items()} == {"aurl": 2, "eszsl": 2}
    aurl = times["aurl"]
    assert aurl["basis"].startswith("a trial of ") and aurl["basis"].endswith(" steps of 8")
    assert aurl["cell_s"] == pytest.approx(STEPS * aurl["step_s"] + aurl["embed_s"])
    assert times["eszsl"]["steps"] == 0 and times["eszsl"]["cell_s"] > 0
    assert found["seconds"] == pytest.approx(sum(2 * one["cell_s"] for one in times.values()))
    assert not list((prepared / ".bench" / "tiny").glob("trials/*"))
    assert not list((prepared / "runs").glob("*/*/run.json"))


def test_records_of_this_machine_tell_it_as_long_as_the_settings_are_theirs(prepared: Path) -> None:
    assert run_bench(prepared, "train", "aurl", "-j", "1").code == 0
    assert run_bench(prepared, "stage", "score").code == 0
    shutil.rmtree(prepared / "runs")
    (found,) = [one for one in eta(prepared)["methods"] if one["method"] == "aurl"]
    records = [json.loads(path.read_text()) for path in prepared.glob("results/records/*/aurl*")]
    assert found["basis"] == "2 records of this machine"
    assert found["cell_s"] == pytest.approx(sum(one["wall_s"] for one in records) / 2)
    parameters = prepared / "params.yaml"
    before = parameters.read_text()
    parameters.write_text(before.replace(f"steps: {STEPS}", f"steps: {STEPS + 1}"))
    (found,) = [one for one in eta(prepared)["methods"] if one["method"] == "aurl"]
    parameters.write_text(before)
    shutil.rmtree(prepared / "results" / "records")
    assert found["basis"].startswith("a trial of ")


def test_a_method_that_breaks_is_a_line_and_the_others_are_timed(prepared: Path) -> None:
    broken = prepared / "methods" / "odd.py"
    broken.write_text(
        "from bench.method import Method\n"
        "class Odd(Method):\n"
        "    label = 'Odd'\n"
        "    learning = 'closed form'\n"
        "    def build(self, ctx):\n"
        "        raise ValueError('too odd')\n"
    )
    code, out, _ = run_bench(prepared, "status", "--eta")
    broken.unlink()
    assert code == 0
    (line,) = [one for one in out.splitlines() if one.startswith("odd ") and "×" in one]
    assert line.split("×")[1].startswith(" not known (") and "odd.py:6 ValueError: too odd" in line
    assert out.endswith("at a time, without 2 whose time is not known\n")


def test_the_total_is_that_of_the_cell_that_ends_last() -> None:
    times = [
        MethodTime("a", "", 3, 10.0),
        MethodTime("b", "", 1, 4.0),
        MethodTime("c", "", 9, None),
    ]
    assert total(times, 1) == 34.0
    assert total(times, 2) == 20.0
    assert total(times, 99) == 10.0


def test_the_part_that_limits_is_the_largest_but_other() -> None:
    shares = {"read": 0.1, "forward": 0.2, "backward": 0.3, "other": 0.4}
    assert MethodTime("a", "", 1, 1.0, shares=shares).limit == "backward"
    assert MethodTime("a", "", 1, 1.0).limit == ""
