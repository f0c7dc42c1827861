"""Released checkpoints in and out, against a network of torchvision and plain layers."""

import argparse
import hashlib
import json
import os
import pickle
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from project import ROOT
from torch import Tensor, nn
from torchvision.models.video import resnet

from bench.config.profile import load_config
from bench.config.schema import Network
from bench.errors import UserError
from bench.method import Batch, Classes, Context
from bench.models.r2plus1d import new_backbone
from bench.models.released_names import released_names
from bench.pipeline.released_checkpoints import Kind, convert, read_released, to_released
from methods.aurl import AURL
from methods.base_mse import BaseMSE

PAPER = load_config(ROOT, "paper").profile.network
TINY = Network(stem=4, widths=(4, 8), blocks=(1, 1), head=6)
Saved = dict[str, Any]


def head(inputs: int, width: int) -> nn.Module:
    made = nn.Module()
    made.l1 = nn.Sequential(nn.Linear(inputs, width), nn.BatchNorm1d(width), nn.ReLU())
    made.l2 = nn.Sequential(nn.Linear(width, width), nn.BatchNorm1d(width), nn.ReLU())
    made.l3 = nn.Sequential(nn.Linear(width, width), nn.BatchNorm1d(width))
    return made


def reference(classes: int, width: int = 2048) -> nn.Module:
    """Build what was released, by its names: torchvision's network and plain layers."""
    net = nn.Module()
    net.backbone, net.backbone_words = nn.Module(), nn.Module()
    video = resnet.r2plus1d_18(weights=None)
    net.backbone.model = nn.Sequential(*list(video.children())[:-1])
    net.backbone.regressor = nn.Linear(512, 300)
    net.backbone_words.regressor = nn.Linear(300, 512)
    net.projection, net.projection_words = head(512, width), head(512, width)
    net.encode = nn.Sequential(net.backbone, net.projection)
    net.encode_words = nn.Sequential(net.backbone_words, net.projection_words)
    net.classifier, net.classifier_txts = nn.Module(), nn.Module()
    net.classifier.weight = nn.Parameter(torch.rand(classes, width))
    net.classifier_txts.weight = nn.Parameter(torch.rand(classes, width))
    for module in net.modules():
        if isinstance(module, (nn.BatchNorm1d, nn.BatchNorm3d)):
            module.running_mean.normal_(0, 0.1)
            module.running_var.uniform_(0.5, 2)
            nn.init.uniform_(module.weight, 0.5, 1.5)
            nn.init.normal_(module.bias, 0, 0.1)
            module.num_batches_tracked.fill_(58_500)
    return net.eval()


def mapped(mlp: nn.Module, x: Tensor) -> Tensor:
    y: Tensor = mlp.l3(mlp.l2(mlp.l1(x)))
    return y


def method_of(state: dict[str, Tensor], network: Network, classes: int, words: int) -> AURL:
    method = AURL()
    backbone, dim = new_backbone(network, 0)
    seen = Classes([str(i) for i in range(classes)], torch.zeros(classes, words))
    method.build(Context(seen, {"video": 0}, network.head, backbone, dim))
    method.load_state_dict(state)
    return method.eval()


def tiny_state(classes: int = 5, words: int = 7) -> dict[str, Tensor]:
    """Return a small released state dict of random weights."""
    torch.manual_seed(0)
    method = AURL()
    backbone, dim = new_backbone(TINY, 0)
    seen = Classes([str(i) for i in range(classes)], torch.zeros(classes, words))
    method.build(Context(seen, {"video": 0}, TINY.head, backbone, dim))
    return to_released(method.state_dict(), Kind(AURL, {}, TINY))


def saved(path: Path, state: Any = None, **more: Any) -> Path:
    opt = argparse.Namespace(n_classes=5, lr=np.float64(1e-9), split=-1, weights=None)
    value = {"state_dict": tiny_state() if state is None else state, "opt": opt}
    torch.save(value | {"accuracy": np.float64(35.9)} | more, path)
    return path


