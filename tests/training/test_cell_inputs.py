"""What a cell opens: a method that asks for no clips never reads a video."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any, ClassVar

import numpy as np
import pytest

from bench.config.paths import Layout
from bench.config.schema import Input
from bench.data.index import Index
from bench.data.input_store import write_videos
from bench.method import Method
from bench.training import cell_inputs as opening


class Features(Method):
    needs: ClassVar[tuple[str, ...]] = ("features",)
    wants: ClassVar[tuple[str, ...]] = ("objects",)


class Clips(Method):
    """Clips, or with ``freeze_backbone`` the features of them."""


@pytest.fixture
def opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Give a function that opens a method's sources, in a place where videos cannot be read."""

    def unreadable(*rest: Any) -> Any:
        raise AssertionError("a video was opened")

    monkeypatch.setattr(opening.ClipReader, "open", unreadable)
    layout = Layout(tmp_path, "p")
    for name in ("features", "objects"):
        write_videos(layout.inputs / name, "d", "key", iter([np.zeros((2, 3, 4))]), 2, {1: "lost"})
    rows = np.arange(2)
    index = Index(
        "d", "videos", tmp_path, ["c"], ["a", "b"], rows * 0, rows + 1, "", rows, {}, "", ["", ""]
    )

    def run(method: Method, **inputs: str) -> Any:
        job: Any = SimpleNamespace(layout=layout, inputs=inputs, input=Input())
        return opening.open_sources(job, method, index)

    return run


def test_features_are_opened_without_the_videos(opened: Any) -> None:
    found = opened(Features(), features="made", objects="made")
    assert set(found) == {"features", "objects"}
    assert (found["features"].n, found["features"].dim) == (3, 4)
    assert found["features"].failures == {1: "lost"}


def test_a_wanted_input_that_is_not_given_is_not_opened(opened: Any) -> None:
    assert set(opened(Features(), features="made")) == {"features"}


def test_a_frozen_backbone_reads_features_as_video(opened: Any) -> None:
    method = Clips()
    method.freeze_backbone = True
    assert opened(method, features="made")["video"].dim == 4
    with pytest.raises(AssertionError, match="a video was opened"):
        opened(Clips())


def test_a_needed_input_that_is_not_made_names_the_stage(opened: Any) -> None:
    with pytest.raises(opening.MissingInput, match="needs features; run 'bench stage inputs'"):
        opened(Features())
