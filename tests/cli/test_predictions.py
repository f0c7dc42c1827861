"""`bench score`: predictions from elsewhere, in three forms, under every protocol they allow."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from project import ROOT, Bench

from bench.data import reference as facts
from bench.data.splits import protocols

UCF, HMDB = sorted(facts.classes("ucf101")), sorted(facts.classes("hmdb51"))
WORDS = {"CleanAndJerk": "weight lift", "HandstandPushups": "hand_stand PUSHUPS"}


def scored(bench: Bench, file: Path, *words: str, dataset: str = "ucf101") -> Any:
    code, out, err = bench("score", str(file), "-d", dataset, "-f", "json", *words)
    assert code == 0, err
    return json.loads(out)


def log_lines(tag: str, names: list[str], n: int, right: int) -> list[str]:
    """Make a log of n videos, the first ``right`` of which are predicted right."""
    lines = []
    for i in range(n):
        label = names[i % len(names)]
        predicted = label if i < right else names[(i + 1) % len(names)]
        running = 100 * min(i + 1, right) / (i + 1)
        lines.append(f"{tag} Top-1 acc: {running:.4f} pred: {predicted} label: {label}")
    return lines


@pytest.fixture
def log(tmp_path: Path) -> Path:
    """Write a log of both data sets with the released counts, and lines of other things."""
    ucf, hmdb = log_lines("UCF", UCF, 13320, 5913), log_lines("HMDB", HMDB, 6766, 1852)
    spelled = [line.replace("CleanAndJerk", "clean and jerk") for line in ucf]
    mixed = [line for pair in zip(spelled, hmdb, strict=False) for line in (*pair, "loss 0.1")]
    (tmp_path / "test.log").write_text("\n".join(mixed + spelled[6766:]) + "\n")
    return tmp_path / "test.log"


@pytest.fixture
def matrix(tmp_path: Path) -> dict[str, Any]:
    """Give scores of 606 videos, six of each class of UCF101."""
    random = np.random.default_rng(0)
    labels = np.arange(606) % 101
    scores = random.standard_normal((606, 101)).astype(np.float32)
    scores[np.arange(606), labels] += 1.5
    return {"scores": scores, "labels": labels, "classes": np.array(UCF)}


def stored(folder: Path, arrays: dict[str, Any]) -> Path:
    np.savez(folder / "mine.npz", **arrays)
    return folder / "mine.npz"


@pytest.mark.parametrize(
    ("dataset", "n", "top1"), [("ucf101", 13320, 44.3919), ("hmdb51", 6766, 27.3722)]
)
def test_a_released_log_gives_the_released_number(
    bench: Bench, log: Path, dataset: str, n: int, top1: float
) -> None:
    found = scored(bench, log, dataset=dataset)
    assert (found["n"], found["expected"]) == (n, n)
    assert found["protocols"]["full"]["top1"] == pytest.approx(top1, abs=5e-5)
    assert not [note for note in found["notes"] if "last top-1" in note]
    assert f"{top1:.4f}, agrees" in bench("score", str(log), "-d", dataset).out


@pytest.mark.parametrize(
    "line",
    [
        "UCF Top-1 acc: 100.00 pred: Archery label: Archery",
        "[12:01] ucf101  top1 acc = 100 %, pred=archery, label=ARCHERY\r",
        "  UCF: Top1 Accuracy : 100.0000 (1/1) predicted: Archery  label: Archery   ",
        "5/9 |##  | UCF-101 top-1: 100.0\tpred:\tArchery\tlabel:\tArchery",
    ],
)
def test_the_log_s_spacing_and_width_are_free(bench: Bench, tmp_path: Path, line: str) -> None:
    (tmp_path / "a.txt").write_text(f"start\n{line}\nend\n", newline="")
    found = scored(bench, tmp_path / "a.txt")
    assert (found["n"], found["protocols"]["full"]["top1"]) == (1, 100.0)


def test_a_log_that_disagrees_with_itself_is_said(bench: Bench, log: Path) -> None:
    log.write_text(log.read_text().replace("acc: 44.3919", "acc: 44.3844"))  # one video fewer
    code, out, err = bench("score", str(log), "-d", "ucf101")
    assert (code, "agrees" in out) == (0, False)
    assert "note: the last top-1 in the log is 44.3844, but" in err


@pytest.mark.parametrize("form", ["log", "parquet", "npz"])
def test_a_pipe_is_read_once_and_whole(
    bench: Bench, log: Path, matrix: dict[str, Any], form: str
) -> None:
    file, pipe = log.with_name(f"test.{form}"), log.with_name("pipe")
    if form == "parquet":
        pd.DataFrame({"label": UCF, "predicted": UCF}).to_parquet(file)
    elif form == "npz":
        np.savez(file, **matrix)
    os.mkfifo(pipe)
    with subprocess.Popen(["cp", file, pipe]):
        found = scored(bench, pipe)
    assert found["n"] == {"log": 13320, "parquet": 101, "npz": 606}[form]


@pytest.mark.parametrize("form", ["csv", "tsv", "parquet", "misnamed"])
def test_names_match_however_spelled(bench: Bench, tmp_path: Path, form: str) -> None:
    label = ["CleanAndJerk", "HandstandPushups", "YoYo", "YoYo"]
    predicted = [WORDS["CleanAndJerk"], WORDS["HandstandPushups"], "yo yo", "archery"]
    table = pd.DataFrame({" Label ": label, "predicted": predicted, "video": list("abcd")})
    file = tmp_path / f"a.{form}"
    if form == "parquet":
        table.to_parquet(file)
    else:
        table.to_csv(file, index=False, sep="\t" if form == "tsv" else ",")
    full = scored(bench, file)["protocols"]["full"]
    assert (full["top1"], full["class_mean"], full["top5"]) == (75.0, pytest.approx(250 / 3), None)
    assert full["per_class"]["YoYo"] == [2, 1]
    assert full["zero_classes"] == []
    assert len(full["no_videos"]) == 98


def test_the_index_of_a_data_frame_has_no_name(bench: Bench, tmp_path: Path) -> None:
    table = pd.DataFrame({"label": ["YoYo", "Archery"], "predicted": ["YoYo", "YoYo"]})
    (tmp_path / "a.tsv").write_text("\n \n" + table.to_csv(sep="\t"))
    assert scored(bench, tmp_path / "a.tsv")["protocols"]["full"]["top1"] == 50.0


def test_a_matrix_gives_every_protocol_by_its_definition(
    bench: Bench, tmp_path: Path, matrix: dict[str, Any]
) -> None:
    found = scored(bench, stored(tmp_path, matrix), "--protocol", "full", "--protocol", "half10")
    full, half10 = found["protocols"]["full"], found["protocols"]["half10"]
    scores, labels = matrix["scores"], matrix["labels"]
    assert full["top1"] == pytest.approx(100 * (scores.argmax(1) == labels).mean())
    five = (-scores).argsort(1)[:, :5]
    assert full["top5"] == pytest.approx(100 * (five == labels[:, None]).any(1).mean())
    tops = []
    for s in range(10):
        chosen = np.random.RandomState(s).permutation(101)[:50]
        rows = np.isin(labels, chosen)
        tops.append(100 * (chosen[scores[rows][:, chosen].argmax(1)] == labels[rows]).mean())
        assert half10["splits"][str(s)]["top1"] == pytest.approx(tops[-1])
    assert half10["mean"]["top1"] == pytest.approx(np.mean(tops))
    assert half10["std"]["top1"] == pytest.approx(np.std(tops))  # population


def test_all_that_applies_is_the_default(
    bench: Bench, tmp_path: Path, matrix: dict[str, Any]
) -> None:
    file = stored(tmp_path, matrix)
    found = scored(bench, file)["protocols"]
    assert {"full", "half10", "fifty-fifty"} <= set(found)
    assert len(found["fifty-fifty"]["splits"]) == 50
    out = bench("score", str(file), "-d", "ucf101").out
    assert "half10" in out and "±" in out


def test_the_order_of_the_columns_and_the_kind_of_labels_do_not_matter(
    bench: Bench, tmp_path: Path, matrix: dict[str, Any]
) -> None:
    whole = scored(bench, stored(tmp_path, matrix))["protocols"]
    order = np.random.default_rng(1).permutation(101)
    names = [f" {name.upper()}" for name in matrix["classes"][matrix["labels"]]]
    shuffled = {
        "scores": matrix["scores"][:, order],
        "labels": np.array(names),
        "classes": np.char.encode(matrix["classes"][order]),
    }
    assert scored(bench, stored(tmp_path, shuffled))["protocols"] == whole


@pytest.mark.parametrize("dataset", ["kinetics600", "activitynet200"])
def test_a_public_data_set_needs_no_profile(bench: Bench, tmp_path: Path, dataset: str) -> None:
    names = sorted(facts.classes(dataset))
    eye = {"scores": np.eye(len(names)), "labels": np.array(names), "classes": np.array(names)}
    found = scored(bench, stored(tmp_path, eye), dataset=dataset)["protocols"]
    assert found["half10"]["mean"]["top1"] == found["fifty-fifty"]["mean"]["top1"] == 100


def test_published_class_splits(bench: Bench, tmp_path: Path, matrix: dict[str, Any]) -> None:
    found = scored(bench, stored(tmp_path, matrix))["protocols"]
    assert len(found["xu50"]["splits"]) == 50
    assert {name: found[name]["videos"] for name in ("truze", "truze67")} == {
        "truze": 31 * 6,
        "truze67": 34 * 6,
    }
    assert "gzsl" not in found  # it holds videos out


@pytest.mark.parametrize("form", ["npz", "csv"])
def test_official_lists_choose_videos(bench: Bench, project: Path, form: str) -> None:
    lines = [f"{name}/v_{name}_g01_c01.avi" for name in UCF]
    for i in (1, 2, 3):
        (project / f"testlist0{i}.txt").write_text("\n".join(lines))
    videos = [f"elsewhere/v_{name}_g0{g}_c01.avi" for g in (1, 2) for name in UCF]
    right = np.eye(101)
    scores = np.concatenate([right, right[::-1]])  # of the videos g02 but one is wrong
    file = project / f"mine.{form}"
    if form == "npz":
        np.savez(file, scores=scores, labels=UCF * 2, classes=UCF, videos=videos)
    else:
        predicted = [UCF[i] for i in scores.argmax(1)]
        table = pd.DataFrame({"video": videos, "predicted": predicted, "label": UCF * 2})
        table.to_csv(file, index=False)
    found = scored(bench, file, "--lists", ".")["protocols"]
    assert found["full"]["top1"] == pytest.approx(100 * 102 / 202)
    assert found["official3"]["mean"]["top1"] == 100
    assert found["official3"]["splits"]["1"]["videos"] == 101
    assert found["official3"]["splits"]["1"]["listed"] == 101


def listed(project: Path, videos: list[str]) -> str:
    """Write the same three test lists of one video a class, and a CSV that names ``videos``."""
    lines = "\n".join(f"{name}/v_{name}_g01_c01.avi" for name in UCF)
    for i in (1, 2, 3):
        (project / f"testlist0{i}.txt").write_text(lines)
    label = [video.split("_")[1] for video in videos]
    table = pd.DataFrame({"video": videos, "predicted": label, "label": label})
    table.to_csv(project / "a.csv", index=False)
    return "score a.csv -d ucf101 --lists . --protocol official3"


def test_listed_videos_that_the_file_lacks_are_said(bench: Bench, project: Path) -> None:
    whole = [f"v_{name}_g01_c01.avi" for name in UCF]
    said = "listed videos are in the file"
    assert said not in bench(*listed(project, whole).split()).out
    part = [*whole[:7], *(f"v_{name}_g25_c01.avi" for name in UCF)]
    out = bench(*listed(project, part).split()).out
    assert f"official3: 7/101, 7/101, 7/101 {said}\n" in out


def test_a_listed_video_in_two_spellings_is_refused(bench: Bench, project: Path) -> None:
    twice = ["v_YoYo_g01_c01.avi", "v_Archery_g01_c01", "UCF-101/YoYo/v_YoYo_g01_c01.avi"]
    code, out, err = bench(*listed(project, twice).split())
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert f"line 2 and line 4 are the same video ('{twice[0]}', '{twice[2]}')" in err


def test_a_profile_s_own_data_set(bench: Bench, tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("predicted,label\nArchery,archery\n")
    found = scored(bench, tmp_path / "a.csv", dataset="ucf15")
    assert len(found["protocols"]["full"]["per_class"]) == 15


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("predicted,label\nAplyEyeMakeup,Archery\n", "predicted 1: unknown class 'AplyEyeMakeup'"),
        ("predicted,label\nAplyEyeMakeup,Archery\n", "did you mean 'ApplyEyeMakeup'?"),
        ("predicted,label\nArchery,\n", "label 1 is empty"),
        ("predicted,label\nArchery\n", ":2 has fewer fields"),
        ("\n \npredicted,label\nArchery\n", ":4 has fewer fields"),
        ("predicted,label\nArchery,Biking,x\n", ":2 has more fields"),
        ("predicted,label\n", "no videos in it"),
        (
            "prediction,label\nArchery,Archery\n",
            "no column 'predicted' (there is prediction, label",
        ),
        ("label,predicted,Label\nYoYo,YoYo,Archery\n", "2 columns 'label'"),
        ("", "no column 'predicted' (there is nothing)"),
        ("video,predicted,label\na,YoYo,YoYo\na,YoYo,YoYo\n", "video 'a' appears twice"),
        (
            'predicted,label\nYoYo,YoYo\n"Archery,YoYo\n' + "YoYo,YoYo\n" * 14000,
            ":3: field larger than field limit (131072); look for a quote that nothing closes",
        ),
        ("HMDB Top-1 acc: 9 pred: hit label: hit\n", "a log of HMDB, without a line of ucf101"),
    ],
)
def test_mistakes_in_text(bench: Bench, tmp_path: Path, text: str, named: str) -> None:
    (tmp_path / "a.csv").write_text(text)
    code, out, err = bench("score", str(tmp_path / "a.csv"), "-d", "ucf101")
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert named in err


def test_names_allow_no_protocol_but_full(bench: Bench, tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("predicted,label\nYoYo,YoYo\n")
    ended = bench("score", str(tmp_path / "a.csv"), "-d", "ucf101", "--protocol", "half10")
    assert ended.code == 2
    assert "protocol half10: the file has one predicted class per video" in ended.err
    assert "an .npz with scores" in ended.err


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"scores": np.full((606, 101), np.nan)}, "scores of row 0 are not finite (606 rows)"),
        ({"scores": np.zeros((606, 100))}, "not numbers [606 labels, 101 classes]"),
        ({"scores": np.full((606, 101), "a")}, "not numbers"),
        ({"labels": np.full(606, 101)}, "label 101 of row 0 is not 0 to 100"),
        ({"labels": np.full(606, 0.0)}, "labels are float64"),
        ({"labels": np.array([None] * 606)}, "cannot be read as .npz"),
        ({"classes": np.array([*UCF[:100], "apply_lipstick"])}, "'ApplyLipstick' appears twice"),
        ({"classes": np.array([*UCF[:100], "YooYoo"])}, "unknown class 'YooYoo'; did you"),
        ({"videos": np.array(["v"])}, "1 videos for 606 labels"),
        ({"videos": np.array(["v"] * 606)}, "video 'v' appears twice"),
        ({"classes": None}, "no array 'classes'"),
    ],
)
def test_mistakes_in_a_matrix(
    bench: Bench, tmp_path: Path, matrix: dict[str, Any], change: dict[str, Any], named: str
) -> None:
    arrays = {k: v for k, v in {**matrix, **change}.items() if v is not None}
    code, out, err = bench("score", str(stored(tmp_path, arrays)), "-d", "ucf101")
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert named in err


def test_missing_classes_are_no_full_protocol(
    bench: Bench, tmp_path: Path, matrix: dict[str, Any]
) -> None:
    part = protocols.half10(UCF, [])[0]["unseen"]
    rows = np.isin(matrix["classes"][matrix["labels"]], part)
    arrays = {
        "scores": matrix["scores"][rows][:, np.isin(UCF, part)],
        "labels": matrix["classes"][matrix["labels"]][rows],
        "classes": np.array(part),
    }
    ended = bench("score", str(stored(tmp_path, arrays)), "-d", "ucf101")
    assert ended.code == 2
    assert "protocol full: the file has no scores for 51 of 101 classes" in ended.err


@pytest.mark.parametrize(
    ("words", "named"),
    [
        (("none.csv", "-d", "ucf101"), "none.csv: No such file"),
        ((".", "-d", "ucf101"), "directory"),
        (("params.yaml", "-d", "ucf110"), "unknown data set 'ucf110'; did you mean 'ucf101'?"),
        (("params.yaml", "-d", "ucf101", "--protocol", "ful"), "did you mean 'full'?"),
        (("params.yaml", "-d", "ucf101", "-f", "csv"), "unknown format 'csv'"),
        (("params.yaml", "-d", "ucf101", "-p", "ucf51"), "unknown profile 'ucf51'"),
        (
            ("params.yaml", "-d", "ucf101", "--lists", "none", "--protocol", "full"),
            "--lists applies to official3 only",
        ),
        (("params.yaml",), "--dataset"),
        (("damaged.npz", "-d", "ucf101"), "cannot be read as .npz"),
        (("damaged.parquet", "-d", "ucf101"), "damaged"),
        (("other.bin", "-d", "ucf101"), "not text, .npz or .parquet"),
    ],
)
def test_mistakes_on_the_command_line(
    bench: Bench, project: Path, words: tuple[str, ...], named: str
) -> None:
    (project / "damaged.npz").write_bytes(b"PK\x03\x04 and no more")
    (project / "damaged.parquet").write_bytes(b"PAR1 and no more")
    (project / "other.bin").write_bytes(b"\xff\xfe\xfd\xfc")
    code, out, err = bench("score", *words)
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert named in err


def test_scoring_needs_no_torch(project: Path) -> None:
    (project / "a.csv").write_text("predicted,label\nYoYo,YoYo\n")
    code = (
        "import sys\n"
        "from bench.cli.main import app\n"
        "app(['score', 'a.csv', '-d', 'ucf101'], standalone_mode=False)\n"
        "assert 'torch' not in sys.modules\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=project,
        env={"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