@pytest.mark.parametrize("size", [(4, 56), pytest.param((16, 112), marks=pytest.mark.slow)])
@torch.inference_mode()
def test_embeddings_are_those_of_the_released_network(
    tmp_path: Path, size: tuple[int, int]
) -> None:
    torch.manual_seed(0)
    net = reference(classes=9)
    path = saved(tmp_path / "released.pth.tar", net.state_dict())
    method = method_of(convert(read_released(path)[0], Kind(AURL, {}, PAPER)), PAPER, 9, 300)
    clips, words = torch.randn(1, 2, 3, size[0], size[1], size[1]), torch.randn(11, 300)
    v = method.embed_video(Batch({"video": clips}, torch.empty(0)))
    features = net.backbone.model(clips.flatten(0, 1)).flatten(1)
    wanted = mapped(net.projection, features).view(1, 2, -1).mean(1)
    s = method.embed_class(Classes(list("abcdefghijk"), words))
    wanted_s = mapped(net.projection_words, net.backbone_words.regressor(words))
    for found, theirs in ((v, wanted), (s, wanted_s)):
        assert found.shape == theirs.shape and theirs.std() > 0.05
        error = float((found - theirs).abs().max() / theirs.abs().max())
        print(f"largest difference {error:.1e} of the largest value {theirs.abs().max():.2f}")
        assert error < 1e-5


def test_the_released_form_has_the_released_names_and_shapes(shared_data: Path) -> None:
    keys = json.loads((shared_data.parent / "spec" / "released_checkpoint_keys.json").read_text())
    kind = Kind(AURL, {}, PAPER)
    with torch.device("meta"):
        theirs = to_released(kind.built(662, 300).state_dict(), kind)
    assert {name: list(weight.shape) for name, weight in theirs.items()} == keys


def test_out_and_in_again_gives_the_same_weights(tmp_path: Path) -> None:
    state = tiny_state()
    kind = Kind(AURL, {}, TINY)
    ours = convert(state, kind)
    again = convert(to_released(ours, kind), kind)
    assert ours.keys() == again.keys() == released_names(kind.built()).keys()
    assert all(torch.equal(ours[name], again[name]) for name in ours)
    parallel = {f"module.{name}": weight for name, weight in state.items()}
    read, facts = read_released(saved(tmp_path / "a", parallel))
    assert read.keys() == state.keys()
    assert facts["accuracy"] == 35.9 and facts["opt"]["lr"] == 1e-9 and not facts["opt"]["weights"]


def test_files_of_older_programs(tmp_path: Path) -> None:
    path, older = saved(tmp_path / "a"), tmp_path / "older"
    with zipfile.ZipFile(path) as new, zipfile.ZipFile(older, "w") as old:
        for name in new.namelist():
            content = new.read(name)
            if name.endswith("data.pkl"):
                assert b"numpy._core.multiarray" in content
                content = content.replace(b"numpy._core.multiarray", b"numpy.core.multiarray")
            old.writestr(name, content)
    torch.save(torch.load(path, weights_only=False), path, _use_new_zipfile_serialization=False)
    assert read_released(older)[1] == read_released(path)[1]


def test_a_file_without_copies_and_unused_weights_is_enough() -> None:
    kind = Kind(AURL, {}, TINY)
    state = tiny_state()
    used = {theirs: state[theirs] for theirs in released_names(kind.built()).values()}
    assert len(used) < len(state)
    assert convert(used, kind).keys() == convert(state, kind).keys()


STEM, BIAS = "encode.0.model.0.0.weight", "encode.1.l1.0.bias"


