"""What each figure of the report shows, and what it says where it cannot be drawn."""

import json
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest
from project import ROOT, split_json
from reports.figures.made_runs import write_run
from reports.tables.made_up import POSTER, context, full, planned_cell, record, write_splits

from bench.config.paths import Layout
from bench.config.profile import load_config
from bench.errors import UserError
from bench.experiments.method_registry import scan
from bench.experiments.plan import code_parts
from bench.experiments.record import Coverage
from bench.experiments.saved_sweeps import other_settings
from bench.reports.figures import draw as draw_figure
from bench.reports.figures.class_figures import confusions
from bench.reports.figures.drawing import GREY, INK, PALETTE
from bench.reports.figures.material import Material, runs_of
from bench.reports.figures.training_figures import plane
from bench.reports.page.gather import gather, write
from bench.reports.report_model import Figure
from bench.reports.tables.typed_table import text_of
from bench.utils.io import write_json


def texts(figure: Figure) -> tuple[tuple[str, ...], ...]:
    """Return the table of a figure as text."""
    return tuple(tuple(map(text_of, row)) for row in figure.rows)


NAMES = ["cat", "dog", "eel", "fox"]


def material(root: Path, records: Any, planned: Any, **other: Any) -> Material:
    asked = {name: other.pop(name) for name in ("chosen", "one") if name in other}
    return Material(context(root, records, planned, **other), Layout(root, "mini"), **asked)


def draw(key: str, given: Material) -> Figure:
    figure = draw_figure(key, given)
    assert bool(figure.svg) != bool(figure.lacking)
    return figure


def number(text: str) -> float:
    return float(text.split(" ±")[0])


def test_no_gap_to_published_numbers_is_drawn_in_the_embedded_world(tmp_path: Path) -> None:
    figure = draw("gap", material(tmp_path, *full()))
    assert "no evidence for or against the paper" in figure.text
    assert {row[2] for row in texts(figure)} == {"—"}
    assert "published" not in figure.svg.lower()


def comparable(root: Path, **other: Any) -> Material:
    top1 = {f"{name}.full.top1": 30.0 for name in ("ucf101", "hmdb51")}
    own = {"profile": "paper", "per_class": {}}
    records = [
        record(row, seed, metrics={key: value + seed for key, value in top1.items()}, **own)
        for row in POSTER
        for seed in range(2)
    ]
    planned = [planned_cell(row, seed) for row in POSTER for seed in range(2)]
    tests = {"ucf101": ("full",), "hmdb51": ("full",)}
    base = {"profile": "paper", "is_embedded_world": False, "tests": tests, "clips": 1}
    base |= {"train": "kinetics700"}
    return material(root, records, planned, **(base | other))


def test_a_gap_is_measured_minus_published_with_its_interval(tmp_path: Path) -> None:
    figure = draw("gap", comparable(tmp_path))
    assert len(texts(figure)) == 10
    for _, _, published, measured, n, shown, interval in texts(figure):
        assert float(shown) == pytest.approx(number(measured) - float(published), abs=0.051)
        low, high = map(float, interval.split(" to "))
        # t(1) = 12.706, s/√n = 0.5
        assert n == "2" and high - low == pytest.approx(12.706, abs=0.11)


def test_numbers_with_other_clips_are_no_gap(tmp_path: Path) -> None:
    figure = draw("gap", comparable(tmp_path, clips=7))
    assert "as many clips" in figure.text
    assert {row[2] for row in texts(figure)} == {"—"}


def test_without_a_spread_there_is_no_interval(tmp_path: Path) -> None:
    figure = draw("gap", material(tmp_path, *full(1)))
    assert {row[-1] for row in texts(figure)} == {"—"}
    assert "±" not in "".join(row[3] for row in texts(figure))


def test_no_interval_of_an_accuracy_leaves_0_to_100_percent(tmp_path: Path) -> None:
    spread = {"mini_ucf.full.top1": (1.0, 9.0), "mini_hmdb.full.top1": (91.0, 99.0)}
    records = [
        record("aurl", seed, metrics={key: pair[seed] for key, pair in spread.items()})
        for seed in range(2)
    ]
    planned = [planned_cell("aurl", seed) for seed in range(2)]
    figure = draw("gap", material(tmp_path, records, planned))
    # 5 ± 12.706 · 4 and 95 ± 12.706 · 4
    assert [row[-1] for row in texts(figure)] == ["0.0 to 55.8", "44.2 to 100.0"]


def test_accuracy_stands_by_the_number_of_classes_with_chance(tmp_path: Path) -> None:
    write_splits(tmp_path)
    split = {"name": "0", "seen": ["a"], "unseen": list("cdef")}
    stored = json.loads((tmp_path / "mini_ucf.full.json").read_text()) | {"splits": [split]}
    (tmp_path / "mini_ucf.full.json").write_text(split_json(stored))
    figure = draw("accuracy", material(tmp_path, *full()))
    assert "mini_ucf · full (4 classes)" in figure.columns
    chance = dict(zip(figure.columns, texts(figure)[0], strict=True))
    assert chance["mini_ucf · full (4 classes)"] == "25.0"


