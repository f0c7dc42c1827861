"""Directories of open_clip against its own model and preprocessing, and incomplete ones."""

import json
import logging
import socket
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from made_clip import BERT, CLIP, COCA, CONFIG, SIGLIP, SIZE, letters, save
from PIL import Image
from safetensors.torch import load_file, save_file

from bench.errors import UserError
from bench.features.image_text import OpenClip, open_image_text

open_clip: Any = pytest.importorskip("open_clip", reason="needs aurl-bench[clip]")

FRAMES = np.random.default_rng(0).integers(0, 256, (2, 40, 56, 3), np.uint8)
PROMPTS = ["a video of a person bat.", "cab", "abracadabra " * 20]


@pytest.fixture(autouse=True)
def no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(*_: Any) -> None:
        raise AssertionError("the network was asked")

    monkeypatch.setattr(socket, "getaddrinfo", refused)
    monkeypatch.setattr(socket.socket, "connect", refused)


def siglip(folder: Path) -> Path:
    """A tower of timm; its config asks for the pretrained one, which would be downloaded."""
    letters(save(folder, SIGLIP))
    change(folder, "vision_cfg", timm_model_pretrained=True)
    return folder


def bert(folder: Path) -> Path:
    """A text tower of transformers; its config.json is in the directory."""
    transformers = pytest.importorskip("transformers")
    config = transformers.BertConfig(
        vocab_size=40, hidden_size=8, num_hidden_layers=1, num_attention_heads=2,
        intermediate_size=16,
    )  # fmt: skip
    config.save_pretrained(folder)
    text = BERT["text_cfg"] | {"hf_model_name": str(folder), "hf_model_pretrained": False}
    letters(save(folder, BERT, BERT | {"text_cfg": text}))
    return folder


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give the folder of a tiny CLIP with random weights."""
    return save(tmp_path_factory.mktemp("tiny-open-clip"), CLIP)


@pytest.fixture
def copied(saved: Path, tmp_path: Path) -> Path:
    """Give a copy of it to change."""
    for file in saved.iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    return tmp_path


def change(folder: Path, block: str, **values: Any) -> None:
    config = json.loads((folder / CONFIG).read_text())
    config["model_cfg"][block] |= values
    (folder / CONFIG).write_text(json.dumps(config))


@torch.inference_mode()
def own(folder: Path, tower: dict[str, Any] | None = None) -> tuple[np.ndarray, np.ndarray]:
    """Return the embeddings of FRAMES and PROMPTS by open_clip's three public calls."""
    name = f"local-dir:{folder}"
    model, _, prepare = open_clip.create_model_and_transforms(name, **(tower or {}))
    model.eval()
    pixels = torch.stack([prepare(Image.fromarray(frame)) for frame in FRAMES])
    tokens = open_clip.get_tokenizer(name)(PROMPTS)
    found = model.encode_image(pixels, normalize=False), model.encode_text(tokens, normalize=False)
    return found[0].numpy(), found[1].numpy()


@pytest.mark.parametrize(
    ("make", "size"),
    [
        (lambda folder: save(folder, CLIP), 32),
        (lambda folder: save(folder, CLIP | {"custom_text": True}), 32),
        (lambda folder: save(folder, COCA), 32),
        (siglip, 160),
        (bert, 32),
    ],
    ids=["clip", "custom text", "coca", "siglip", "transformers text"],
)
def test_embeddings_are_open_clips_own(
    tmp_path: Path, make: Callable[[Path], Path], size: int
) -> None:
    folder = make(tmp_path / "model")
    model = open_image_text(folder)
    assert isinstance(model, OpenClip) and model.size == size
    images, texts = model.images(FRAMES), model.texts(PROMPTS)
    text = json.loads((folder / CONFIG).read_text())["model_cfg"]["text_cfg"]
    local = {"hf_model_name": str(folder), "hf_model_pretrained": False}
    wanted = own(folder, {"text_cfg": text | local} if "hf_model_name" in text else {})
    assert images.dtype == np.float32 and images.shape == (2, 6) and texts.shape == (3, 6)
    assert images == pytest.approx(wanted[0], abs=1e-6)
    assert texts == pytest.approx(wanted[1], abs=1e-6)
    assert np.ptp(texts, axis=0).max() > 1e-3
    assert np.abs(np.linalg.norm(images, axis=1) - 1).min() > 1e-3  # not normalised


def test_images_are_prepared_as_the_directory_says(saved: Path) -> None:
    """Shorter side 40 → 32 by Pillow's bilinear filter, the middle 32×32, its own mean."""
    width = 56 * SIZE // 40
    left = round((width - SIZE) / 2)
    images = [Image.fromarray(f).resize((width, SIZE), Image.Resampling.BILINEAR) for f in FRAMES]
    pixels = np.stack([np.asarray(i)[:, left : left + SIZE] for i in images]) / 255
    normal = torch.tensor((pixels - [0.1, 0.2, 0.3]) / [1.0, 0.9, 0.8], dtype=torch.float32)
    made = json.loads((saved / CONFIG).read_text())["model_cfg"]
    model = open_clip.CLIP(**made).eval()
    model.load_state_dict(load_file(saved / "open_clip_model.safetensors"))
    with torch.inference_mode():
        wanted = model.encode_image(normal.permute(0, 3, 1, 2)).numpy()
    assert OpenClip(saved).images(FRAMES) == pytest.approx(wanted, abs=1e-5)


