"""ImageNet classifiers against torchvision's own, weights that do not fit, and files of scores."""

import zipfile
from pathlib import Path
from typing import Any
from urllib.error import URLError

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torchvision import models

from bench.data.index import Index
from bench.errors import UserError
from bench.features import torchvision_models as classifier
from bench.features.object_vocabulary import read_scores, score_names
from bench.features.torchvision_models import categories, load_classifier, open_model

MODEL = "squeezenet1_1"
DEVICE = torch.device("cpu")
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
    names = categories("resnet50")
    assert [names[i] for i in (0, 2, 89, 264, 474)] == [
        *("tench", "great white shark", "sulphur crested cockatoo"),
        *("cardigan welsh corgi", "cardigan"),
    ]
    assert len(set(names)) == 1000
    assert not [name for name in names if name != name.lower() or "-" in name]


def test_every_classifier_has_these_thousand() -> None:
    first = categories("resnet50")
    assert all(categories(model) == first for model in models.list_models(models))


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


def test_random_numbers_are_left_alone(state: State, tmp_path: Path) -> None:
    torch.save(state, tmp_path / "own.pth")
    before = torch.random.get_rng_state()
    load_classifier(MODEL, tmp_path / "own.pth", DEVICE)
    assert torch.equal(torch.random.get_rng_state(), before)


def test_unknown_models() -> None:
    with pytest.raises(UserError, match=r"unknown torchvision classifier 'resnet5O'; .*'resnet50'"):
        categories("resnet5O")
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


# Scores from a file.

PATHS = ["a/v1.avi", "a/v2.avi", "b/v3.avi"]
SCORES = np.arange(12, dtype=np.float16).reshape(3, 4) / 16
NAMES = np.array(["tench", "ball", "bow", "hat"])


def index(paths: list[str] = PATHS) -> Index:
    count = len(paths)
    zero, one = np.zeros(count, np.int64), np.ones(count, np.int64)
    return Index(
        "mine", "videos", Path("v"), ["x"], paths, zero, one, "", zero, {}, "", [""] * count
    )


def save(folder: Path, **arrays: Any) -> Path:
    np.savez(folder / "s.npz", **({"scores": SCORES, "names": NAMES} | arrays))
    return folder / "s.npz"


def test_scores_of_videos_and_of_frames(tmp_path: Path) -> None:
    found = read_scores(save(tmp_path), index())
    assert found.dtype == np.float32 and found.tolist() == SCORES[:, None].tolist()
    found = read_scores(save(tmp_path, scores=SCORES.reshape(3, 2, 2), names=NAMES[:2]), index())
    assert found.tolist() == SCORES.reshape(3, 2, 2).tolist()


@pytest.mark.parametrize(
    "ids",
    [
        ["b/v3.avi", "other.avi", "a/v1.avi", "a/v2.avi"],
        ["b/v3", "a/v9", "a/v1", "a/v2"],
        ["v3.avi", "v9.avi", "v1.avi", "v2.avi"],
        [b"v3", b"v9", b"v1", b"v2"],
        ["x/v3.mp4", "x/v9.mp4", "x/v1.mp4", "x/v2.mp4"],
    ],
)
def test_rows_are_found_by_path_or_by_stem(tmp_path: Path, ids: list[str]) -> None:
    scores = SCORES[[2, 0, 0, 1]].copy()
    scores[1] = np.nan  # of no video of the index
    found = read_scores(save(tmp_path, scores=scores, ids=np.array(ids)), index())
    assert found[:, 0].tolist() == SCORES.tolist()


def test_stems_that_are_not_unique_match_nothing(tmp_path: Path) -> None:
    path = save(tmp_path, scores=SCORES[:2], ids=np.array(["0", "1"]))
    with pytest.raises(UserError, match=r"no id fits 2 of 2 videos of mine, as 'a/0.avi' .*'0'"):
        read_scores(path, index(["a/0.avi", "b/0.avi"]))
    path = save(tmp_path, scores=SCORES[:2], ids=np.array(["b/0", "a/0"]))
    found = read_scores(path, index(["a/0.avi", "b/0.avi"]))
    assert found[:, 0].tolist() == SCORES[[1, 0]].tolist()


@pytest.mark.parametrize(
    ("arrays", "why"),
    [
        ({"ids": np.array(["v1", "v2", "v4"])}, r"no id fits 1 of 3 .* as 'b/v3.avi' .*'v1'"),
        ({"ids": np.array(["v1", "v2", "v1"])}, "id 'v1' is there more than once"),
        ({"ids": np.array(["v1", "v2"])}, r"2 ids do not fit scores \(3, 4\)"),
        ({"scores": SCORES[:2]}, "2 rows, but mine has 3 videos; add ids"),
        ({"names": NAMES[:3]}, r"names \(3,\) do not fit scores \(3, 4\)"),
        ({"scores": SCORES[0]}, r"not \[N,O\]"),
        ({"scores": SCORES > 0}, r"are bool .*, not \[N,O\]"),
        ({"scores": SCORES[:, :0], "names": NAMES[:0]}, r"\(3, 0\), not \[N,O\]"),
        (
            {"scores": np.where(SCORES > 0.3, SCORES, np.nan)},
            "of 2 videos are not finite, as of 'a/v1.avi'",
        ),
        ({"names": np.array([None] * 4)}, "cannot be read as an .npz of scores"),
    ],
)
def test_scores_that_do_not_fit(tmp_path: Path, arrays: Any, why: str) -> None:
    with pytest.raises(UserError, match=why):
        read_scores(save(tmp_path, **arrays), index())


def test_files_that_are_no_scores(tmp_path: Path) -> None:
    path = tmp_path / "s.npz"
    with pytest.raises(UserError, match=r"s\.npz are missing; set inputs\.objects\.files"):
        read_scores(path, index())
    path.write_bytes(b"no archive")
    with pytest.raises(UserError, match="cannot be read"):
        read_scores(path, index())
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("other.npy", b"")
    with pytest.raises(UserError, match="cannot be read"):
        read_scores(path, index())
    with path.open("wb") as handle:
        np.save(handle, SCORES)
    with pytest.raises(UserError, match="cannot be read"):
        read_scores(path, index())


def test_files_of_scores_count_in_the_same_objects(tmp_path: Path) -> None:
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
    one, two = save(tmp_path / "one"), save(tmp_path / "two")
    assert score_names({"a": one, "b": two, "c": tmp_path / "none.npz"}) == NAMES.tolist()
    save(tmp_path / "two", names=NAMES[::-1])
    with pytest.raises(UserError, match="have other names, or in another order"):
        score_names({"a": one, "b": two})
    with pytest.raises(UserError, match="are missing"):
        score_names({"a": tmp_path / "none.npz"})
    with pytest.raises(UserError, match=r"names no \.npz of scores"):
        score_names({})
