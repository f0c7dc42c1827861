"""The same weights in the formats of open_clip and transformers, and the stage that reads them."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from made_clip import CLIP, CONFIG, SIZE, save
from project import copy_project, run_bench
from ruamel.yaml import YAML
from safetensors.torch import load_file

from bench.data.synthetic.moving_shapes import write_h264
from bench.data.video.decode import read_frames
from bench.features.image_text import HuggingFaceClip, OpenClip, class_embeddings, open_image_text

open_clip: Any = pytest.importorskip("open_clip", reason="needs aurl-bench[clip]")

FRAMES = np.random.default_rng(0).integers(0, 256, (2, 40, 56, 3), np.uint8)
PROMPTS = ["a video of a person bat.", "cab", "abracadabra " * 20]


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give the folder of a tiny CLIP with random weights."""
    return save(tmp_path_factory.mktemp("tiny-open-clip"), CLIP)


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


def test_the_stage_embeds_frames_and_classes(saved: Path, tmp_path: Path) -> None:
    copy_project(tmp_path)
    rng = np.random.default_rng(0)
    names = ["ride_horse/0.mp4", "wash_dog/1.mp4"]
    for name in names:
        (tmp_path / "videos" / name).parent.mkdir(parents=True)
        write_h264(tmp_path / "videos" / name, rng.integers(0, 256, (5, 40, 56, 3), np.uint8))
    profile = {
        "title": "tiny",
        "datasets": {"tiny": {"kind": "videos", "root": "videos", "protocols": ["fifty-fifty"]}},
        "words": {"kind": "class_vectors", "files": {"tiny": "words.npz"}},
        "inputs": {"clip": {"folder": str(saved), "frames": 2, "templates": ["{}", "a {}."]}},
    }
    raw = {"profile": "tiny", "profiles": {"tiny": profile}}
    YAML(typ="safe").dump(raw, tmp_path / "params.yaml")
    assert run_bench(tmp_path, "stage", "data").code == 0
    ended = run_bench(tmp_path, "stage", "inputs")
    assert (ended.code, ended.err) == (0, "") and "clip: 1 of 1 data sets, ok" in ended.out
    made, model = tmp_path / "data" / "tiny" / "inputs" / "clip", OpenClip(saved)
    wanted = [model.images(read_frames(tmp_path / "videos" / name, [1, 3])) for name in names]
    assert np.load(made / "tiny.npy") == pytest.approx(np.stack(wanted), abs=1e-6)
    texts = class_embeddings(model, ["ride horse", "wash dog"], ["{}", "a {}."])
    assert np.load(made / "tiny.classes.npy") == pytest.approx(texts, abs=1e-6)
    # A missing input is a status, not an error of the run.
    profile["inputs"] = {"clip": {"folder": "nowhere"}}
    YAML(typ="safe").dump(raw, tmp_path / "params.yaml")
    ended = run_bench(tmp_path, "stage", "inputs")
    assert ended.code == 0 and "clip: 0 of 1 data sets, missing: model " in ended.out
