"""The tables from full, partial, outdated, failed, broken and absent records."""

import csv
import io
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from made_up import POSTER, cells, context, full, planned_cell, record, rows, write_splits
from project import split_json

from bench.errors import UserError
from bench.experiments.method_registry import MethodFile
from bench.experiments.record import Coverage, Record
from bench.reports.tables import FORMATS, TABLES, build, render


@pytest.mark.parametrize("which", TABLES)
@pytest.mark.parametrize("fmt", FORMATS)
@pytest.mark.parametrize("empty", [True, False])
def test_every_table_renders_in_every_format(
    which: str, fmt: str, empty: bool, tmp_path: Path
) -> None:
    records, planned = ([], []) if empty else full()
    if not empty:
        write_splits(tmp_path)
    text = render(build(which, context(tmp_path, records, planned)), fmt)
    assert text.endswith("\n")
    if fmt == "md":
        assert "Profile mini" in text


def test_unknown_names_are_one_line() -> None:
    given = context(Path(), [], [])
    with pytest.raises(UserError, match="did you mean 'ablation'"):
        build("ablatoin", given)
    with pytest.raises(UserError, match="did you mean 'latex'"):
        render(build("ablation", given), "latx")


def test_ablation_keeps_the_posters_order_and_its_numbers_apart(tmp_path: Path) -> None:
    records, planned = full()
    planned.append(planned_cell("a_new_one"))
    found = rows("ablation", context(tmp_path, records, planned))
    assert list(found) == [*POSTER, "a_new_one"]
    metrics = found["aurl"]["metrics"]
    assert metrics["ucf101.full.top1"] == {"mean": None, "std": None, "n": 0, "published": 44.4}
    assert metrics["mini_ucf.full.top1"]["n"] == 3
    assert metrics["mini_ucf.full.top1"]["published"] is None
    text = render(build("ablation", context(tmp_path, records, planned)), "md")
    assert "small generated world" in text
    assert "Δ" not in text


def test_paper_profile_shows_the_difference(tmp_path: Path) -> None:
    one = record("aurl", metrics={"ucf101.full.top1": 40.4})
    tests = {"ucf101": ("full",)}
    settings: dict[str, Any] = {"tests": tests, "is_embedded_world": False, "train": "kinetics700"}
    given = context(tmp_path, [one], [planned_cell("aurl")], **settings)
    assert cells(given)["aurl"]["Δ ucf101"] == "-4.0"
    assert rows("ablation", given)["aurl"]["metrics"]["ucf101.full.top1"]["published"] == 44.4
    sota = {row["protocol"]: row for row in json.loads(render(build("sota", given), "json"))[:2]}
    assert sota["full"]["status"] in ("ok", "quoted")


def test_sota_difference_only_with_the_same_clips(tmp_path: Path) -> None:
    one = record("aurl", metrics={"ucf101.full.top1": 40.8})
    settings: dict[str, Any] = {
        "tests": {"ucf101": ("full",)}, "is_embedded_world": False, "train": "kinetics700"
    }  # fmt: skip
    same = context(tmp_path, [one], [planned_cell("aurl")], clips=25, **settings)
    other = context(tmp_path, [one], [planned_cell("aurl")], clips=1, **settings)
    assert "-6.0" in render(build("sota", same), "csv")
    assert "-6.0" not in render(build("sota", other), "csv")


def test_one_seed_has_no_deviation_and_no_mark(tmp_path: Path) -> None:
    records, planned = full(seeds=1)
    table = cells(context(tmp_path, records, planned))
    assert "±" not in table["aurl"]["measured mini_ucf"]
    assert "*" not in table["aurl"]["measured mini_ucf"]
    gap = rows("ablation", context(tmp_path, records, planned))["base_mse"]["gaps"][0]
    assert gap["interval"] is None
    assert gap["larger_than_noise"] is None


def test_ties_are_marked_and_clear_losers_are_not(tmp_path: Path) -> None:
    records, planned = full()
    table = cells(context(tmp_path, records, planned))
    assert table["aurl"]["measured mini_ucf"].endswith("*")
    assert table["base_ls_e2e"]["measured mini_ucf"].endswith("*")
    assert not table["base_mse"]["measured mini_ucf"].endswith("*")
    gap = rows("ablation", context(tmp_path, records, planned))["base_mse"]["gaps"][0]
    assert gap["to"] == "aurl"
    assert gap["larger_than_noise"] is True


