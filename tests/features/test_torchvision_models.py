"""Classifiers and detectors against torchvision's own, weights that do not fit."""

from pathlib import Path
from typing import Any
from urllib.error import URLError

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torchvision import models

from bench.data.reference import pretraining_classes
from bench.errors import UserError
from bench.features import image_classifiers as classifier
from bench.features.image_classifiers import load_classifier, load_detector, open_model

MODEL = "squeezenet1_1"
DEVICE = torch.device("cpu")
DETECTOR = "ssdlite320_mobilenet_v3_large"  # the smallest
COCO = models.get_model_weights(DETECTOR).DEFAULT.meta["categories"]
State = dict[str, torch.Tensor]


@pytest.fixture(scope="module")
def state() -> State:
    """Give random weights of the small model that the tests use."""
    torch.manual_seed(0)
    state: State = models.get_model(MODEL).state_dict()
    # Wide enough logits: equal probabilities would hide a wrong input.
    state["classifier.1.weight"] *= 50
    return state


def frames() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (2, 48, 64, 3), np.uint8)


@pytest.mark.parametrize("suffix", [".pt", ".safetensors"])
def test_probabilities_are_those_of_torchvision(state: State, tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"own{suffix}"
    save_file(state, path) if suffix == ".safetensors" else torch.save(state, path)
    names, model = load_classifier(MODEL, path, DEVICE)
    net = models.get_model(MODEL).eval()
    net.load_state_dict(state)
    prepare = models.get_model_weights(MODEL).DEFAULT.transforms()
    given = frames()
    found = model(given)
    assert found.dtype == np.float32 and found.shape == (2, 1000) and len(names) == 1000
    for frame, row in zip(given, found, strict=True):
        with torch.inference_mode():
            logits = net(prepare(torch.from_numpy(frame).permute(2, 0, 1))[None])[0].double()
        assert row == pytest.approx(logits.softmax(0).numpy(), rel=1e-4, abs=1e-7)
    assert found.max() > 0.01 and not np.allclose(found[0], found[1], rtol=0.1)


def test_names_are_words_and_tell_all_objects_apart() -> None:
    names = pretraining_classes("imagenet1k")
    assert [names[i] for i in (0, 2, 89, 264, 474)] == [
        *("tench", "great white shark", "sulphur crested cockatoo"),
        *("cardigan welsh corgi", "cardigan"),
    ]
    assert len(set(names)) == 1000
    assert not [name for name in names if name != name.lower() or "-" in name]


def test_listed_classes_are_those_of_every_model() -> None:
    imagenet = {
        tuple(models.get_model_weights(m).DEFAULT.meta["categories"])
        for m in models.list_models(models)
    }
    assert len(imagenet) == 1
    same = {"Cardigan": "Cardigan Welsh corgi"}  # two names that only differ in the capital
    names = [same.get(n, n).replace("-", " ").lower() for n in imagenet.pop()]
    assert pretraining_classes("imagenet1k") == names
    detectors = [n for n in models.list_models(models.detection) if not n.startswith("keypoint")]
    coco = {tuple(models.get_model_weights(m).DEFAULT.meta["categories"]) for m in detectors}
    assert coco == {tuple(COCO)}
    used = [name for name in COCO if name not in ("__background__", "N/A")]
    assert pretraining_classes("coco") == used and len(used) == 80


def test_the_builder_does_what_it_does_for_published_weights(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    trained = models.get_model("googlenet", aux_logits=True, init_weights=False).state_dict()
    monkeypatch.setattr(classifier, "_read", lambda *_: trained)
    net: Any = open_model("classifier", "googlenet", Path("g.pth"), DEVICE)[0]
    assert net.transform_input and net.aux1 is None and not net.training
    known = models.get_model_weights("googlenet")
    assert "get_state_dict" not in vars(known)


@pytest.mark.parametrize(
    ("file", "size"), [("mobilenet_v2-b0353104.pt", 256), ("mobilenet_v2.pth", 232)]
)
def test_a_file_of_torchvision_is_known_by_its_name(
    monkeypatch: pytest.MonkeyPatch, file: str, size: int
) -> None:
    trained = models.get_model("mobilenet_v2").state_dict()
    monkeypatch.setattr(classifier, "_read", lambda *_: trained)
    _, entry = open_model("classifier", "mobilenet_v2", Path(file), DEVICE)
    assert entry.transforms().resize_size == [size]


def test_loading_draws_no_global_random_numbers(state: State, tmp_path: Path) -> None:
    torch.save(state, tmp_path / "own.pth")
    before = torch.random.get_rng_state()
    load_classifier(MODEL, tmp_path / "own.pth", DEVICE)
    assert torch.equal(torch.random.get_rng_state(), before)


def test_unknown_models() -> None:
    with pytest.raises(UserError, match=r"unknown torchvision classifier 'resnet5O'; .*'resnet50'"):
        load_classifier("resnet5O", None, DEVICE)
    with pytest.raises(UserError, match="unknown torchvision classifier 'r2plus1d_18'"):
        load_classifier("r2plus1d_18", None, DEVICE)


def test_missing_weights_say_where_to_get_them(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"own\.pth are missing; get https://.*pth .* download$"):
        load_classifier(MODEL, tmp_path / "own.pth", DEVICE)
    with pytest.raises(UserError, match="no weights are set; get https://"):
        load_classifier(MODEL, None, DEVICE)


class Trap:
    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (self.path,)


def test_a_pickle_does_not_run(state: State, tmp_path: Path) -> None:
    torch.save(state | {"fc.weight": Trap(tmp_path / "sprung")}, tmp_path / "own.pth")
    with pytest.raises(UserError, match="more than tensors; not executed"):
        load_classifier(MODEL, tmp_path / "own.pth", DEVICE)
    assert not (tmp_path / "sprung").exists()


@pytest.mark.parametrize("suffix", [".pth", ".safetensors"])
def test_damaged_files(state: State, tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"own{suffix}"
    save_file(state, path) if suffix == ".safetensors" else torch.save(state, path)
    content = path.read_bytes()
    for part in (b"", b"no weights", content[:5000]):
        path.write_bytes(part)
        with pytest.raises(UserError, match="damaged"):
            load_classifier(MODEL, path, DEVICE)


def test_files_that_do_not_fit(state: State, tmp_path: Path) -> None:
    def refused(value: Any, why: str) -> None:
        torch.save(value, tmp_path / "own.pth")
        with pytest.raises(UserError, match=why) as error:
            load_classifier(MODEL, tmp_path / "own.pth", DEVICE)
        assert "\n" not in str(error.value)

    refused({"state_dict": state}, "not a state dict")
    refused([1, 2], "not a state dict")
    refused({}, rf"are not those of {MODEL}: Missing key")
    refused(state | {"fc.bias": torch.zeros(1)}, 'Unexpected key.*"fc.bias"')
    refused(state | {"classifier.1.bias": torch.zeros(9)}, "size mismatch for classifier.1.bias")
    refused(state | {"classifier.1.bias": torch.full((1000,), torch.nan)}, "bias' is not finite")


def test_download_is_torchvisions_own(
    state: State, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []

    def fetch(url: str, path: str, hash_prefix: str, progress: bool) -> None:
        asked.append((url.rpartition("/")[2], hash_prefix))
        if len(asked) == 1:
            raise URLError("no network")
        torch.save(state, path)

    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    monkeypatch.setattr(torch.hub, "download_url_to_file", fetch)
    with pytest.raises(UserError, match=r"\(<urlopen error no network>\); get https://"):
        load_classifier(MODEL, "download", DEVICE)
    _, model = load_classifier(MODEL, "download", DEVICE)
    assert model(frames()).shape == (2, 1000)
    assert asked == [("squeezenet1_1-b8a52dc0.pth", "b8a52dc0")] * 2
    (kept,) = tmp_path.rglob("*.pth")
    torch.save(state | {"fc.weight": Trap(tmp_path / "sprung")}, kept)
    with pytest.raises(UserError, match="cannot be downloaded"):
        load_classifier(MODEL, "download", DEVICE)
    assert not (tmp_path / "sprung").exists()


# Detectors


@pytest.fixture(scope="module")
def detector_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give a file of random weights, of which three objects are probable, "N/A" among them."""
    torch.manual_seed(0)
    net = models.get_model(DETECTOR, weights_backbone=None)
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


def pictures() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (2, 60, 90, 3), np.uint8)


def test_boxes_are_those_of_torchvision(detector_file: Path) -> None:
    names, detect = load_detector(DETECTOR, detector_file, DEVICE, most=7)
    found = detect(pictures())
    assert found.shape == (2, 7, 6) and found.dtype == np.float32
    net = models.get_model(DETECTOR, weights_backbone=None).eval()
    net.load_state_dict(torch.load(detector_file))
    for frame, boxes in zip(pictures(), found, strict=True):
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


def test_few_detections_are_padded(detector_file: Path) -> None:
    names, detect = load_detector(DETECTOR, detector_file, DEVICE, most=400)
    found = detect(pictures()[:1])[0]
    there = found[:, 0] >= 0
    count = int(there.sum())
    assert 0 < count < 300 and there[:count].all()
    assert (found[count:] == [-1, 0, 0, 0, 0, 0]).all()
    assert (np.diff(found[:count, 1]) <= 0).all()
    assert {names[int(number)] for number in found[:count, 0]} >= {"person", "sports ball"}


@pytest.mark.parametrize("model", ["fasterrcnn_resnet50", "keypointrcnn_resnet50_fpn", "resnet50"])
def test_unknown_detectors(model: str) -> None:
    with pytest.raises(UserError, match=f"unknown torchvision detector '{model}'"):
        load_detector(model, None, DEVICE)


def test_weights_that_are_missing_or_do_not_fit(detector_file: Path, tmp_path: Path) -> None:
    with pytest.raises(
        UserError, match=r"are missing; get https://.*fasterrcnn_mobilenet_v3_large"
    ):
        load_detector("fasterrcnn_mobilenet_v3_large_fpn", tmp_path / "own.pth", DEVICE)
    state = torch.load(detector_file)
    name = next(iter(state))
    torch.save({n: w for n, w in state.items() if n != name}, tmp_path / "own.pth")
    with pytest.raises(UserError, match=f'not those of {DETECTOR}: Missing key.*"{name}"'):
        load_detector(DETECTOR, tmp_path / "own.pth", DEVICE)


@pytest.mark.slow
def test_norms_are_those_of_the_published_detector(monkeypatch: pytest.MonkeyPatch) -> None:
    model = "fasterrcnn_resnet50_fpn"
    trained = models.get_model(model, weights_backbone=None).state_dict()
    monkeypatch.setattr(classifier, "_read", lambda *_: trained)
    net: Any = classifier.open_model("detector", model, Path("own.pth"), DEVICE)[0]
    assert type(net.backbone.body.bn1).__name__ == "FrozenBatchNorm2d"
    assert net.backbone.body.bn1.eps == 0
