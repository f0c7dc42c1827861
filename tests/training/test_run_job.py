"""A cell that ran with other code, data or files than the plan says is not stored."""

import shutil
from collections.abc import Callable
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from project import copy_project, keep_methods, run_bench, tiny_parameters, write_tiny
from ruamel.yaml import YAML

from bench.config.paths import Layout
from bench.config.profile import load_config
from bench.experiments.fingerprint import forget_code
from bench.experiments.plan import plan
from bench.training.job import job_of
from bench.training.run_job import attempt

Attempt = Callable[..., tuple[str, str]]


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("prepared")
    copy_project(root)
    keep_methods(root, "base_ls")
    write_tiny(root)
    YAML(typ="safe").dump(tiny_parameters(steps=3), root / "params.yaml")
    for stage in ("data", "words", "splits", "inputs"):
        assert run_bench(root, "stage", stage).code == 0
    return root


@pytest.fixture
def root(prepared: Path, tmp_path: Path) -> Path:
    return shutil.copytree(prepared, tmp_path / "root")


def planned(root: Path, method: str = "base_ls") -> Attempt:
    """Plan a cell now; the function that is returned runs it later."""
    forget_code()
    layout = Layout(root, "tiny")
    config = load_config(root, "tiny")
    cell = next(one for one in plan(config, layout) if one.method == method)
    job = job_of(config, layout, cell)

    def run(at_step: Callable[[], object] = lambda: None) -> tuple[str, str]:
        status, reason = attempt(job, lambda step, loss: at_step() if step == 1 else None)
        assert (status == "ok") == (layout.runs / cell.cell / "run.json").is_file()
        return status, reason

    return run


def edit(path: Path, old: str, new: str) -> Callable[[], object]:
    """Replace a text of a file; the function that is returned puts it back."""
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))
    return lambda: path.write_text(text)


def other_words(root: Path) -> tuple[Callable[[], object], Callable[[], object]]:
    """Make other class vectors; return functions that put them in place, and back."""
    folder = root / "data" / "tiny" / "words"
    before = {path: path.read_bytes() for path in folder.iterdir()}
    rng = np.random.default_rng(1)
    with np.load(root / "words.npz") as given:
        names = given["names"]
    np.savez(root / "words.npz", names=names, vectors=rng.normal(size=(6, 5)))
    assert run_bench(root, "stage", "words").code == 0
    after = {path: path.read_bytes() for path in folder.iterdir()}

    def write(files: dict[Path, bytes]) -> None:
        for path, content in files.items():
            path.write_bytes(content)

    write(before)
    return partial(write, after), partial(write, before)


def test_a_cell_that_runs_as_planned_is_stored(root: Path) -> None:
    assert planned(root)() == ("ok", "")


def test_a_comment_changes_nothing(root: Path) -> None:
    run = planned(root)
    with (root / "methods" / "base_ls.py").open("a") as handle:
        handle.write("# a comment\n")
    assert run() == ("ok", "")


@pytest.mark.parametrize(
    ("file", "old", "new", "named"),
    [
        ("methods/base_ls.py", "label =", "X = 1\n    label =", "methods/base_ls.py"),
        ("bench/losses.py", "lam * ", "2 * lam * ", "methods/base_ls.py"),
        ("bench/training/run_cell.py", "seed(job.seed)", "seed(1 + job.seed)", "core"),
    ],
)
def test_code_that_was_edited_before_a_cell_began_and_put_back(
    root: Path, file: str, old: str, new: str, named: str
) -> None:
    run = planned(root)
    put_back = edit(root / file, old, new)
    status, reason = run(put_back)
    put_back()
    assert status == "failed" and named in reason and "changed after" in reason


def test_code_that_was_edited_while_a_cell_ran(root: Path) -> None:
    run = planned(root)
    file = root / "bench" / "losses.py"
    status, reason = run(lambda: edit(file, "lam * ", "2 * lam * "))
    assert status == "failed" and "methods/base_ls.py changed" in reason


def test_class_vectors_that_were_replaced_before_a_cell_began(root: Path) -> None:
    run = planned(root)
    replace, put_back = other_words(root)
    replace()
    status, reason = run(put_back)
    assert status == "failed" and reason.startswith("words changed")


def test_class_vectors_that_were_replaced_only_while_they_were_loaded(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from bench.data.words import class_vectors

    load = class_vectors.load_class_vectors
    replace, put_back = other_words(root)

    def replaced(folder: Path, dataset: str) -> object:
        replace()
        try:
            return load(folder, dataset)
        finally:
            put_back()

    run = planned(root)
    monkeypatch.setattr("bench.training.run_cell.load_class_vectors", replaced)
    status, reason = run()
    assert status == "failed" and reason.startswith("words changed")


READS = '''from pathlib import Path

from bench.method import Batch, Classes, Loss
from methods.base_ls import BaseLS


class Reader(BaseLS):
    """Reads a file."""

    label = "Reader"
    DECLARED

    def loss(self, batch: Batch, seen: Classes) -> Loss:
        READ
        return super().loss(batch, seen)
'''


@pytest.mark.parametrize(
    "read",
    [
        "Path(__file__).with_name('scale.json').read_text()",
        "open(Path(__file__).with_name('scale.json')).close()",
        "import importlib; importlib.import_module('my' + 'lib')",
    ],
)
def test_a_file_that_a_method_does_not_declare_fails_the_cell(
    root: Path, read: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(root)
    (root / "methods" / "scale.json").write_text("1")
    (root / "mylib.py").write_text("scale = 1\n")
    text = READS.replace("DECLARED", "").replace("READ", read)
    (root / "methods" / "reader.py").write_text(text)
    status, reason = planned(root, "reader")()
    assert status == "failed"
    assert reason.startswith("methods/reader.py reads ") and "does not declare" in reason
    assert 'add files = ("' in reason and "\n" not in reason


def test_a_declared_file_is_part_of_the_fingerprint(root: Path) -> None:
    (root / "methods" / "scale.json").write_text("1")
    text = READS.replace("DECLARED", 'files = ("scale.json",)')
    text = text.replace("READ", "Path(__file__).with_name('scale.json').read_text()")
    (root / "methods" / "reader.py").write_text(text)
    run = planned(root, "reader")
    assert run() == ("ok", "")
    shutil.rmtree(root / "runs")
    (root / "methods" / "scale.json").write_text("2")
    assert "methods/reader.py changed" in run()[1]


def test_a_declared_file_that_is_missing_is_a_broken_row(root: Path) -> None:
    text = READS.replace("DECLARED", 'files = ("none.json",)').replace("READ", "pass")
    (root / "methods" / "reader.py").write_text(text)
    assert "files: methods/none.json is missing" in run_bench(root, "methods", "reader").err


@pytest.mark.parametrize("stage", ["data", "words", "splits", "inputs", "table"])
def test_stages_that_write_what_training_reads_wait_for_it(
    root: Path, stage: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    taken = []

    @contextmanager
    def noted(path: Path):  # type: ignore[no-untyped-def]
        taken.append(path.name)
        yield

    monkeypatch.setattr("bench.pipeline.stages.locked", noted)
    run_bench(root, "stage", stage)
    assert ("train.lock" in taken) == (stage != "table")