def test_draws_are_the_repeats_of_fifty_fifty(tmp_path: Path) -> None:
    def one(row: str, draw: int, value: float) -> Record:
        metrics = {"ucf15.fifty-fifty.top1": value, "seen.full.closeness": 0.1}
        return record(row, split=f"ucf15.fifty-fifty.{draw}", metrics=metrics, per_class={})

    records = [one("aurl", draw, 60 + draw) for draw in range(4)]
    records += [one("a_new_one", draw, 20 + draw * 1.1) for draw in range(4)]
    planned = [
        planned_cell(row, split=f"ucf15.fifty-fifty.{draw}")
        for row in ("aurl", "a_new_one")
        for draw in range(5)
    ]
    tests = {"ucf15": ("fifty-fifty",)}
    given = context(tmp_path, records, planned, tests=tests, train="")
    found = rows("ablation", given)["a_new_one"]
    assert found["metrics"]["ucf15.fifty-fifty.top1"]["n"] == 4
    assert found["gaps"][0]["larger_than_noise"] is True
    table = cells(given)
    assert table["aurl"]["measured n"] == "4/5"
    assert table["aurl"]["measured C↓ seen ucf15"] == "0.10 ± 0.00"
    sota = [row for row in cells(given, "sota").values() if row["measured ucf15"] != "—"]
    assert {row["protocol"] for row in sota} == {"fifty-fifty"}


def test_truze_repeats_seeds_and_gzsl_shows_its_harmonic_mean(tmp_path: Path) -> None:
    def one(split: str, seed: int, **metrics: float) -> Record:
        values = {f"ucf101.{split.split('.')[1]}.{key}": value for key, value in metrics.items()}
        values["seen.full.closeness"] = 0.1
        return record("aurl", split=split, seed=seed, metrics=values, per_class={})

    records = [one("ucf101.truze.1", seed, top1=50 + seed) for seed in range(3)]
    records += [one("ucf101.gzsl.00", 0, harmonic=33.3, seen_top1=90)]
    planned = [planned_cell("aurl", split=made.split, seed=made.seed) for made in records]
    for protocols, shown, n, seen in (
        (("truze", "gzsl"), "measured ucf101", "3", "seen ucf101"),
        (("gzsl", "truze"), "measured H ucf101", "1", "seen ucf101"),
    ):
        given = context(tmp_path, records, planned, tests={"ucf101": protocols}, train="")
        row = cells(given)["aurl"]
        assert row[shown].split()[0] == ("51.0" if n == "3" else "33.3")
        assert row["measured n"] == n
        assert row[f"measured C↓ {seen}"].startswith("0.10")


def test_coverage_is_of_the_protocols_own_cells(tmp_path: Path) -> None:
    def one(split: str, videos: int) -> Record:
        coverage = {"ucf101": Coverage(digest="d", expected=videos, scored=videos)}
        metrics = {f"ucf101.{split.split('.')[1]}.{m}": 1.0 for m in ("top1", "harmonic")}
        return record("aurl", split=split, metrics=metrics, per_class={}, coverage=coverage)

    records = [one("ucf101.fifty-fifty.00", 50), one("ucf101.gzsl.00", 70)]
    planned = [planned_cell("aurl", split=made.split) for made in records]
    tests = {"ucf101": ("fifty-fifty", "gzsl")}
    table = build("sota", context(tmp_path, records, planned, tests=tests, train=""))
    place = [name for _, name in table.columns].index("coverage")
    found = {row[0]: row[place] for row in table.texts if row[place] != "—"}
    assert found == {"fifty-fifty": "50/50", "gzsl": "70/70"}


