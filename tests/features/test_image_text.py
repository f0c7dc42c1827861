"""CLIP embeddings against transformers' own model, and prompts."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file, save_file

from bench.errors import UserError
from bench.features.image_text import HuggingFaceClip, class_embeddings, open_image_text

MEAN, STD = [0.48145466, 0.4578275, 0.40821073], [0.26862954, 0.26130258, 0.27577711]
FRAMES = np.random.default_rng(0).integers(0, 256, (2, 40, 56, 3), np.uint8)
PROMPTS = ["a video of a person bat.", "cab", "abracadabra " * 20]
SIZE = 32


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give the folder of a tiny CLIP with random weights, without image preprocessing."""
    transformers = pytest.importorskip("transformers", reason="needs aurl-bench[text]")
    folder = tmp_path_factory.mktemp("tiny-clip")
    letters = "abcdefghijklmnopqrstuvwxyz.0123456789"
    ends = ["<|startoftext|>", "<|endoftext|>"]
    tokens = [*letters, *(f"{letter}</w>" for letter in letters), "ab", *ends]
    (folder / "vocab.json").write_text(json.dumps({token: i for i, token in enumerate(tokens)}))
    (folder / "merges.txt").write_text("#version: 0.2\na b\n")
    size = {
        "hidden_size": 8,
        "num_hidden_layers": 2,
        "num_attention_heads": 2,
        "intermediate_size": 16,
    }
    text = {
        "vocab_size": len(tokens),
        "max_position_embeddings": 24,
        "bos_token_id": len(tokens) - 2,
        "eos_token_id": len(tokens) - 1,
        "pad_token_id": len(tokens) - 1,
    }
    config = transformers.CLIPConfig(
        text_config=size | text,
        vision_config=size | {"image_size": SIZE, "patch_size": 8},
        projection_dim=6,
    )
    torch.manual_seed(0)
    transformers.CLIPModel(config).save_pretrained(folder)
    return folder


@pytest.fixture
def copied(saved: Path, tmp_path: Path) -> Path:
    """Give a copy of it to change."""
    for file in saved.iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    return tmp_path


@torch.inference_mode()
def own(folder: Path, **inputs: Any) -> Any:
    """Return what transformers' own model says of pixels or tokens."""
    import transformers

    model = transformers.CLIPModel.from_pretrained(folder).eval()
    one = {"input_ids": torch.zeros(1, 1, dtype=torch.long)} if "pixel_values" in inputs else {}
    other = {} if one else {"pixel_values": torch.zeros(1, 3, SIZE, SIZE)}
    return model(**inputs, **one, **other)


def unit(x: np.ndarray) -> np.ndarray:
    return x / np.linalg.norm(x, axis=-1, keepdims=True)


def by_hand(mean: list[float], std: list[float]) -> torch.Tensor:
    """Shorter side 40 → 32 by Pillow's bicubic filter, the middle 32×32, normalised."""
    width = 56 * SIZE // 40
    left = round((width - SIZE) / 2)
    images = [Image.fromarray(f).resize((width, SIZE), Image.Resampling.BICUBIC) for f in FRAMES]
    pixels = np.stack([np.asarray(i)[:, left : left + SIZE] for i in images]) / 255
    return torch.tensor((pixels - mean) / std, dtype=torch.float32).permute(0, 3, 1, 2)


def test_images(saved: Path) -> None:
    model = HuggingFaceClip(saved)
    found = model.images(FRAMES)
    assert model.size == SIZE and found.shape == (2, 6) and found.dtype == np.float32
    wanted = own(saved, pixel_values=by_hand(MEAN, STD)).image_embeds.numpy()
    assert unit(found) == pytest.approx(wanted, abs=2e-3)  # uint8 rounding of two resizers


def test_images_are_prepared_as_transformers_does(saved: Path) -> None:
    import transformers

    square = {"height": SIZE, "width": SIZE}
    made = transformers.CLIPImageProcessor(size={"shortest_edge": SIZE}, crop_size=square)
    pixels = made(images=list(FRAMES), return_tensors="pt")["pixel_values"]
    wanted = own(saved, pixel_values=pixels).image_embeds.numpy()
    assert unit(HuggingFaceClip(saved).images(FRAMES)) == pytest.approx(wanted, abs=1e-6)


