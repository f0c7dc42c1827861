"""COCO detectors against torchvision's own."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torchvision import models

from bench.errors import UserError
from bench.features import torchvision_models as classifier
from bench.features.torchvision_models import detected as categories
from bench.features.torchvision_models import load_detector

MODEL = "ssdlite320_mobilenet_v3_large"  # the smallest
DEVICE = torch.device("cpu")
COCO = models.get_model_weights(MODEL).DEFAULT.meta["categories"]
State = dict[str, torch.Tensor]


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give a file of random weights, of which three objects are probable, "N/A" among them."""
    torch.manual_seed(0)
    net = models.get_model(MODEL, weights_backbone=None)
    for head in net.head.classification_head.module_list:
        with torch.no_grad():
            head[-1].bias.view(-1, 91)[:, [1, 12, 37]] += 3  # person, N/A, sports ball
    for module in net.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.momentum = 1.0
    with torch.no_grad():  # norms of their own inputs: else every image looks the same to it
        net.head(list(net.backbone(torch.rand(2, 3, 160, 160) * 2 - 1).values()))
    path = tmp_path_factory.mktemp("weights") / "own.pth"
    torch.save(net.state_dict(), path)
    return path


def frames() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (2, 60, 90, 3), np.uint8)


def test_boxes_are_those_of_torchvision(saved: Path) -> None:
    names, detect = load_detector(MODEL, saved, DEVICE, most=7)
    found = detect(frames())
    assert found.shape == (2, 7, 6) and found.dtype == np.float32
    net = models.get_model(MODEL, weights_backbone=None).eval()
    net.load_state_dict(torch.load(saved))
    for frame, boxes in zip(frames(), found, strict=True):
        with torch.inference_mode():
            one = net([torch.from_numpy(frame).permute(2, 0, 1) / 255])[0]
        listed = [
            (-float(p), COCO[label], [x1 / 90, y1 / 60, x2 / 90, y2 / 60])
            for p, label, (x1, y1, x2, y2) in zip(
                one["scores"], one["labels"], one["boxes"].tolist(), strict=True
            )
        ]
        assert "N/A" in {name for _, name, _ in listed}
        wanted = sorted(one for one in listed if one[1] != "N/A")[:7]
        assert len({p for p, _, _ in wanted}) == 7
        assert [names[int(box[0])] for box in boxes] == [name for _, name, _ in wanted]
        assert boxes[:, 1].tolist() == pytest.approx([-p for p, _, _ in wanted])
        assert boxes[:, 2:] == pytest.approx(np.array([box for _, _, box in wanted]), abs=1e-5)
    assert (found[:, :, 4:] > found[:, :, 2:4]).all()
    assert found[..., 2:].min() >= 0 and found[..., 2:].max() <= 1


def test_few_detections_are_padded(saved: Path) -> None:
    names, detect = load_detector(MODEL, saved, DEVICE, most=400)
    found = detect(frames()[:1])[0]
    there = found[:, 0] >= 0
    count = int(there.sum())
    assert 0 < count < 300 and there[:count].all()
    assert (found[count:] == [-1, 0, 0, 0, 0, 0]).all()
    assert (np.diff(found[:count, 1]) <= 0).all()
    assert {names[int(number)] for number in found[:count, 0]} >= {"person", "sports ball"}


def test_names_are_coco_without_the_empty_ones() -> None:
    names = categories("fasterrcnn_resnet50_fpn")
    assert len(names) == 80 and names[:2] == ["person", "bicycle"] and names[-1] == "toothbrush"


def test_every_detector_has_these_eighty() -> None:
    detectors = [n for n in models.list_models(models.detection) if not n.startswith("keypoint")]
    assert len(detectors) > 8
    first = categories(detectors[0])
    assert all(categories(model) == first for model in detectors)


@pytest.mark.parametrize("model", ["fasterrcnn_resnet50", "keypointrcnn_resnet50_fpn", "resnet50"])
def test_unknown_detectors(model: str) -> None:
    with pytest.raises(UserError, match=f"unknown torchvision detector '{model}'"):
        load_detector(model, None, DEVICE)


def test_weights_that_are_missing_or_do_not_fit(saved: Path, tmp_path: Path) -> None:
    with pytest.raises(
        UserError, match=r"are missing; get https://.*fasterrcnn_mobilenet_v3_large"
    ):
        load_detector("fasterrcnn_mobilenet_v3_large_fpn", tmp_path / "own.pth", DEVICE)
    state = torch.load(saved)
    name = next(iter(state))
    torch.save({n: w for n, w in state.items() if n != name}, tmp_path / "own.pth")
    with pytest.raises(UserError, match=f'not those of {MODEL}: Missing key.*"{name}"'):
        load_detector(MODEL, tmp_path / "own.pth", DEVICE)


@pytest.mark.slow
def test_norms_are_those_of_the_published_detector(monkeypatch: pytest.MonkeyPatch) -> None:
    model = "fasterrcnn_resnet50_fpn"
    trained = models.get_model(model, weights_backbone=None).state_dict()
    monkeypatch.setattr(classifier, "_read", lambda *_: trained)
    net: Any = classifier.open_model("detector", model, Path("own.pth"), DEVICE)[0]
    assert type(net.backbone.body.bn1).__name__ == "FrozenBatchNorm2d"
    assert net.backbone.body.bn1.eps == 0
