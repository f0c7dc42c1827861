"""Every file in methods/ keeps the contract, and the contract test sees what breaks it."""

from pathlib import Path

import pytest
from project import ROOT

from bench.experiments.method_registry import MethodFile, scan
from bench.training.method_check import check_method

FILES = scan(ROOT)

# Lines of GOOD that a flaw stands in for.
EMBED = "return over_clips(lambda x: self.f(self.g(x)), batch.video)"
RETURN = 'return loss, {"L": loss}'

GOOD = """
import torch
from torch import nn

from bench.method import Method, over_clips


class Mine(Method):
    label = "Mine"

    def build(self, ctx):
        self.g = ctx.backbone()
        self.f = nn.Linear(ctx.backbone_dim, ctx.word_dim)

    def embed_video(self, batch):
        return over_clips(lambda x: self.f(self.g(x)), batch.video)

    def embed_class(self, classes):
        return classes.vectors

    def loss(self, batch, seen):
        loss = (self.embed_video(batch) - seen.vectors[batch.y]).square().mean()
        return loss, {"L": loss}
"""


@pytest.mark.parametrize("file", FILES.values(), ids=list(FILES))
def test_method(file: MethodFile) -> None:
    assert check_method(file) == []


def test_the_template_is_a_method(tmp_path: Path) -> None:
    text = (ROOT / "bench" / "pipeline" / "method_template.py").read_text()
    assert check_method(_put(tmp_path, text)) == []


def test_the_method_that_the_wrong_ones_are_made_of(tmp_path: Path) -> None:
    assert check_method(_put(tmp_path, GOOD)) == []


@pytest.mark.parametrize(
    ("old", "new", "complaint"),
    [
        ('label = "Mine"', 'label = ""', "'label' is empty"),
        ('label = "Mine"', 'label = "Mine"\n    needs = ("sound",)', "needs 'sound'"),
        (
            'label = "Mine"',
            'label = "Mi" + "ne"',
            "label is 'Mine', but 'mine' to those who read its text",
        ),
        (
            'label = "Mine"',
            'label = "Mine"\n    needs = list(("video", "texts"))',
            "write needs = ('video', 'texts') in the class itself",
        ),
        ("import torch\n", "import troch\n", "mine.py:2 ModuleNotFoundError"),
        ("def build(self, ctx)", "def bild(self, ctx)", "mine.py:16 AttributeError"),
        (
            EMBED,
            "return 1 / 0",
            "mine.py:16 Zero",
        ),
        (".square().mean()", ".square().mean() / 0", "loss is inf"),
        (".square().mean()", ".square().mean(1)", "not one finite number"),
        (".square().mean()", ".square().mean() * 0", "changes no parameter"),
        ('{"L": loss}', '{"L": seen.vectors}', "part 'L' of the loss is not one number"),
        (RETURN, "return loss", "loss() gave Tensor, not the loss and a dict"),
        (
            RETURN,
            "return None",
            "loss() gave NoneType, not the loss and a dict",
        ),
        ('{"L": loss}', "[loss]", "loss() gave tuple (Tensor, list), not the loss and a dict"),
        ('{"L": loss}', '{"L": loss.item()}', "part 'L' that loss() gave is a float, not a tensor"),
        ("return loss,", "return 1.0,", "the loss that loss() gave is a float, not a tensor"),
        ("return loss,", "return loss.detach(),", "changes no parameter"),
        ("return classes.vectors", "pass", "embed_class gave NoneType, not a tensor"),
        (
            EMBED,
            "return self.f(self.g(batch.video.flatten(0, 1)))",
            "embed_video gave [16, 10], not [8, 10], with 2 clips a video",
        ),
        (
            EMBED,
            "return self.f(self.g(batch.video.reshape(8, *batch.video.shape[2:])))",
            "with 2 clips a video, as in a test; average over them with over_clips()",
        ),
        ("ctx.word_dim)", "7)", "mine.py:22 RuntimeError"),
        ("def loss", "def los", "neither loss() nor fit()"),
        ("def embed_video", "def embed_vid", "Mine has no embed_video()"),
        ("classes.vectors", "classes.vectors[:, :3]", "dimensions differ (10 and 3)"),
        ("classes.vectors", "classes.vectors[:2]", "embed_class gave [2, 10], not [4, D]"),
        ("classes.vectors", "classes.vectors / 0", "not finite"),
        ("batch.video)", "batch.video) * torch.rand(())", "differs from call to call"),
        ("batch.video)", "batch.video)[None]", "embed_video gave [1, 8, 10], not [8, D]"),
    ],
)
def test_what_is_complained_about(tmp_path: Path, old: str, new: str, complaint: str) -> None:
    assert old in GOOD
    found = check_method(_put(tmp_path, GOOD.replace(old, new)))
    assert any(complaint in one for one in found), found
    assert all("mine" in one and "\n" not in one for one in found)


def test_a_method_of_clips_alone_is_not_tried_on_features(tmp_path: Path) -> None:
    text = GOOD.replace(
        "return over_clips", "assert batch.video.ndim == 6\n        return over_clips"
    )
    (complaint,) = check_method(_put(tmp_path / "a", text))
    assert complaint.endswith("AssertionError: no message (on features)")
    text = text.replace("label =", 'needs = ("clips",)\n    label =')
    assert check_method(_put(tmp_path / "b", text)) == []


def test_signatures_come_with_their_objects(tmp_path: Path) -> None:
    text = GOOD.replace("label =", 'needs = ("video", "signatures")\n    label =')
    text = text.replace("self.g =", "self.objects = ctx.objects.vectors\n        self.g =")
    assert check_method(_put(tmp_path, text)) == []


def test_a_method_without_weights(tmp_path: Path) -> None:
    text = """
from bench.method import Method


class Mine(Method):
    label = "Mine"

    def embed_video(self, batch):
        return batch.video.flatten(1)[:, :10]
"""
    (complaint, *_) = check_method(_put(tmp_path / "a", text))
    assert "has no parameters to train; override fit()" in complaint
    fitted = text + "\n    def fit(self, batches, seen):\n        pass\n"
    assert check_method(_put(tmp_path / "b", fitted)) == []


def _put(root: Path, text: str) -> MethodFile:
    folder = root / "methods"
    folder.mkdir(parents=True)
    (folder / "mine.py").write_text(text)
    return scan(root)["mine"]
