"""Directories of open_clip against its own model and preprocessing, and against transformers."""

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
from PIL import Image
from safetensors.torch import load_file, save_file

from bench.errors import UserError
from bench.inputs.clip import class_embeddings, open_image_text
from bench.inputs.clip_hf import HuggingFaceClip
from bench.inputs.clip_open import CONFIG, OpenClip

open_clip: Any = pytest.importorskip("open_clip", reason="needs aurl-bench[clip]")

FRAMES = np.random.default_rng(0).integers(0, 256, (2, 40, 56, 3), np.uint8)
PROMPTS = ["a video of a person bat.", "cab", "abracadabra " * 20]
SIZE = 32
VISION = {"image_size": SIZE, "layers": 2, "width": 16, "head_width": 8, "patch_size": 8}
TEXT = {"context_length": 24, "vocab_size": 49408, "width": 8, "heads": 2, "layers": 2}
CLIP = {"embed_dim": 6, "vision_cfg": VISION, "text_cfg": TEXT, "quick_gelu": True}
# As SigLIP's: a tower of timm, a bias, a text tower of its own, whose last token is the text.
SIGLIP = {
    "embed_dim": 6,
    "custom_text": True,
    "init_logit_bias": -10,
    "vision_cfg": {"image_size": 160, "timm_model_name": "test_vit", "timm_proj": "linear"},
    "text_cfg": TEXT
    | {
        "vocab_size": 40,
        "hf_tokenizer_name": "somebody/elses",
        "tokenizer_kwargs": {"clean": "canonicalize"},
        "no_causal_mask": True,
        "pool_type": "last",
        "proj_bias": True,
    },
}
BERT = {
    "embed_dim": 6,
    "vision_cfg": VISION,
    "text_cfg": {
        "context_length": 24,
        "hf_model_name": "somebody/elses",
        "hf_tokenizer_name": "somebody/elses",
        "hf_proj_type": "linear",
        "hf_pooler_type": "mean_pooler",
    },
}
COCA = {
    "embed_dim": 6,
    "custom_text": True,
    "vision_cfg": VISION
    | {"attentional_pool": True, "attn_pooler_heads": 2, "output_tokens": True},
    "text_cfg": TEXT | {"context_length": 23, "embed_cls": True, "output_tokens": True},
    "multimodal_cfg": {"context_length": 23, "width": 8, "heads": 2, "layers": 1},
}


@pytest.fixture(autouse=True)
def no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(*_: Any) -> None:
        raise AssertionError("the network was asked")

    monkeypatch.setattr(socket, "getaddrinfo", refused)
    monkeypatch.setattr(socket.socket, "connect", refused)


def save(folder: Path, config: dict[str, Any], built: dict[str, Any] | None = None) -> Path:
    """Write a directory of random weights; ``built`` is the config of the model, if another."""
    folder.mkdir(exist_ok=True)
    torch.manual_seed(0)
    made = json.loads(json.dumps(built or config))
    custom = made.pop("custom_text", "hf_model_name" in made["text_cfg"])
    kind = open_clip.CustomTextCLIP if custom else open_clip.CLIP
    model = (open_clip.CoCa if "multimodal_cfg" in made else kind)(**made)
    described = {"mean": [0.1, 0.2, 0.3], "std": [1.0, 0.9, 0.8], "interpolation": "bilinear"}
    config = {"model_cfg": config, "preprocess_cfg": described}
    (folder / CONFIG).write_text(json.dumps(config))
    save_file(model.state_dict(), folder / "open_clip_model.safetensors")
    return folder


def letters(folder: Path) -> None:
    """Write a WordPiece tokenizer that knows letters."""
    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *"abcdefghijklmnopqrstuvwxyz", "video"]
    (folder / "vocab.txt").write_text("\n".join(words))
    (folder / "tokenizer_config.json").write_text('{"tokenizer_class": "BertTokenizer"}')


def siglip(folder: Path) -> Path:
    letters(save(folder, SIGLIP))
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