def test_a_pickle_of_tensors_is_read_and_half_precision_widened(copied: Path) -> None:
    wanted = OpenClip(copied).texts(PROMPTS)
    state = load_file(copied / "open_clip_model.safetensors")
    (copied / "open_clip_model.safetensors").unlink()
    torch.save({k: v.half() for k, v in state.items()}, copied / "open_clip_pytorch_model.bin")
    found = OpenClip(copied).texts(PROMPTS)
    assert found.dtype == np.float32 and found == pytest.approx(wanted, abs=2e-2)


def test_the_digest_follows_the_files(copied: Path) -> None:
    before = OpenClip(copied).digest
    (copied / "README.md").write_text("about")
    assert OpenClip(copied).digest == before
    config = json.loads((copied / CONFIG).read_text())
    config["preprocess_cfg"]["mean"] = [0, 0, 0]
    (copied / CONFIG).write_text(json.dumps(config))
    described = OpenClip(copied).digest
    state = load_file(copied / "open_clip_model.safetensors")
    state["visual.proj"] += 1
    save_file(state, copied / "open_clip_model.safetensors")
    assert len({before, described, OpenClip(copied).digest}) == 3


def test_opening_changes_neither_logging_nor_the_generator(
    saved: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logging.getLogger(), "handlers", [])
    before = torch.get_rng_state()
    OpenClip(saved)
    assert not logging.getLogger().handlers and torch.equal(torch.get_rng_state(), before)
    assert capfd.readouterr() == ("", "")


def without(name: str) -> Callable[[Path], None]:
    def edit(folder: Path) -> None:
        state = load_file(folder / "open_clip_model.safetensors")
        del state[name]
        save_file(state, folder / "open_clip_model.safetensors")

    return edit


def infinite(folder: Path) -> None:
    state = load_file(folder / "open_clip_model.safetensors")
    state["ln_final.bias"][3] = float("inf")
    save_file(state, folder / "open_clip_model.safetensors")


def cut(folder: Path) -> None:
    weights = folder / "open_clip_model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-100])


def describe(text: str) -> Callable[[Path], Any]:
    return lambda folder: (folder / CONFIG).write_text(text)


def changed(block: str, **values: Any) -> Callable[[Path], None]:
    return lambda folder: change(folder, block, **values)


@pytest.mark.parametrize(
    ("damage", "reason"),
    [
        (lambda folder: (folder / "open_clip_model.safetensors").unlink(), "no weights; add open_"),
        (cut, "open_clip cannot read it"),
        (without("visual.proj"), 'cannot read it .*Missing key.*"visual.proj"'),
        (infinite, r"weights ln_final\.bias are not finite"),
        (describe("{"), rf"{CONFIG}: damaged"),
        (describe("[]"), rf"{CONFIG}: damaged"),
        (describe('{"preprocess_cfg": {}}'), rf"{CONFIG}: damaged \('model_cfg'\)"),
        (describe('{"model_cfg": {"text_cfg": 1, "vision_cfg": {}}}'), rf"{CONFIG}: damaged"),
        (describe('{"model_cfg": {"text_cfg": {}, "vision_cfg": {}}}'), "cannot read it"),
        (changed("vision_cfg", width=24), "cannot read it .*size mismatch"),
        (changed("vision_cfg", sizes=3), "cannot read it .*'sizes'"),
        (changed("vision_cfg", timm_model_name="hf-hub:a/b"), "timm_model_name is in hf-hub"),
        (changed("text_cfg", hf_tokenizer_name="a/b"), "tokenizer a/b is missing, .* add"),
        (changed("text_cfg", hf_model_name="a/b"), "text tower a/b .* add the config.json of a/b"),
        (changed("text_cfg", tokenizer_kwargs={"reduction_mask": "syntax"}), "reduction_mask is"),
    ],
)
def test_what_is_missing_is_reported_in_one_line(
    copied: Path, damage: Callable[[Path], Any], reason: str
) -> None:
    damage(copied)
    with pytest.raises(UserError, match=reason) as raised:
        open_image_text(copied)
    assert "\n" not in str(raised.value) and str(copied) in str(raised.value)


def test_damaged_preprocessing(copied: Path) -> None:
    config = json.loads((copied / CONFIG).read_text())
    config["preprocess_cfg"]["mean"] = [0, 0]
    (copied / CONFIG).write_text(json.dumps(config))
    with pytest.raises(UserError, match="open_clip cannot read it"):
        OpenClip(copied)


def test_a_pickle_does_not_run(copied: Path) -> None:
    class Trap:
        def __reduce__(self) -> tuple[Any, ...]:
            return Path.touch, (copied / "sprung",)

    (copied / "open_clip_model.safetensors").unlink()
    torch.save({"visual.proj": Trap()}, copied / "open_clip_pytorch_model.bin")
    with pytest.raises(UserError, match="cannot read it"):
        OpenClip(copied)
    assert not (copied / "sprung").exists()


def test_a_tokenizer_without_vocabulary(tmp_path: Path) -> None:
    folder = siglip(tmp_path)
    (folder / "vocab.txt").write_text("[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]")
    with pytest.raises(UserError, match="its tokenizer knows no letter"):
        OpenClip(folder)


def test_a_tokenizer_of_another_model(tmp_path: Path) -> None:
    folder = siglip(tmp_path)
    with (folder / "vocab.txt").open("a") as file:
        file.write("\n" + "\n".join(f"word{i}" for i in range(10)))
    model = OpenClip(folder)
    with pytest.raises(UserError, match=r"returned token 4\d, but its text tower only has 40"):
        model.texts(["a word9"])


def test_the_package_is_missing(saved: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "open_clip", None)
    with pytest.raises(UserError, match=r"needs open_clip: pip install 'aurl-bench\[clip\]'"):
        open_image_text(saved)
