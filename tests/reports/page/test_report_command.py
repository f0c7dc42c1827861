"""`bench report` as a person runs it, and the example videos."""

import io
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from project import ROOT, copy_project, run_bench

from bench.config.paths import Layout
from bench.config.profile import load_config
from bench.experiments.plan import plan
from bench.experiments.record import read_record, write_record
from bench.reports.page.gather import LARGEST, spread_out, sprite

CELLS = [f"{row}.transfer.seed{seed}.json" for row in ("aurl", "base_ls") for seed in range(2)]


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """A clone with four current records, and neither runs/ nor data/."""
    copy_project(tmp_path)
    shutil.copytree(ROOT / "splits" / "mini", tmp_path / "splits" / "mini")
    records = tmp_path / "results" / "records" / "mini"
    records.mkdir(parents=True)
    planned = {one.cell: one for one in plan(load_config(tmp_path), Layout(tmp_path, "mini"))}
    for name in CELLS:
        committed = read_record(ROOT / "results" / "records" / "mini" / name)
        parts = committed.parts | planned[committed.cell].parts  # current, whatever the code
        write_record(records, committed.model_copy(update={"parts": parts}))
    return tmp_path


def test_a_clone_without_data_gets_a_report_that_says_what_lacks(clone: Path) -> None:
    done = run_bench(clone, "report", "--compare", "aurl", "base_ls")
    assert (done.code, done.err) == (0, "")
    folder = clone / "results" / "report"
    page = (folder / "mini" / "index.html").read_text()
    assert "AURL (ours) − Base w/ L_S, class by class" in page
    assert (folder / "index.html").is_file()
    names = {path.name for path in (folder / "mini" / "figures").iterdir()}
    assert {"gap.svg", "gap.png", "plane.svg"} <= names and "map.svg" not in names
    assert "without map: runs/mini does not contain the trainings of 'aurl'" in done.out
    assert "results/report/mini/index.html: 6 figures, 0 example videos" in done.out


def test_an_unknown_row_is_one_line_and_nothing_is_written(clone: Path) -> None:
    done = run_bench(clone, "report", "--row", "base_l")
    assert done.code == 2 and "unknown row 'base_l'" in done.err and done.err.count("\n") == 1
    assert not (clone / "results" / "report").exists()


@pytest.fixture
def untrained(clone: Path) -> Path:
    """The same without records."""
    shutil.rmtree(clone / "results" / "records")
    return clone


def test_without_records_it_says_how_to_get_some(untrained: Path) -> None:
    done = run_bench(untrained, "report")
    assert (done.code, done.err) == (0, "")
    assert "without gap: No row is measured yet; run 'dvc repro'" in done.out


def test_another_folder_is_written_alone(untrained: Path) -> None:
    done = run_bench(untrained, "report", "--out", "elsewhere")
    assert done.code == 0 and (untrained / "elsewhere" / "index.html").is_file()
    assert not (untrained / "results" / "report").exists()


def test_a_published_page_leads_to_the_files_at_an_address(clone: Path) -> None:
    address = "https://example.org/one/blob/main"
    assert run_bench(clone, "report", "--out", "site", "--links", f"{address}/").code == 0
    page = (clone / "site" / "index.html").read_text()
    assert f'href="{address}/results/records/mini/aurl.transfer.seed0.json"' in page
    assert 'href="../' not in page
    done = run_bench(clone, "report", "--links", "main")
    assert done.code == 2 and "--links main: give an address" in done.err


@pytest.mark.parametrize("out", ["file", "file/x", "/proc/x", "x" * 300])
def test_what_cannot_be_a_folder_to_write_to(untrained: Path, out: str) -> None:
    (untrained / "file").write_text("")
    done = run_bench(untrained, "report", "--out", out)
    assert (done.code, done.out, done.err.count("\n")) == (2, "", 1)
    assert f"--out {out}: " in done.err and "choose another folder" in done.err


def test_a_picture_of_a_video_is_small_whatever_the_video() -> None:
    noise = np.random.default_rng(0).integers(0, 255, (4, 480, 854, 3), np.uint8)
    picture = sprite(noise)
    assert len(picture) <= LARGEST
    width, height = Image.open(io.BytesIO(picture)).size
    assert 64 <= height <= 96 and width / height == pytest.approx(4 * 854 / 480, rel=0.02)


def test_examples_are_of_different_classes_first() -> None:
    labels = np.array([0, 0, 0, 1, 1, 2])
    chosen = list(spread_out(np.array([0, 1, 3, 4, 5]), labels, 3))
    assert {int(labels[at]) for at in chosen[:3]} == {0, 1, 2} and sorted(chosen) == [0, 1, 3, 4, 5]
