"""`bench words`: class → words of public data sets and of a profile's own; what vectors lack."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from project import ROOT, Bench, write_index_file
from ruamel.yaml import YAML

from bench.config.paths import Layout
from bench.data import reference as facts
from bench.data.words.class_vectors import PUBLIC
from bench.data.words.word_vectors import write_vectors


@pytest.mark.parametrize("dataset", PUBLIC)
def test_public_data_sets_need_no_data(bench: Bench, dataset: str) -> None:
    ended = bench("words", dataset, "--format", "json")
    assert ended.code == 0
    assert json.loads(ended.out) == {
        **{"dataset": dataset, "classes": facts.classes(dataset), "missing": None}
    }
    assert ended.err == "note: no word vectors to look the words up in; give --vectors FILE\n"


def test_missing_words_are_listed_with_their_classes(bench: Bench, project: Path) -> None:
    words = {word for listed in facts.classes("hmdb51").values() for word in listed}
    lines = [f"{word} 1 2" for word in sorted(words - {"ball", "brush"})]
    (project / "v.txt").write_text("\n".join(lines))
    ended = bench("words", "HMDB-51", "--vectors", "v.txt", "--format", "json")
    assert ended.err == ""
    assert json.loads(ended.out)["missing"] == {
        "brush": ["brush_hair"],
        "ball": ["kick_ball", "shoot_ball"],
    }
    text = bench("words", "hmdb51", "--vectors", "v.txt").out.splitlines()
    assert text[0] == "brush_hair: brush hair"
    assert text[51] == "2 words without a vector in v.txt"
    assert text[52] == "  brush: brush_hair"


def test_a_profiles_own_data_set_is_looked_up_in_the_kept_vectors(
    bench: Bench, project: Path
) -> None:
    layout = Layout(project, "mini")
    assert "bench stage data -p mini" in bench("words", "mini_ucf").err
    layout.index.mkdir(parents=True)
    write_index_file(layout.index, "mini_ucf", classes=["circle falling"])
    layout.words.mkdir(parents=True)
    vector = np.ones(2, np.float32)
    write_vectors(layout.words / "vectors.npz", {"circle": vector, "bar": vector})
    ended = bench("words", "mini_ucf", "--format", "json")
    assert json.loads(ended.out) == {
        "dataset": "mini_ucf",
        "classes": {"circle falling": ["circle", "falling"]},
        "missing": {"falling": ["circle falling"]},
    }
    assert ended.err == ""


def test_classes_and_vectors_are_those_of_one_profile(bench: Bench, project: Path) -> None:
    sets = {"own": {"kind": "videos", "root": "videos", "classes": ["ride horse"]}}
    one = {"title": "one", "datasets": sets, "words": {"kind": "word2vec", "file": "v.txt"}}
    two = {**one, "datasets": {"own": sets["own"] | {"classes": ["play flute"]}}}
    raw = {"profile": "one", "profiles": {"one": one, "two": two}}
    YAML(typ="safe").dump(raw, project / "params.yaml")

    def found() -> tuple[list[str], dict[str, list[str]] | None]:
        value = json.loads(bench("words", "own", "--json").out)
        return list(value["classes"]), value["missing"]

    assert found() == (["ride horse"], None)
    (project / "v.txt").write_text("ride 1 2\n")
    assert found() == (["ride horse"], {"horse": ["ride horse"]})  # from the source
    folder = Layout(project, "two").words
    folder.mkdir(parents=True)
    write_vectors(folder / "vectors.npz", {"play": np.ones(2, np.float32)})
    assert found() == (["play flute"], {"flute": ["play flute"]})


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (["kinetics70"], "unknown data set 'kinetics70'; did you mean 'kinetics700'?"),
        (["ucf101", "-f", "jsn"], "unknown format 'jsn'; did you mean 'json'?"),
        (["ucf101", "-p", "papr"], "unknown profile 'papr'; did you mean 'paper'?"),
        (["ucf101", "--vectors", "no.bin"], "word vectors no.bin are missing"),
    ],
)
def test_mistakes_are_one_line(bench: Bench, words: list[str], complaint: str) -> None:
    ended = bench("words", *words)
    assert (ended.code, ended.out) == (2, "")
    assert ended.err.startswith(f"error: {complaint}")
    assert ended.err.count("\n") == 1


def test_nothing_heavy_is_loaded() -> None:
    code = (
        "import sys; sys.argv = ['bench', 'words', 'ucf101']\n"
        "from bench.cli.main import main\n"
        "try: main()\n"
        "except SystemExit: print(sorted({'torch', 'pandas', 'gensim'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert done.stdout.splitlines()[-1] == "[]"
