"""The project from Python and ``bench classify``: what a notebook and a user with a clip get."""

import json
import re
import shutil
import subprocess
import sys
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from made_project import CLASSES, make_trained
from project import ROOT, Ended, run_bench
from safetensors.numpy import load_file

import bench
from bench.config.paths import Layout
from bench.config.profile import load_config
from bench.data.index import read_index
from bench.data.words.word_vectors import write_vectors
from bench.errors import UserError
from bench.pipeline.inference.own_inputs import vectors_of

CELL = "base_ls.transfer.seed0"
TESTED = CLASSES["clips_test"]
OWN = ["surfing", "Playing Drums", "rowing"]


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("trained")
    make_trained(folder)
    return folder


@pytest.fixture
def clip(trained: Path) -> Path:
    return trained / "videos" / "clips_test" / "rowing boat" / "1.mp4"


@pytest.fixture(params=["base_ls", "dem"])
def row(request: pytest.FixtureRequest, trained: Path) -> Any:
    return bench.load(request.param, root=trained)


def stored(row: Any, root: Path) -> tuple[dict[str, Any], list[Path]]:
    layout = Layout(root, "clips")
    arrays = load_file(layout.runs / row.record.cell / "embeddings.safetensors")
    index = read_index(layout.index, "clips_test")
    return arrays, [index.root / index.paths[i] for i in arrays["clips_test.row"]]


def test_videos_embed_as_the_cell_stored_them(row: Any, trained: Path) -> None:
    arrays, paths = stored(row, trained)
    np.testing.assert_allclose(row.embed_videos(paths), arrays["clips_test.video"], atol=1e-6)


def test_classes_embed_as_the_cell_stored_them(row: Any, trained: Path) -> None:
    arrays, _ = stored(row, trained)
    np.testing.assert_allclose(row.embed_classes(TESTED), arrays["clips_test.class"], atol=1e-6)


def test_a_score_of_its_own_ranks(trained: Path) -> None:
    row = bench.load("dem", root=trained)
    arrays, paths = stored(row, trained)
    found = row.classify(paths[0], TESTED)
    np.testing.assert_allclose(
        found.set_index("class").loc[TESTED, "similarity"], arrays["clips_test.score"][0], atol=1e-6
    )
    assert found.attrs["score"] == "the method's own score"


def test_own_classes_are_ranked_by_cosine_and_known_ones_marked(trained: Path, clip: Path) -> None:
    row = bench.load("base_ls", root=trained)
    found = row.classify(clip, OWN)
    video, classes = row.embed_videos(clip)[0], row.embed_classes(OWN)
    cosines = classes @ video / np.linalg.norm(classes, axis=1) / np.linalg.norm(video)
    order = np.argsort(-cosines)
    assert list(found["class"]) == [OWN[i] for i in order]
    np.testing.assert_allclose(found["similarity"], cosines[order], atol=1e-6)
    assert list(found.index) == [1, 2, 3]
    assert set(found["class"][found["seen"]]) == {"surfing"}
    assert "no probabilities" in found.attrs["note"]


def test_vectors_stand_for_names(trained: Path) -> None:
    row = bench.load("base_ls", root=trained)
    with np.load(Layout(trained, "clips").words / "classes.npz") as words:
        vectors = words["clips_test.vectors"]
    np.testing.assert_array_equal(row.embed_classes(vectors), row.embed_classes(TESTED))


def test_what_it_was_trained_with(trained: Path) -> None:
    row = bench.load("base_ls", root=trained)
    assert row.record.cell == CELL
    assert row.parameters["train"]["steps"] == 2
    assert row.seen == CLASSES["clips_train"]
    assert repr(row) == "<Base w/ L_S, seed 0, split transfer, profile clips>"


def test_torch_is_left_as_it_was(trained: Path, clip: Path) -> None:
    import torch

    torch.use_deterministic_algorithms(False)
    before = torch.get_num_threads(), torch.random.get_rng_state()
    bench.load("base_ls", root=trained).classify(clip, OWN)
    assert not torch.are_deterministic_algorithms_enabled()
    assert torch.get_num_threads() == before[0]
    assert torch.equal(torch.random.get_rng_state(), before[1])