def test_a_protocol_that_lists_videos_has_its_own_coverage(tmp_path: Path) -> None:
    coverage = {
        "mini_ucf": Coverage(digest="d", expected=400, scored=400),
        "mini_ucf.official3": Coverage(digest="d", expected=30, scored=29, failed={"v": "gone"}),
    }
    metrics = {"mini_ucf.full.top1": 5.0, "mini_ucf.official3.top1": 6.0}
    records = [record("aurl", metrics=metrics, per_class={}, coverage=coverage)]
    tests = {"mini_ucf": ("full", "official3")}
    given = context(tmp_path, records, [planned_cell("aurl")], tests=tests)
    assert cells(given)["aurl"]["measured coverage"] == "400/400"
    sota = json.loads(render(build("sota", given), "json"))
    assert any("v: gone" in reason for row in sota for reason in row["reasons"])
    table = build("sota", given)
    place = [name for _, name in table.columns].index("coverage")
    found = {row[0]: row[place] for row in table.texts if row[place] != "—"}
    assert found == {"full": "400/400", "official3": "29/30"}


def test_sota_never_mixes_protocols_and_quotes(tmp_path: Path) -> None:
    records, planned = full()
    table = json.loads(render(build("sota", context(tmp_path, records, planned)), "json"))
    assert len([row for row in table if row["block"] == "modern"]) == 6
    for row in table:
        assert {key.split(".")[1] for key in row["metrics"]} <= {row["protocol"]}
        if row["method"] == "e2e":
            assert row["status"] == "quoted"
    aurl = {row["protocol"]: row for row in table if row["method"] == "aurl"}
    assert aurl["full"]["metrics"]["mini_ucf.full.top1"]["n"] == 3
    assert aurl["official3"]["status"] == "quoted"


def test_readings_stand_beside_their_default(tmp_path: Path) -> None:
    records, planned = full()
    name, reading = "aurl+w_init=normal", {"w_init": "normal"}
    losses = {"L_US": 3.14159, "L_US_floor": 3.0, "cos_Z": 0.7, "cos_Theta": 0.9}
    records += [record(name, seed, 50, reading=reading, losses=losses) for seed in range(3)]
    planned += [planned_cell(name, reading=dict(reading), seed=seed) for seed in range(3)]
    given = context(tmp_path, records, planned)
    table = build("readings", given)
    assert [row[1] for row in table.texts] == ["default", "w_init = normal"]
    assert "3.142" in table.texts[1]
    assert name not in rows("ablation", given)
    assert rows("readings", given)[name]["gaps"][0]["larger_than_noise"] is True


def test_an_imported_checkpoint_is_a_row_of_its_own(tmp_path: Path) -> None:
    records, planned = full()
    for name, label in (("e2e_authors", "AURL (ours)"), ("x", "AURL, checkpoint x of 2022")):
        row, reading = f"aurl+checkpoint={name}", {"checkpoint": name}
        records.append(record(row, level=60, reading=reading, label=label))
        planned.append(planned_cell(row, reading=reading, label=label))
    given = context(tmp_path, records, planned)
    for which in ("ablation", "sota"):
        found = [row for row in rows(which, given).values() if row["reading"]]
        labels = [row["label"] for row in found]
        assert labels == ["AURL (ours), checkpoint e2e_authors", "AURL, checkpoint x of 2022"]
        numbers = found[0]["metrics"].values()
        assert numbers and all(number["published"] is None for number in numbers)
    assert not rows("readings", given)
    planned.append(planned_cell("aurl+w_init=normal", reading={"w_init": "normal"}))
    assert list(rows("readings", given)) == ["aurl", "aurl+w_init=normal"]


@pytest.mark.parametrize(("unseen", "text"), [(1, "seen half"), (4, "seen classes")])
def test_any_protocol_may_be_trained_per_draw(unseen: int, text: str, tmp_path: Path) -> None:
    split = {"name": "0", "seen": ["a", "b"], "unseen": ["c"] * unseen}
    stored = {"definition": "", "digest": "s", "splits": [split]}
    (tmp_path / "ucf101.official3.json").write_text(split_json(stored))
    one = record("aurl", split="ucf101.official3.0", metrics={"ucf101.official3.top1": 60.0})
    planned = [planned_cell("aurl", split=f"ucf101.official3.{draw}") for draw in range(3)]
    given = context(tmp_path, [one], planned, tests={"ucf101": ("official3",)})
    sota = [row for row in cells(given, "sota").values() if row["measured ucf101"] != "—"]
    assert [row["measured trained on"] for row in sota] == [f"ucf101 ({text})"]
    assert [row["measured n"] for row in sota] == ["1/3"]


def test_no_readings_says_what_to_do(tmp_path: Path) -> None:
    assert "bench train --readings" in build("readings", context(tmp_path, *full())).notes[0]


