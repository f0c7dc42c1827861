"""``bench data prepare``: what training finds decoded, and what it says before."""

import shutil
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from project import Bench
from ruamel.yaml import YAML

from bench.config.paths import Layout, find_root
from bench.config.profile import load_config
from bench.data.index import read_index
from bench.data.video.clip_reader import ClipReader


def test_training_and_embedding_read_the_same_from_the_store_and_from_the_videos(
    bench: Bench, project: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(str(project))
    assert bench("stage", "data").code == 0
    layout = Layout(find_root(), "mini")
    ended = bench("data", "prepare", "mini_hmdb", "-j", "1")
    assert (ended.code, ended.err) == (0, "")
    assert ended.out.startswith("mini_hmdb: 200 videos, ")
    assert ended.out.endswith("mini_hmdb: ready\n")
    settings = load_config(layout.root, "mini").profile.input
    index = read_index(layout.index, "mini_hmdb")
    stored, direct = (
        ClipReader.open(index, settings.model_copy(update={"store": s}), layout.scratch / "frames")
        for s in (True, False)
    )
    rows = [0, 7, 199]
    for one, two in ((stored.test(rows), direct.test(rows)),):
        assert np.array_equal(one, two)
    drawn = [s.train(rows, np.random.default_rng(3)) for s in (stored, direct)]
    assert np.array_equal(*drawn)

    usage = SimpleNamespace(free=1000)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage)
    shutil.rmtree(layout.scratch / "frames")
    code, _, err = bench("data", "prepare", "mini_hmdb")
    assert (code, "GB needed for mini_hmdb; make .bench a link" in err) == (2, True)


@pytest.mark.parametrize("jpeg", [True, False])
def test_a_store_that_is_there_needs_no_room(
    bench: Bench, project: Path, put: Any, monkeypatch: pytest.MonkeyPatch, jpeg: bool
) -> None:
    put("a/one.mp4")
    given = {"size": 16, "length": 2, "jpeg": jpeg}
    sets = {"mine": {"kind": "videos", "root": "videos"}}
    own = {"title": "own", "datasets": sets, "words": {"kind": "corpus"}, "input": given}
    YAML(typ="safe").dump({"profile": "own", "profiles": {"own": own}}, project / "params.yaml")
    assert bench("stage", "data").code == 0
    assert bench("data", "prepare", "-j", "1").code == 0
    monkeypatch.setattr(shutil, "disk_usage", lambda path: SimpleNamespace(free=0))
    assert bench("data", "prepare", "-j", "1").code == 0


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (("mini_hmbd",), "did you mean 'mini_hmdb'?"),
        (("-p", "e2e"), "crops frames of different sizes"),
        (("-p", "ucf15"), "has no data set of videos"),
        (("mini_ucf",), "run 'bench stage data'"),
    ],
)
def test_what_cannot_be_prepared(bench: Bench, words: tuple[str, ...], reason: str) -> None:
    code, _, err = bench("data", "prepare", *words)
    assert (code, err.count("\n")) == (2, 1)
    assert reason in err
