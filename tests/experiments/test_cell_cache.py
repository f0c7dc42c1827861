"""Finished cells are restored from the cache when their parameters are set again."""

import shutil
import tempfile
from pathlib import Path

import pytest
from project import run_bench, tiny_project

from bench.config.paths import Layout
from bench.config.profile import load_config
from bench.experiments.cell_cache import link_shared_files, main_project


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give a project with one method, trained."""
    root = tmp_path_factory.mktemp("kept")
    tiny_project(root, 10, "base_ls")
    for command in ("stage data", "stage words", "stage splits", "train -j 1"):
        assert run_bench(root, *command.split()).code == 0
    return root


@pytest.fixture
def copy(trained: Path, tmp_path: Path) -> Path:
    return shutil.copytree(trained, tmp_path / "project")


def runs(root: Path) -> dict[str, bytes]:
    folder = root / "runs" / "tiny"
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.glob("*/*")}


def set_lam(root: Path, value: str) -> None:
    path = root / "params.yaml"
    before, now = path.read_text().split("lam: ", 1)
    path.write_text(f"{before}lam: {value}{now[now.index('}') :]}")


def test_deleted_runs_are_restored_bit_for_bit(copy: Path) -> None:
    before = runs(copy)
    shutil.rmtree(copy / "runs" / "tiny")
    ended = run_bench(copy, "train", "-j", "1")
    assert ended.out.startswith("2 of 2 cells done (2 restored from the cache), 0 to train\n")
    assert runs(copy) == before


def test_earlier_parameters_restore_their_cells(copy: Path) -> None:
    before = runs(copy)
    set_lam(copy, "5.0")
    assert "2 to train" in run_bench(copy, "train", "-j", "1").out
    assert runs(copy) != before
    set_lam(copy, "null")
    assert "(2 restored from the cache), 0 to train" in run_bench(copy, "train", "-j", "1").out
    assert runs(copy) == before


def test_cached_cells_are_hard_links(trained: Path) -> None:
    for path in (trained / "runs" / "tiny").glob("*/*"):
        assert path.stat().st_nlink == 2, path


def test_the_cache_may_be_on_another_disk(copy: Path) -> None:
    """Files cannot be moved or linked from one disk to another."""
    other = Path(tempfile.mkdtemp(dir="/dev/shm"))
    try:
        if other.stat().st_dev == copy.stat().st_dev:
            pytest.skip("/dev/shm is on the same disk")
        shutil.rmtree(copy / ".bench")
        shutil.rmtree(copy / "runs" / "tiny")
        (copy / ".bench").symlink_to(other)
        assert "2 to train" in run_bench(copy, "train", "-j", "1").out
        before = runs(copy)
        shutil.rmtree(copy / "runs" / "tiny")
        assert "(2 restored from the cache), 0 to train" in run_bench(copy, "train", "-j", "1").out
        assert runs(copy) == before
    finally:
        shutil.rmtree(other)


def test_a_damaged_cached_cell_is_trained_again(copy: Path) -> None:
    shutil.rmtree(copy / "runs" / "tiny")
    for path in (copy / ".bench" / "tiny" / "kept").glob("*.00.*/embeddings.safetensors"):
        path.write_bytes(path.read_bytes()[:-1] + b"x")
    ended = run_bench(copy, "train", "-j", "1")
    assert ended.out.startswith("1 of 2 cells done (1 restored from the cache), 1 to train\n")


def test_force_trains_and_replaces_cached_cells(copy: Path) -> None:
    kept = copy / ".bench" / "tiny" / "kept"  # copies here: only newly cached cells are links
    assert "2 to train" in run_bench(copy, "train", "--force", "-j", "1").out
    for path in kept.glob("*/*"):
        assert path.samefile(copy / "runs" / "tiny" / path.parent.name[:-17] / path.name)


def test_cells_of_changed_code_are_evicted(copy: Path) -> None:
    path = copy / "methods" / "base_ls.py"
    path.write_text(path.read_text().replace("10.0", "9.0"))
    assert "2 to train" in run_bench(copy, "train", "-j", "1").out
    assert len(list((copy / ".bench" / "tiny" / "kept").iterdir())) == 2


def test_only_in_params_rejects_an_unknown_method(copy: Path) -> None:
    path = copy / "params.yaml"
    path.write_text(path.read_text().replace("only: []", "only: [base_lz]"))
    ended = run_bench(copy, "stage", "train")
    assert (ended.code, ended.err.count("\n")) == (2, 1)
    assert "base_lz" in ended.err and "base_ls" in ended.err


def test_the_copy_of_an_experiment_links_frames_and_data_outside_the_project(
    tmp_path: Path,
) -> None:
    main = tmp_path / "work" / "project"
    root = main / ".dvc" / "tmp" / "exps" / "tmp1"
    root.mkdir(parents=True)
    (tmp_path / "work" / "shared").mkdir()
    assert (main_project(root), main_project(main)) == (main, main)
    link_shared_files(
        Layout(root, "tiny"), [Path("../shared/x.npz"), Path("tiny.npz"), Path("../absent")]
    )
    (main / ".bench" / "tiny" / "frames" / "a").touch()
    assert (root / ".bench" / "tiny" / "frames" / "a").exists()
    (tmp_path / "work" / "shared" / "x.npz").touch()
    assert (root / "../shared/x.npz").exists()
    assert not (root / "../absent").exists()


def test_a_null_parameter_is_the_default(trained: Path) -> None:
    assert load_config(trained).methods == {}