def test_image_embeddings_keep_their_length(saved: Path) -> None:
    found = HuggingFaceClip(saved).images(FRAMES)
    assert np.abs(np.linalg.norm(found, axis=1) - 1).min() > 0.01


def test_the_directorys_own_preprocessing(copied: Path) -> None:
    described = {
        "image_processor_type": "CLIPImageProcessor",
        "size": {"shortest_edge": SIZE},
        "crop_size": {"height": SIZE, "width": SIZE},
        "image_mean": [0.1, 0.2, 0.3],
        "image_std": [1.0, 0.9, 0.8],
    }
    (copied / "preprocessor_config.json").write_text(json.dumps(described))
    pixels = by_hand([0.1, 0.2, 0.3], [1.0, 0.9, 0.8])
    wanted = own(copied, pixel_values=pixels).image_embeds.numpy()
    assert unit(HuggingFaceClip(copied).images(FRAMES)) == pytest.approx(wanted, abs=2e-3)


def test_texts(saved: Path) -> None:
    import transformers

    tokenizer = transformers.CLIPTokenizer.from_pretrained(saved)
    found = HuggingFaceClip(saved).texts(PROMPTS)
    assert found.shape == (3, 6)
    for prompt, row in zip(PROMPTS, found, strict=True):
        tokens = tokenizer(prompt, truncation=True, max_length=24, return_tensors="pt")
        wanted = own(saved, **tokens).text_embeds[0].numpy()
        assert unit(row) == pytest.approx(wanted, abs=1e-5)


def test_batches_keep_the_order_of_prompts(saved: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model, names = HuggingFaceClip(saved), ["bat", "cab", "bad"]
    whole = class_embeddings(model, names, ["a {}."])
    monkeypatch.setattr("bench.features.image_text._BATCH", 2)
    assert class_embeddings(model, names, ["a {}."]) == pytest.approx(whole, abs=1e-5)


def test_class_embeddings(saved: Path) -> None:
    model = HuggingFaceClip(saved)
    templates = ["a video of a person {}.", "{}: {x}"]
    found = class_embeddings(model, ["ApplyEyeMakeup", "brush_hair"], templates)
    for row, name in zip(found, ["apply eye makeup", "brush hair"], strict=True):
        units = unit(model.texts([f"a video of a person {name}.", f"{name}: {{x}}"]))
        assert row == pytest.approx(unit(units.mean(0)), abs=1e-6)


@pytest.mark.parametrize("templates", [[], ["a {}", "a video"]])
def test_bad_templates(saved: Path, templates: list[str]) -> None:
    with pytest.raises(UserError, match=r"inputs\.clip\.templates"):
        class_embeddings(HuggingFaceClip(saved), ["a"], templates)


def test_the_digest_follows_the_files(copied: Path) -> None:
    before = HuggingFaceClip(copied).digest
    (copied / "README.md").write_text("about")
    assert HuggingFaceClip(copied).digest == before
    (copied / "preprocessor_config.json").write_text('{"image_mean": [0, 0, 0]}')
    assert HuggingFaceClip(copied).digest != before


def test_another_model(copied: Path) -> None:
    import transformers

    config = transformers.BertConfig(
        vocab_size=9, hidden_size=8, num_hidden_layers=1, num_attention_heads=1
    )
    transformers.BertModel(config).save_pretrained(copied)
    (copied / "vocab.txt").write_text("[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\na\nb\nc\nd\n")
    with pytest.raises(UserError, match="model_type bert; give a Hugging Face directory"):
        HuggingFaceClip(copied)


def test_a_tokenizer_without_vocabulary(copied: Path) -> None:
    for name in ("vocab.json", "merges.txt"):
        (copied / name).unlink()
    with pytest.raises(UserError, match="its tokenizer knows no letter; restore its files"):
        open_image_text(copied)


def test_a_weight_that_is_not_finite(copied: Path) -> None:
    state = load_file(copied / "model.safetensors")
    state["visual_projection.weight"][0, 0] = float("nan")
    save_file(state, copied / "model.safetensors", {"format": "pt"})
    with pytest.raises(UserError, match=r"weights visual_projection\.weight are not finite"):
        open_image_text(copied)


def test_damaged_preprocessing(copied: Path) -> None:
    (copied / "preprocessor_config.json").write_text("{")
    with pytest.raises(UserError, match="damaged preprocessing"):
        HuggingFaceClip(copied)
