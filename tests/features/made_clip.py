"""Tiny checkpoint directories of open_clip with random weights."""

import json
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file

CONFIG = "open_clip_config.json"
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


def save(folder: Path, config: dict[str, Any], built: dict[str, Any] | None = None) -> Path:
    """Write a directory of random weights; ``built`` is the config of the model, if another."""
    import open_clip

    folder.mkdir(exist_ok=True)
    torch.manual_seed(0)
    made = json.loads(json.dumps(built or config))
    custom = made.pop("custom_text", "hf_model_name" in made["text_cfg"])
    kind = open_clip.CustomTextCLIP if custom else open_clip.CLIP
    model = (open_clip.CoCa if "multimodal_cfg" in made else kind)(**made)
    described = {"mean": [0.1, 0.2, 0.3], "std": [1.0, 0.9, 0.8], "interpolation": "bilinear"}
    config = {"model_cfg": config, "preprocess_cfg": described}
    (folder / CONFIG).write_text(json.dumps(config))
    # open_clip leaves a weight of CoCa's decoder as the memory was, which may be anything.
    whole = {name: value.nan_to_num(0, 0, 0) for name, value in model.state_dict().items()}
    save_file(whole, folder / "open_clip_model.safetensors")
    return folder


def letters(folder: Path) -> None:
    """Write a WordPiece tokenizer that knows letters."""
    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *"abcdefghijklmnopqrstuvwxyz", "video"]
    (folder / "vocab.txt").write_text("\n".join(words))
    (folder / "tokenizer_config.json").write_text('{"tokenizer_class": "BertTokenizer"}')