def as_hugging_face(folder: Path, state: dict[str, torch.Tensor]) -> Path:
    """Write the weights of CLIP above, which open_clip made, as a directory of transformers."""
    transformers: Any = pytest.importorskip("transformers")
    folder.mkdir(exist_ok=True)
    size = {"num_hidden_layers": 2, "num_attention_heads": 2, "hidden_act": "quick_gelu"}
    text = {"hidden_size": 8, "intermediate_size": 32, "max_position_embeddings": 24}
    vision = {"hidden_size": 16, "intermediate_size": 64, "image_size": SIZE, "patch_size": 8}
    ends = {"bos_token_id": 49406, "eos_token_id": 49407, "pad_token_id": 49407}
    config = transformers.CLIPConfig(
        text_config=size | text | ends, vision_config=size | vision, projection_dim=6
    )
    names = [
        ("visual.conv1", "vision_model.embeddings.patch_embedding"),
        ("visual.class_embedding", "vision_model.embeddings.class_embedding"),
        ("visual.positional_embedding", "vision_model.embeddings.position_embedding.weight"),
        ("visual.ln_pre", "vision_model.pre_layrnorm"),
        ("visual.ln_post", "vision_model.post_layernorm"),
        ("visual.transformer.resblocks", "vision_model.encoder.layers"),
        ("transformer.resblocks", "text_model.encoder.layers"),
        ("token_embedding", "text_model.embeddings.token_embedding"),
        ("positional_embedding", "text_model.embeddings.position_embedding.weight"),
        ("ln_final", "text_model.final_layer_norm"),
    ]
    parts = [("ln_", "layer_norm"), ("mlp.c_fc", "mlp.fc1"), ("mlp.c_proj", "mlp.fc2")]
    made = {
        "visual_projection.weight": state["visual.proj"].T,
        "text_projection.weight": state["text_projection"].T,
        "logit_scale": state["logit_scale"],
    }
    for name, value in state.items():
        for old, new in names:
            if not name.startswith(old):
                continue
            renamed = new + name.removeprefix(old)
            for a, b in parts:
                renamed = renamed.replace(f".{a}", f".{b}")
            renamed = renamed.replace(".attn.", ".self_attn.")
            if ".in_proj_" in renamed:
                for q, part in zip("qkv", value.chunk(3), strict=True):
                    made[renamed.replace("in_proj_", f"{q}_proj.")] = part
            else:
                made[renamed] = value
            break
    model = transformers.CLIPModel(config)
    model.load_state_dict(made)
    model.save_pretrained(folder)
    bpe = open_clip.tokenizer.SimpleTokenizer()
    words = {w.replace("_of_text>", "oftext|>").replace("<", "<|", 1) if "_of_text" in w else w: i
             for w, i in bpe.encoder.items()}  # fmt: skip
    (folder / "vocab.json").write_text(json.dumps(words))
    merges = "\n".join(" ".join(pair) for pair in bpe.bpe_ranks)
    (folder / "merges.txt").write_text(f"#version: 0.2\n{merges}\n")
    described = {
        "image_processor_type": "CLIPImageProcessor",
        "size": {"shortest_edge": SIZE},
        "crop_size": {"height": SIZE, "width": SIZE},
        "resample": 2,
        "image_mean": [0.1, 0.2, 0.3],
        "image_std": [1.0, 0.9, 0.8],
    }
    (folder / "preprocessor_config.json").write_text(json.dumps(described))
    return folder


def test_the_same_weights_in_both_formats(saved: Path, tmp_path: Path) -> None:
    one = OpenClip(saved)
    other = open_image_text(
        as_hugging_face(tmp_path, load_file(saved / "open_clip_model.safetensors"))
    )
    assert isinstance(other, HuggingFaceClip)
    names, templates = ["ApplyEyeMakeup", "brush_hair", "Yo Yo"], ["a video of {}.", "{}!"]
    assert other.texts(PROMPTS) == pytest.approx(one.texts(PROMPTS), abs=1e-5)
    found = class_embeddings(other, names, templates)
    assert found == pytest.approx(class_embeddings(one, names, templates), abs=1e-5)
    small = FRAMES[:, :SIZE, :SIZE]  # nothing to resize, which the packages round in other ways
    assert other.images(small) == pytest.approx(one.images(small), abs=1e-5)
    assert other.images(FRAMES) == pytest.approx(one.images(FRAMES), abs=2e-2)
    # A directory of both is transformers' as long as its weights are there.
    (tmp_path / CONFIG).write_bytes((saved / CONFIG).read_bytes())
    assert isinstance(open_image_text(tmp_path), HuggingFaceClip)
    (tmp_path / "model.safetensors").unlink()
    weights = (saved / "open_clip_model.safetensors").read_bytes()
    (tmp_path / "open_clip_model.safetensors").write_bytes(weights)
    assert isinstance(open_image_text(tmp_path), OpenClip)


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


def test_opening_leaves_logging_and_the_generator_alone(
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
        (changed("text_cfg", hf_tokenizer_name="a/b"), "tokenizer a/b is not there, .* add"),
        (changed("text_cfg", hf_model_name="a/b"), "text tower a/b .* add the config.json of a/b"),
        (changed("text_cfg", tokenizer_kwargs={"reduction_mask": "syntax"}), "reduction_mask is"),
    ],
)
def test_what_lacks_is_said_in_one_line(
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
    with pytest.raises(UserError, match=r"tokenizer says 4\d, but its text tower knows 40 tokens"):
        model.texts(["a word9"])


def test_the_package_is_missing(saved: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "open_clip", None)
    with pytest.raises(UserError, match=r"needs open_clip: pip install 'aurl-bench\[clip\]'"):
        open_image_text(saved)