def test_the_plane_shows_means_and_names_rows_that_have_no_colour(tmp_path: Path) -> None:
    records, planned = full()
    other = [record("zeta", seed, 50) for seed in range(2)]
    figure = draw("plane", material(tmp_path, [*records, *other], planned))
    (line,) = [row for row in texts(figure) if row[1] == "zeta"]
    assert line[0] == "1" and ">1</text>" in figure.svg
    assert line[2] == "0.20 ± 0.00 (n = 2)"


def test_classes_are_paired_over_common_seeds_only(tmp_path: Path) -> None:
    def one(row: str, seed: int, right: int) -> Any:
        return record(row, seed, per_class={"mini_ucf.full": {"cat": (10, right)}})

    records = [one("aurl", 0, 9), one("aurl", 1, 7), one("base_ls", 1, 4), one("base_ls", 2, 0)]
    planned = [planned_cell(r.row, r.seed) for r in records]
    figure = draw("classes", material(tmp_path, records, planned, chosen=("aurl", "base_ls")))
    assert texts(figure) == (("cat", "mini_ucf", "70.0", "40.0", "+30.0", "1", "30.0"),)


@pytest.mark.parametrize(
    ("chosen", "said"),
    [(("aurl", "base_lss"), "did you mean 'base_ls'"), (("aurl", "aurl"), "compared with itself")],
)
def test_rows_that_cannot_be_compared_are_named(
    tmp_path: Path, chosen: tuple[str, str], said: str
) -> None:
    with pytest.raises(UserError, match=said):
        gather(context(tmp_path, *full()), Layout(tmp_path, "mini"), chosen)


def test_a_compared_row_that_nothing_plans_says_so(tmp_path: Path) -> None:
    records, planned = full()
    planned = [one for one in planned if one.row != "base_ls"]
    figure = draw("classes", material(tmp_path, records, planned, chosen=("aurl", "base_ls")))
    assert "(no file), class by class" in figure.title


def test_an_unmeasured_row_says_its_state(tmp_path: Path) -> None:
    records, planned = full()
    given = context(tmp_path, records, [*planned, planned_cell("zeta")])
    with pytest.raises(UserError, match=r"'zeta' has no measured number \(not run\)"):
        gather(given, Layout(tmp_path, "mini"), row="zeta")


def test_tau_counts_kept_classes_and_takes_accuracy_from_sweeps(tmp_path: Path) -> None:
    write_splits(tmp_path)
    for name in ("bench", "methods", "params.yaml"):
        (tmp_path / name).symlink_to(ROOT / name)
    number = {"mean": 50.0, "std": 1.0, "n": 3, "over": "seeds"}
    row: dict[str, Any] = {"row": "aurl", "label": "AURL", "status": "ok", "state": "ok"}
    row |= {"reason": "", "classes": {}, "coverage": [], "experiment": ""}
    row |= {"set": {"tau": 0.2}, "metrics": {"mini_ucf.full.top1": number}}
    row["parts"] = code_parts(scan(ROOT)["aurl"], ROOT)
    row["settings"] = other_settings(load_config(tmp_path, "mini"), "aurl", ["tau"])
    old = row | {"set": {"tau": 0.25}, "parts": row["parts"] | {"core": "older"}}
    sweep = {"profile": "mini", "parameters": ["tau"], "rows": [row, old]}
    write_json(tmp_path / "results" / "sweeps" / "mini" / "tau.json", sweep)
    figure = draw("tau", material(tmp_path, *full()))
    assert "fall from 15 at τ = 0 to 6 at τ = 0.3" in figure.alt
    assert "measured at τ = 0.05, 0.2" in figure.text and "on test data" in figure.text
    assert texts(figure)[0] == ("k0", "c0", "mini_ucf", "0.000", "left out")


def test_a_profile_without_transfer_has_no_tau(tmp_path: Path) -> None:
    figure = draw("tau", material(tmp_path, *full(), train=""))
    assert "it trains on no other data set" in figure.lacking


def test_coverage_takes_the_least_complete_record_and_all_reasons(tmp_path: Path) -> None:
    lost = {"a.avi": "truncated", "b.avi": "truncated"}
    part = Coverage(digest="d", expected=400, scored=398, failed=lost)
    records = [record("aurl", 0), record("aurl", 1, coverage={"mini_ucf": part})]
    given = material(tmp_path, records, [planned_cell("aurl", seed) for seed in range(2)])
    figure = draw("coverage", given)
    assert texts(figure) == (("mini_ucf", "400", "398", "2", "truncated (2)"),)


@pytest.mark.parametrize("key", ["confusion", "map", "curves"])
def test_what_needs_runs_says_so_in_a_clone_without_them(tmp_path: Path, key: str) -> None:
    figure = draw(key, material(tmp_path, *full()))
    assert "'dvc pull' or 'dvc repro'" in figure.lacking