def test_a_method_that_changed_since_is_said(trained: Path, tmp_path: Path) -> None:
    root = tmp_path / "copy"
    shutil.copytree(trained, root)
    path = root / "methods" / "base_ls.py"
    path.write_text(path.read_text(encoding="utf-8") + "\nNEW = 1\n", encoding="utf-8")
    with pytest.warns(UserWarning, match=r"outdated: methods/base_ls\.py changed"):
        bench.load("base_ls", root=root)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ({"method": "base_sl"}, "unknown method 'base_sl'; did you mean 'base_ls'?"),
        ({"seed": 7}, "no record of seed 7 in profile clips; seeds there: 0"),
        ({"split": "transfr"}, "did you mean 'transfer'?"),
        ({"profile": "clisp"}, "unknown profile 'clisp'; did you mean 'clips'?"),
        ({"method": "base_ls+lam=1"}, "has no record in profile clips; run 'dvc repro' or"),
    ],
)
def test_a_row_that_is_not_there(trained: Path, words: dict[str, Any], said: str) -> None:
    with pytest.raises(UserError, match=re.escape(said)):
        bench.load(**{"method": "base_ls", "root": trained, **words})


@pytest.mark.parametrize(
    ("lost", "said"),
    [
        (f"results/records/clips/{CELL}.json", "base_ls has no record in profile clips"),
        (f"runs/clips/{CELL}", "is not here, only its record is; 'dvc pull'"),
        (f"runs/clips/{CELL}/model.safetensors", "is missing; 'dvc pull' (where a remote is set)"),
        ("data/clips/words/classes.npz", "is missing; run 'bench stage words'"),
    ],
)
def test_a_part_that_is_not_here(trained: Path, tmp_path: Path, lost: str, said: str) -> None:
    root = tmp_path / "copy"
    shutil.copytree(trained, root)
    path = root / lost
    shutil.rmtree(path) if path.is_dir() else path.unlink()
    with pytest.raises(UserError, match=re.escape(said)):
        bench.load("base_ls", root=root)


def test_damaged_weights(trained: Path, tmp_path: Path) -> None:
    root = tmp_path / "copy"
    shutil.copytree(trained, root)
    path = root / "runs" / "clips" / CELL / "model.safetensors"
    path.write_bytes(path.read_bytes()[:-9])
    with pytest.raises(UserError, match="not the file that the training wrote"):
        bench.load("base_ls", root=root)


@pytest.mark.parametrize(
    ("classes", "said"),
    [
        ([], "no classes to choose from"),
        ("surfing", "give a list of names"),
        (["surfing", "Surf-ing"], "class 'Surf-ing' is given twice ('surfing')"),
        (["?"], "no letter or digit"),
        (
            ["playing drum solos"],
            "'solos' of class 'playing drum solos' has no vector in words.txt",
        ),
        (["drmu"], "'drmu' has no vector in words.txt; nearest in spelling: 'drum'"),
    ],
)
def test_class_names_that_will_not_do(trained: Path, clip: Path, classes: Any, said: str) -> None:
    with pytest.raises(UserError, match=re.escape(said)):
        bench.load("base_ls", root=trained).classify(clip, classes)


def test_a_known_class_has_its_own_vector_in_any_spelling(tmp_path: Path) -> None:
    config, layout = load_config(ROOT, "paper"), Layout(tmp_path, "paper")
    classes = {"kinetics700": "clean and jerk", "ucf101": "Archery", "hmdb51": "sit"}
    own = np.eye(3, dtype=np.float32)
    layout.words.mkdir(parents=True)
    stored = {f"{name}.names": [one] for name, one in classes.items()}
    stored |= {f"{n}.vectors": own[i : i + 1] for i, n in enumerate(classes)}
    np.savez(layout.words / "classes.npz", **stored)
    words = ("clean", "jerk", "take", "picture", "push", "boat")
    write_vectors(layout.words / "vectors.npz", {w: -own[i % 3] for i, w in enumerate(words)})
    names = ["Clean and Jerk", "archery", "sit", "Photo-Bombing", "PushBoat"]
    assert vectors_of(names, config, layout).tolist() == [
        *own.tolist(), [-0.5, 0, -0.5], [0, -0.5, -0.5],
    ]  # fmt: skip


