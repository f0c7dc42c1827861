"""`bench verify --against`: the records of two trainings, row by row."""

import json
from pathlib import Path
from typing import Any

import pytest
from project import ROOT, run_bench

from bench.errors import UserError
from bench.experiments.record import Record, read_records, write_record
from bench.pipeline.verify.against import beside

HERE, ELSEWHERE = {"device": "cpu", "cpu": "Intel"}, {"device": "cpu", "cpu": "AMD"}


def write(results: Path, top1: float, row: str = "aurl", seed: int = 0, **other: Any) -> None:
    values: dict[str, Any] = {
        "profile": "mini", "row": row, "method": row, "label": row, "split": "transfer",
        "seed": seed, "status": "ok", "environment": HERE, "parts": {"core": "c"},
        "metrics": {"ucf.full.top1": top1, "ucf.half10.top1": 0.0, "seen.full.top1": 0.0},
        "started": results.name,
    }  # fmt: skip
    write_record(results / "records" / "mini", Record(**(values | other)))


@pytest.fixture
def folders(tmp_path: Path) -> tuple[Path, Path]:
    return tmp_path / "here", tmp_path / "there"


def test_a_row_has_the_paired_t_interval_over_its_seeds(folders: tuple[Path, Path]) -> None:
    here, there = folders
    for seed, (own, gap) in enumerate(((50, 1), (52, 2), (54, 3))):
        write(here, own, seed=seed)
        write(there, own + gap, seed=seed, environment=ELSEWHERE)
    found = beside(here, there, "mini", 1.0)
    (row,) = found.rows
    assert (row.metric, row.n, row.here, row.there) == ("ucf.full.top1", 3, 52, 54)
    # sd 1, t(2) = 4.3027: 2 ± 4.3027/√3; two seeds: sd 2, times √2.
    assert row.interval == pytest.approx((-0.4841, 4.4841), abs=1e-4)
    assert (row.p, row.p_holm) == (pytest.approx(0.0742, abs=1e-4),) * 2
    assert found.scatter == pytest.approx((1, 8**0.5))
    assert row.largest == ("aurl.transfer.seed2", 3)
    assert found.machine == ["cpu AMD, here Intel"]
    assert found.stands


def test_p_values_are_corrected_for_all_rows(folders: tuple[Path, Path]) -> None:
    here, there = folders
    for seed, gap in enumerate((2.9, 3.0, 3.1)):
        for row, points in (("aurl", gap), ("e2e", gap - 3), ("eszsl", 0)):
            write(here, 50, row, seed)
            write(there, 50 + points, row, seed, environment=ELSEWHERE)
    found = beside(here, there, "mini", 1.0)
    aurl, e2e, eszsl = found.rows
    assert aurl.p is not None and aurl.p_holm == pytest.approx(2 * aurl.p)
    assert (aurl.beyond_chance, e2e.beyond_chance, eszsl.p) == (True, False, None)
    assert not found.stands


@pytest.mark.parametrize(("seeds", "beyond"), [(3, False), (8, True)])
def test_cells_that_all_move_by_as_much_are_judged_by_their_signs(
    seeds: int, beyond: bool, folders: tuple[Path, Path]
) -> None:
    here, there = folders
    for seed in range(seeds):
        write(here, 50, seed=seed)
        write(there, 50.25, seed=seed, environment=ELSEWHERE)
    (row,) = beside(here, there, "mini", 1.0).rows
    assert (row.interval, row.p, row.beyond_chance) == (None, 2 / 2**seeds, beyond)


def test_what_was_not_made_alike_is_named_and_left_out(folders: tuple[Path, Path]) -> None:
    here, there = folders
    for seed in range(4):
        write(here, 50, seed=seed)
    write(there, 50)
    write(there, 90, seed=1, parts={"core": "c", "data": "d"})
    write(there, 0, seed=2, status="failed", reason="diverged", metrics={})
    write(there, 50, seed=7)
    found = beside(here, there, "mini", 1.0)
    assert found.unlike == {
        "aurl.transfer.seed1": ["data"],
        "aurl.transfer.seed2": ["failed there"],
    }
    assert (found.rows[0].n, found.rows[0].there, found.alone) == (1, 50, (1, 1))