@pytest.fixture
def trained(tmp_path: Path) -> Material:
    """A row with one training in runs/: cats are right, half of the dogs are taken for eels."""
    method = {"method": {"generator": "uniform"}}
    one = record("aurl", 0, fingerprint="f", parameters=method)
    labels, predicted = [0, 0, 1, 1, 2, 3], [0, 0, 1, 2, 2, 3]
    write_run(tmp_path / "runs" / "mini", one, labels, predicted, NAMES)
    return material(tmp_path, [one], [planned_cell("aurl")])


def test_confusion_counts_what_is_taken_for_what(trained: Material) -> None:
    figure = draw("confusion", trained)
    assert texts(figure) == (("dog", "eel", "50.0", "1", "2"),)


def test_a_training_of_another_record_is_not_shown(trained: Material) -> None:
    other = [r.model_copy(update={"fingerprint": "g"}) for r in trained.context.records]
    assert not runs_of(trained.layout, other)


def test_damaged_embeddings_take_one_figure_and_not_the_report(trained: Material) -> None:
    (run,) = runs_of(trained.layout, trained.context.records)
    (run.folder / "embeddings.safetensors").write_bytes(b"\xff" * 99)
    report = gather(trained.context, trained.layout)
    lacking = {figure.key: figure.lacking for figure in report.figures if figure.lacking}
    assert {"confusion", "map"} <= lacking.keys() and "curves" not in lacking
    assert lacking["map"].startswith("runs/mini/aurl.transfer.seed0/embeddings.safetensors: not")


def test_the_map_shows_synthetic_classes_by_the_methods_law(trained: Material) -> None:
    figure = draw("map", trained)
    assert "by the law 'uniform'" in figure.text
    assert "Z, synthetic: 4 classes" in figure.svg and "Θ, synthetic: 4 classes" in figure.svg
    assert [row[3:] for row in texts(figure)] == [("2", "2"), ("2", "1"), ("1", "1"), ("1", "1")]


def test_the_axes_of_the_map_are_those_of_most_variance() -> None:
    points = np.random.default_rng(0).normal(0, [1, 9, 3, 0.1], (500, 4))
    _, axes, shares = plane(points)
    assert np.abs(axes).argmax(1).tolist() == [1, 2] and axes.max(1).min() > 0.9
    assert shares == pytest.approx([81 / 91, 9 / 91], abs=0.03)


def test_curves_show_the_floor_of_a_loss(trained: Material) -> None:
    figure = draw("curves", trained)
    assert [row[1] for row in texts(figure)] == ["L_S", "L_US", "L_US_floor"]
    assert "if both sides were perfectly aligned" in figure.text


def test_every_file_is_one_closed_element_that_follows_the_page(
    trained: Material, tmp_path: Path
) -> None:
    report = gather(trained.context, trained.layout)
    written = write(report, tmp_path / "figures")
    drawn = [figure for figure in report.figures if figure.svg]
    assert len(written) == 2 * len(drawn) >= 14
    for figure in drawn:
        assert INK not in figure.svg and "currentColor" in figure.svg
        assert "<style" not in figure.svg and "<script" not in figure.svg
        root = ElementTree.fromstring(figure.svg)
        assert root.get("viewBox") and root.get("aria-label") == figure.alt
        for part in root.iter():
            assert part.get("id", figure.key).startswith(figure.key)
            link = part.get("{http://www.w3.org/1999/xlink}href", "#" + figure.key)
            assert link.startswith(f"#{figure.key}")
        assert figure.png.startswith(b"\x89PNG")


def test_the_same_records_give_the_same_bytes(trained: Material) -> None:
    for key in ("plane", "map"):
        assert draw(key, trained) == draw(key, trained)


def test_names_of_others_are_text_and_nothing_else(tmp_path: Path) -> None:
    evil = "<script>alert(1)</script> $x_1$ \u202e& " + "long " * 20
    records = [record("aurl", seed, label=evil) for seed in range(2)]
    planned = [planned_cell("aurl", seed, label=evil) for seed in range(2)]
    figure = draw("gap", material(tmp_path, records, planned))
    ElementTree.fromstring(figure.svg)
    assert "<script" not in figure.svg and "\u202e" not in figure.svg and "$x_1$" in figure.svg


def test_colours_can_be_seen_on_white_and_on_near_black() -> None:
    def luminance(colour: str) -> float:
        parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
        linear = [p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
        return sum(w * p for w, p in zip((0.2126, 0.7152, 0.0722), linear, strict=True))

    for colour in (*PALETTE, GREY):
        light, dark = luminance(colour) + 0.05, luminance("#15181c") + 0.05
        assert min(1.05 / light, light / dark) >= 3, colour


def test_confusion_agrees_with_what_the_record_says_is_right(tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    labels, predicted = rng.integers(0, 4, 60), rng.integers(0, 4, 60)
    one = record("aurl", 0, fingerprint="f")
    write_run(tmp_path / "runs" / "mini", one, labels, predicted, NAMES)
    names, counts, n = confusions(runs_of(Layout(tmp_path, "mini"), [one]), "mini_ucf")
    assert (names, n) == (NAMES, 1)
    assert counts.trace() == (labels == predicted).sum() and counts.sum() == 60