def test_overlap_lists_removed_then_nearest_kept(tmp_path: Path) -> None:
    write_splits(tmp_path)
    table = build("overlap", context(tmp_path, [], []))
    assert [row[1] for row in table.texts] == ["no"] * 2 + ["yes"] * 10
    assert "Kept 13 of 15" in table.header[1]


def test_damaged_split_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "mini_ucf.full.json").write_text('{"digest": "x"}')
    with pytest.raises(UserError, match=r"mini_ucf.full.json: .*Field required"):
        build("splits", context(tmp_path, [], []))


def test_videos_that_were_not_scored_are_named(tmp_path: Path) -> None:
    failed = {"a.mp4": "truncated"}
    lost = Coverage(digest="d", expected=400, scored=399, failed=failed)
    given = context(tmp_path, [record("aurl", coverage={"mini_ucf": lost})], [planned_cell("aurl")])
    assert cells(given)["aurl"]["measured coverage"] == "399/400"
    assert "a.mp4: truncated" in render(build("ablation", given), "md")


def test_hostile_labels_are_escaped(tmp_path: Path) -> None:
    label = r"<script>alert(1)</script> | \input{x} & 100% $y$ a_b" + "\nnext"
    given = context(tmp_path, [], [planned_cell("x", label=label)])
    table = build("ablation", given)
    assert "<script" not in render(table, "html")
    assert r"\textbackslash{}input\{x\} \& 100\% \$y\$ a\_b next" in render(table, "latex")
    line = next(line for line in render(table, "md").splitlines() if "script" in line)
    assert line.count("|") - line.count("\\|") == len(table.columns) + 1
    assert "<script" not in line
    assert list(csv.reader(io.StringIO(render(table, "csv"))))[-1][0] == label


def test_tables_are_imported_without_heavy_libraries() -> None:
    """scipy comes in when a table with intervals is built."""
    code = "import sys, bench.reports.tables as t\n"
    code += "print({'pandas', 'tabulate', 'torch', 'scipy'} & {*sys.modules})"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "set()"


def declared(**of_method: Any) -> MethodFile:
    return MethodFile("aurl", Path("aurl.py"), "AURL", **of_method)


def test_one_method_under_every_protocol(tmp_path: Path) -> None:
    records, planned = full()
    given = context(tmp_path, records, planned, only="aurl")
    found = json.loads(render(build("protocols", given), "json"))
    assert {row["row"] for row in found} == {"aurl"}
    assert [row["protocol"] for row in found] == ["full", "official3", "half10"]
    with pytest.raises(UserError, match="unknown method 'aurrl'; did you mean 'aurl'"):
        build("protocols", context(tmp_path, records, planned, only="aurrl"))


def test_what_is_approximated_stands_beside_what_was_measured(tmp_path: Path) -> None:
    records, planned = full()
    files = {"aurl": declared(approximates="style: half of it", learning="none")}
    given = context(tmp_path, records, planned, files=files)
    row = cells(given, "sota")["AURL, style"]
    assert row["measured approximated"] == "style: half of it"
    assert row["measured trained on"] == "nothing"


def test_a_modern_method_stands_in_its_own_block(tmp_path: Path) -> None:
    records, planned = [record("mine", seed) for seed in range(3)], []
    planned = [planned_cell("mine", seed) for seed in range(3)]
    given = context(tmp_path, records, planned, files={"mine": declared(modern=True)})
    found = json.loads(render(build("sota", given), "json"))
    assert {row["block"] for row in found if row["row"] == "mine"} == {"modern"}


def test_a_missing_input_is_a_status_that_says_what_to_do(tmp_path: Path) -> None:
    given = context(tmp_path, [], [planned_cell("er", missing="needs texts: name a file")])
    row = rows("sota", given)["er"]
    assert row["reasons"] == ["er: missing: needs texts: name a file"]


def test_published_systems_stand_in_the_comparison_and_new_ones_everywhere(tmp_path: Path) -> None:
    given = context(tmp_path, [], [planned_cell("devise"), planned_cell("mine")])
    assert "mine" in rows("ablation", given) and "devise" not in rows("ablation", given)
    assert {"mine", "devise"} <= set(rows("sota", given))