@pytest.mark.parametrize(
    ("name", "change", "line"),
    [
        (STEM, None, f"weight '{STEM}' is missing"),
        ("classifier.weight", None, "weight 'classifier.weight' is missing"),
        ("classifier.weight", torch.ones(5), "'classifier.weight' has shape [5]"),
        ("classifier_txts.weight", torch.ones(5, 9), "has shape [5, 9], expected [5, 6]"),
        (BIAS, torch.ones(9), f"'{BIAS}' has shape [9], expected [6]"),
        ("classifier.wieght", torch.ones(1), "'classifier.wieght'; did you mean 'classifier.weigh"),
        ("encode.1.l3.0.bias", torch.full((6,), torch.nan), "differs from"),
        ("backbone.model.0.0.weight", torch.zeros(4, 3, 1, 7, 7), f"differs from '{STEM}'"),
    ],
)
def test_wrong_weights_are_one_line(name: str, change: Tensor | None, line: str) -> None:
    state = tiny_state()
    state.pop(name, None)
    if name == BIAS:  # else its copy differs before its shape can
        state.pop(name.replace("encode.1", "projection"))
    if change is not None:
        state[name] = change
    with pytest.raises(UserError) as error:
        convert(state, Kind(AURL, {}, TINY))
    assert line in str(error.value) and "\n" not in str(error.value)


def test_weights_that_are_not_finite() -> None:
    state = {n: w for n, w in tiny_state().items() if not n.startswith("projection.")}
    state["encode.1.l3.0.bias"] = torch.full((6,), torch.inf)
    with pytest.raises(UserError, match=r"'encode\.1\.l3\.0\.bias' is not finite"):
        convert(state, Kind(AURL, {}, TINY))


def test_a_method_without_released_names() -> None:
    with pytest.raises(UserError, match="method base_mse has no released checkpoint"):
        convert(tiny_state(), Kind(BaseMSE, {}, TINY))


class Evil:
    """What a hostile pickle does when it is loaded."""

    def __init__(self, marker: Path) -> None:
        self.marker = marker

    def __reduce__(self) -> tuple[Any, ...]:
        return os.system, (f"touch {self.marker}",)


@pytest.mark.parametrize("plain", [True, False], ids=["pickle", "torch.save"])
@pytest.mark.filterwarnings("error")
def test_a_pickle_is_never_executed(tmp_path: Path, plain: bool) -> None:
    path, marker = tmp_path / "evil.pth.tar", tmp_path / "executed"
    value = {"state_dict": {}, "opt": Evil(marker)}
    if plain:
        path.write_bytes(pickle.dumps(value, 2))
    else:
        torch.save(value, path)
    with pytest.raises(UserError) as error:
        read_released(path)
    assert "\n" not in str(error.value)
    assert plain or ".system, which a checkpoint does not need; refused" in str(error.value)
    assert not marker.exists()


def test_unexpected_objects_are_named(tmp_path: Path) -> None:
    path = saved(tmp_path / "a", opt=hashlib.sha256)
    with pytest.raises(UserError, match="openssl_sha256, which a checkpoint does not"):
        read_released(path)


@pytest.mark.parametrize("size", [0, 1, 300, -200], ids=str)
def test_truncated_files(tmp_path: Path, size: int) -> None:
    path = saved(tmp_path / "a")
    path.write_bytes(path.read_bytes()[:size])
    with pytest.raises(UserError, match="damaged, or not a checkpoint"):
        read_released(path)


@pytest.mark.parametrize("content", [b"GIF89a", b"\x80\x02]q\x00.", b"text\n" * 99], ids=str)
def test_other_files(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "a").write_bytes(content)
    with pytest.raises(UserError, match="damaged, or not a checkpoint"):
        read_released(tmp_path / "a")


@pytest.mark.parametrize("value", [[1], {"weights": {}}, {"state_dict": {"a": 1}}], ids=str)
def test_files_of_torch_that_are_no_checkpoints(tmp_path: Path, value: Any) -> None:
    torch.save(value, tmp_path / "a")
    with pytest.raises(UserError, match="no 'state_dict' of tensors"):
        read_released(tmp_path / "a")


def test_absent_file(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="is missing"):
        read_released(tmp_path / "a")
    with pytest.raises(UserError, match="is a folder"):
        read_released(tmp_path)