def test_inputs_that_another_machine_made_are_compared_and_named(
    folders: tuple[Path, Path],
) -> None:
    here, there = folders
    for folder, bits, environment in ((here, "a", HERE), (there, "b", ELSEWHERE)):
        parts = {"core": "c", "computed objects": bits}
        write(folder, 50, parts=parts, environment=environment)
        write(folder, 50, "psgnn", parts=parts)  # on one machine they are other inputs
    found = beside(here, there, "mini", 1.0)
    assert found.remade == {"aurl.transfer.seed0": ["computed objects"]}
    assert found.unlike == {"psgnn.transfer.seed0": ["computed objects"]}
    assert [row.row for row in found.rows] == ["aurl"]


def test_results_are_compared_whatever_the_code_was(folders: tuple[Path, Path]) -> None:
    here, there = folders
    for seed, moved in ((0, 0), (1, 5)):
        write(here, 50, seed=seed, parts={"core": "a", "source": "s"})
        write(there, 50 + moved, seed=seed, parts={"core": "b", "source": "s"})
    found = beside(here, there, "mini", 1.0)
    assert [verdict.word for verdict in found.verdicts] == ["identical", "different"]
    assert found.recoded == {f"aurl.transfer.seed{seed}": ["core"] for seed in (0, 1)}
    assert found.broken == ["aurl.transfer.seed1"]


def test_on_one_machine_any_difference_is_said(folders: tuple[Path, Path]) -> None:
    here, there = folders
    write(here, 50)
    write(there, 50.1)
    write(here, 50, "e2e")
    write(there, 60, "e2e", environment=ELSEWHERE)  # of this one nothing is said
    code, out, _ = run_bench(ROOT, "verify", "--from", str(here), "--against", str(there))
    assert code == 1
    assert "On one machine, and yet different: aurl.transfer.seed0." in out
    assert "| aurl | ucf.full | 1 | 50.0 | 50.1 | +0.1 | — | — | — | +0.1 (transfer.seed0) |" in (
        " ".join(out.split())
    )


def test_a_copied_record_is_no_second_training(folders: tuple[Path, Path]) -> None:
    here, there = folders
    for seed, started in enumerate(("then", "then", "now")):
        write(here, 50, seed=seed, started="then")
        write(there, 50, seed=seed, started=started)
    found = beside(here, there, "mini", 1.0)
    assert (found.copies, len(found.verdicts)) == (2, 1)
    with pytest.raises(UserError, match=r"can be compared \(the same trainings\)"):
        beside(here, here, "mini", 1.0)


@pytest.mark.usefixtures("committed_results")
def test_a_commit_s_records_are_another_s(folders: tuple[Path, Path]) -> None:
    here, _ = folders
    committed = read_records(ROOT / "results" / "records" / "mini")[0]
    again = {"started": "now", "metrics": {k: v - 1 for k, v in committed.metrics.items()}}
    write_record(here / "records" / "mini", committed.model_copy(update=again))
    code, out, err = run_bench(ROOT, "verify", "--from", str(here), "--against", "HEAD", "--json")
    assert (code, err) == (1, "")
    (found,) = json.loads(out)
    assert [(row["row"], row["n"], row["difference"]) for row in found["rows"]] == [
        (committed.row, 1, pytest.approx(1)),
    ] * 2
    assert found["alone"][0] == 0


def test_nothing_in_common_is_an_error(folders: tuple[Path, Path]) -> None:
    here, there = folders
    write(here, 50)
    write(there, 50, parts={"core": "c", "data": "d"})
    ended = run_bench(ROOT, "verify", "--from", str(here), "--against", str(there))
    assert (ended.code, ended.out) == (2, "")
    assert ended.err == (
        f"error: --against {there}: no record of profile mini can be compared (data)\n"
    )


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--against", "none"), "error: --against none: neither a folder nor a commit of this"),
        (("--against", ""), "error: .: no records and no tables in it; give the folder 'results'"),
        (("--against", "--end"), "error: --against --end: neither a folder nor a commit"),
        (("--against", "results"), "error: --against results: is the verified folder itself"),
        (("aurl", "--against", "results"), "error: --against can be combined only with"),
        (("--tables", "--against", "results"), "error: --tables can be combined only with"),
    ],
)
def test_what_cannot_be_asked(arguments: tuple[str, ...], said: str) -> None:
    code, out, err = run_bench(ROOT, "verify", *arguments)
    assert (code, out) == (2, "")
    assert err.startswith(said)
