"""Two rows against each other, from records with and without per-video results."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from made_up import context, record
from project import Bench, split_json

from bench.cli.result_commands import _comparison
from bench.errors import UserError
from bench.evaluation.statistics import seeds_needed, variance_factors
from bench.experiments.record import Record, write_record
from bench.reports.tables.row_gaps import by_class, by_video, compare, rightness
from bench.reports.tables.rows import Row, collect

SCOPE = "mini_ucf.full"


def seeing(row: str, seed: int, chance: float, **other: Any) -> Record:
    """Make a record of five classes of eight videos, with its per-video results."""
    rng = np.random.default_rng([seed, *row.encode()])
    right = rng.random((5, 8)) < chance
    per_class = {
        SCOPE: {c: (8, int(k)) for c, k in zip("dabce", right.sum(1)[[3, 0, 1, 2, 4]], strict=True)}
    }
    made = record(
        row, seed, per_class=per_class, metrics={f"{SCOPE}.top1": 100 * float(right.mean())}
    )
    bits = np.packbits(right.ravel()).tobytes().hex()
    return made.model_copy(update={"right": {SCOPE: {"full": bits}}} | other)


def rows(tmp_path: Path, records: list[Record]) -> dict[str, Row]:
    return {row.name: row for row in collect(context(tmp_path, records, []))}


def of(tmp_path: Path, records: list[Record], **how: Any) -> dict[str, Any]:
    return compare(context(tmp_path, records, []), ("mine", "other"), SCOPE, 500, **how)


@pytest.fixture
def records() -> list[Record]:
    return [seeing(row, s, chance) for row, chance in (("mine", 0.9), ("other", 0.5))
            for s in range(3)]  # fmt: skip


def test_bits_are_the_videos_of_the_classes_by_name() -> None:
    one = seeing("mine", 0, 0.6)
    found = rightness(one, SCOPE)
    assert list(found) == [*"abcde"]
    assert {c: (len(part), int(part.sum())) for c, part in found.items()} == one.per_class[SCOPE]


@pytest.mark.parametrize(
    ("right", "match"),
    [
        ({}, r"record mine.transfer.seed0 has no per-video results of mini_ucf.full; "
             "run 'bench stage score'"),
        ({SCOPE: {"full": "00" * 5}}, "do not match its counts per class .class a"),
        ({SCOPE: {"full": "ff" * 4}}, "32 bits"),
        ({SCOPE: {"full": "xyz"}}, "not hexadecimal"),
        ({SCOPE: {"0": "00", "1": "00"}}, "no counts per class"),
    ],
)  # fmt: skip
def test_missing_or_wrong_bits_are_one_line(right: Any, match: str) -> None:
    with pytest.raises(UserError, match=match):
        rightness(seeing("mine", 0, 0.6, right=right), SCOPE)


def test_every_part_agrees_on_the_difference(tmp_path: Path, records: list[Record]) -> None:
    found = of(tmp_path, records)
    for part in ("over_classes", "over_videos", "over_classes_then_videos"):
        assert found[part]["difference"] == pytest.approx(found["difference"])
        low, high = found[part]["interval"]
        assert low < found["difference"] < high
    assert found["t"]["interval"][0] < found["difference"] < found["t"]["interval"][1]
    assert set(found["mcnemar"]) == {"seed 0", "seed 1", "seed 2"}
    assert found["seeds"]["between"][0] <= found["seeds"]["for_1_point"]
    assert found == of(tmp_path, records)
    assert found["over_videos"] != of(tmp_path, records, seed=1)["over_videos"]


def test_without_results_per_video_the_other_parts_remain(
    tmp_path: Path, records: list[Record]
) -> None:
    found = of(tmp_path, [one.model_copy(update={"right": {}}) for one in records])
    assert "interval" in found["over_classes"]
    for part in ("over_videos", "over_classes_then_videos", "mcnemar"):
        assert "no per-video results" in found[part]["missing"]


def test_one_seed_has_no_interval_and_no_count(tmp_path: Path, records: list[Record]) -> None:
    found = of(tmp_path, [one for one in records if one.seed == 0])
    assert found["t"]["missing"] == "fewer than two seeds or classes"
    assert found["seeds"] == {"missing": "n = 1 has no spread"}
    assert "interval" in found["over_classes"]  # of this one model


def test_other_videos_are_not_compared(tmp_path: Path, records: list[Record]) -> None:
    fewer = {SCOPE: {c: (7, 5) for c in "abcde"}}
    records[-1] = records[-1].model_copy(update={"per_class": fewer})
    found = of(tmp_path, records)
    assert "not scored on the same videos" in found["over_classes"]["missing"]


def test_draws_are_summed_over_those_that_both_have(tmp_path: Path) -> None:
    scope = "ucf15.fifty-fifty"

    def one(row: str, draw: int, **right: tuple[int, int]) -> Record:
        bits = np.concatenate([np.arange(n) < k for n, k in right.values()])
        packed = {scope: {str(draw): np.packbits(bits).tobytes().hex()}}
        made = record(row, split=f"{scope}.{draw}", per_class={scope: right}, coverage={},
                      metrics={f"{scope}.top1": 100 * float(bits.mean())})  # fmt: skip
        return made.model_copy(update={"right": packed})

    made = [one("mine", 0, a=(4, 4), b=(4, 2)), one("mine", 1, a=(4, 3), c=(2, 1))]
    made += [one("other", 0, a=(4, 1), b=(4, 2)), one("other", 1, a=(4, 3), c=(2, 2))]
    made += [one("mine", 2, b=(4, 4), c=(2, 2))]
    found = rows(tmp_path, made)
    gains, tested = by_video(found["mine"], found["other"], scope)
    assert tested == [2, 1, 1] and gains[0].tolist() == [0, 1, 1, 1]
    assert [gain.sum() for gain in gains] == [3, 0, -1]
    tests = {"ucf15": ("fifty-fifty",)}
    result = compare(context(tmp_path, made, [], tests=tests), ("mine", "other"), scope, 200)
    videos, more = by_class(found["mine"], found["other"], scope)
    assert (videos.tolist(), more.tolist()) == ([8, 4, 2], [3, 0, -1])
    assert result["over_classes"]["missing"] == "3 to draw from; it takes 5"
    assert (result["common_draws"], [mean["n"] for mean in result["means"]]) == (2, [3, 2])
    assert "many draws" in result["mcnemar"]["missing"]
    assert "share classes" in result["seeds"]["missing"]


def test_a_range_of_seeds_is_no_surer_than_the_variance_that_makes_it(
    tmp_path: Path, records: list[Record]
) -> None:
    """Row a alone scatters: its variance is known by two degrees of freedom, not by four."""
    same = [one.model_copy(update={"metrics": {f"{SCOPE}.top1": 50.0}}) for one in records[3:]]
    level = [one.model_copy(update={"metrics": {f"{SCOPE}.top1": 40.0 + 10 * one.seed}})
             for one in records[:3]]  # fmt: skip
    found = of(tmp_path, [*level, *same])["seeds"]
    low, high = (seeds_needed(100 * factor, 0) for factor in variance_factors(2))
    assert (found["between"], found["for_1_point"]) == ([low, high], seeds_needed(100, 0))


def test_splits_that_hold_every_class_are_said_to_be_the_reason(tmp_path: Path) -> None:
    scope = "mini_ucf.official3"
    one = {"name": "1", "seen": [], "unseen": ["a", "b"]}
    split = {"definition": "", "digest": "d", "splits": [one] * 3}
    (tmp_path / f"{scope}.json").write_text(split_json(split))
    lists = {f"{scope}.top1": {str(i): 40.0 + i for i in range(3)}}
    made = [record(row, seed, metrics={f"{scope}.top1": 41.0}, per_split=lists)
            for row in ("mine", "other") for seed in range(3)]  # fmt: skip
    tests = {"mini_ucf": ("official3",)}
    result = compare(context(tmp_path, made, [], tests=tests), ("mine", "other"), scope, 200)
    assert "every split holds all classes" in result["t"]["missing"]
    (tmp_path / f"{scope}.json").unlink()
    result = compare(context(tmp_path, made, [], tests=tests), ("mine", "other"), scope, 200)
    assert result["t"]["missing"] == "the split file is missing; run 'bench stage splits'"


def test_flags_of_the_audit_stand_below_a_comparison(tmp_path: Path, records: list[Record]) -> None:
    unknown = {"what": "", "unknown": "nobody knows", "tests": {}}
    taking = [one.model_copy(update={"parameters": {"inputs": {"features": "w"}}})
              if one.row == "mine" else one for one in records]  # fmt: skip
    audit = {"sources": {"training": unknown, "features": unknown}}
    result = compare(
        context(tmp_path, taking, [], audit=audit), ("mine", "other"), SCOPE, resamples=200
    )
    lines = _comparison(result)
    assert any(
        one.startswith("  both: ‡ cannot be excluded") and "training" in one for one in lines
    )
    assert any(one.startswith("  mine: ‡") and "features" in one for one in lines)
    silent = compare(context(tmp_path, records, [], audit=None), ("mine", "other"), SCOPE, 200)
    assert "not audited" in " ".join(_comparison(silent))


def test_the_command_prints_both_forms(bench: Bench, project: Path, records: list[Record]) -> None:
    for one in records:
        write_record(project / "results/records/mini", one.model_copy(update={"right": {}}))
    code, out, err = bench("compare", "mine", "other", "-d", "mini_ucf")
    assert (code, err) == (0, "")
    assert "mine − other, mini_ucf.full.top1: +" in out
    for word in (
        "bootstrap, classes",
        "seeds for 1 point",
        "not available: bootstrap",
        "p:",
    ):
        assert word in out
    code, out, err = bench("compare", "mine", "other", "-d", "mini_ucf", "--json")
    assert json.loads(out)[0]["metric"] == "mini_ucf.full.top1"


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["mine", "mine"], "'mine' is compared with itself"),
        (["mine", "othr"], "unknown row 'othr'; did you mean 'other'?"),
        (["mine", "other", "-d", "mini_ufc"], "unknown test data set 'mini_ufc'"),
        (["mine", "other", "--protocol", "half01"], "unknown protocol 'half01'"),
        (["mine", "aurl"], "row 'aurl' has no measured number under mini_ucf.full (not run)"),
        (["mine", "other", "--resamples", "3"], "--resamples"),
    ],
)
def test_mistakes_are_one_line(
    words: list[str], message: str, bench: Bench, project: Path, records: list[Record]
) -> None:
    for one in records:
        write_record(project / "results/records/mini", one.model_copy(update={"right": {}}))
    code, out, err = bench("compare", *words)
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert message in err