def test_a_video_that_will_not_do(trained: Path, clip: Path, tmp_path: Path, put: Any) -> None:
    (tmp_path / "note.mp4").write_text("no video")
    row = bench.load("base_ls", root=trained)
    for path, said in (
        (tmp_path / "absent.mp4", "is missing"),
        (tmp_path / "note.mp4", "cannot be opened"),
        (tmp_path, "not a file"),
        (put("short.mp4", frames=1), "too short: 1 frames, and at least 2 are needed"),
    ):
        with pytest.raises(UserError, match=said):
            row.classify(path, OWN)
    with pytest.raises(UserError, match="no videos to embed"):
        row.embed_videos([])
    with pytest.raises(UserError, match=r"class vectors are \[2, 3\]; give \[K,6\]"):
        row.embed_classes(np.zeros((2, 3)))


def test_a_video_shorter_than_a_clip_is_said(trained: Path, put: Any) -> None:
    row = bench.load("base_ls", root=trained)
    with pytest.warns(UserWarning, match="has 2 frames, fewer than a clip of"):
        row.embed_videos(put("two.mp4", frames=2))


def test_one_row_a_cell(trained: Path) -> None:
    found = bench.results(root=trained)
    assert list(found.index) == [CELL, "dem.transfer.seed0"]
    assert set(found["state"]) == {"ok"}
    assert found["clips_test.full.top1"].between(0, 100).all()


def test_a_table_shows_its_header_with_its_numbers(trained: Path) -> None:
    found = bench.table("ablation", root=trained)
    assert found.columns.nlevels == 2
    assert found["published"].loc["Base w/ L_S", "UCF101"] == "40.3"
    text = found._repr_html_()
    assert "tiny clips" in text and "top-1 in percent" in text and "colspan" in text
    assert type(found.head(1)) is pd.DataFrame  # a part of it has no header to show


def test_a_table_gives_numbers(trained: Path) -> None:
    found = bench.table("ablation", numbers=True, root=trained)
    of_row = found.loc["base_ls"]
    assert of_row["ucf101.full.top1", "published"] == 40.3
    assert of_row["clips_test.full.top1", "n"] == 1
    assert of_row["clips_test.full.top1", "mean"] == pytest.approx(
        bench.results(root=trained).loc[CELL, "clips_test.full.top1"]
    )


def test_splits_are_rows(trained: Path) -> None:
    found = bench.splits("clips_test", "full", root=trained)
    assert list(found.columns) == ["split", "class", "side"]
    assert list(found["class"][found["side"] == "unseen"]) == TESTED
    assert found.attrs["protocol"] == "full"
    with pytest.raises(UserError, match="unknown protocol 'ful'"):
        bench.splits("clips_test", "ful", root=trained)


def test_the_command_ranks(trained: Path, clip: Path) -> None:
    ended = classified(trained, clip, "--classes", "rowing, surfing", "-m", "base_ls")
    assert ended.code == 0
    assert re.search(r"^ +[12]  surfing +-?0\.\d{3}  a training class$", ended.out, re.MULTILINE)
    assert "Cosines are no probabilities" in ended.out


def test_the_command_says_the_same_as_json(trained: Path, clip: Path) -> None:
    words = ("--classes", "rowing,surfing,knitting", "-m", "dem", "--top", "2", "-f", "json")
    found = json.loads(classified(trained, clip, *words).out)
    assert [one["rank"] for one in found["classes"]] == [1, 2]
    assert found["cell"] == "dem.transfer.seed0"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--classes", ""), "no classes to choose from"),
        (("--classes", "rowing", "-m", "dme"), "unknown method 'dme'; did you mean 'dem'?"),
        (("--classes", "rowing"), "say which row is to classify"),
    ],
)
def test_mistakes_are_one_line(
    trained: Path, clip: Path, words: tuple[str, ...], said: str
) -> None:
    ended = classified(trained, clip, *words)
    assert ended.code == 2
    assert said in ended.err and len(ended.err.splitlines()) == 1


def classified(root: Path, clip: Path, *words: str) -> Ended:
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)
        return run_bench(root, "classify", str(clip), *words)


def test_importing_is_free_and_what_is_offered_is_there() -> None:
    code = "import sys, bench; print(*sorted({'torch', 'pandas', 'bench.api'} & set(sys.modules)))"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == ""
    assert all(callable(getattr(bench, name)) for name in bench.__all__)
    with pytest.raises(AttributeError, match="has no attribute 'nope'"):
        _ = bench.nope
