"""Sentence encoders against means by hand, and folders that are no model."""

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from bench.errors import UserError
from bench.features.text_encoder import Encoder, Transformer, WordMean

VECTORS = {
    "Paris": np.array([2.0, 0.0]),
    "don't": np.array([0.0, 3.0]),
    "run": np.array([0.6, 0.8]),
    "nowhere": np.array([0.0, 0.0]),
}
VOCABULARY = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "a", "ball", "throw", "##ing", ":"]
TEXTS = ["throwing a ball: a throw", "ball", "a ball unheard of"]


def test_words_as_written_then_in_lower_case() -> None:
    encoder: Encoder = WordMean(VECTORS)
    found = encoder.encode(["Paris: DON'T, Run", "run (RUN)"])
    assert found.dtype == np.float32
    assert found == pytest.approx(np.array([[1.6 / 3, 1.8 / 3], [0.6, 0.8]]))


def test_unknown_words_are_left_out() -> None:
    found = WordMean(VECTORS).encode(["Paris paris nowhere"])
    assert found == pytest.approx(np.array([[1.0, 0.0]]))


def test_a_text_without_any_known_word() -> None:
    encoder = WordMean(VECTORS)
    with pytest.raises(UserError, match=r"'paris \(x{53}' has a vector"):
        encoder.encode(["run", "paris (" + 90 * "x"])
    assert encoder.encode(["run", "paris", ""], allow_empty=True)[1:].tolist() == [[0, 0], [0, 0]]
    assert encoder.encode([]).shape == (0, 2)


def test_no_word_vectors_at_all() -> None:
    with pytest.raises(UserError, match=r"words\.vectors"):
        WordMean({})


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give the folder of a tiny BERT with random weights."""
    transformers = pytest.importorskip("transformers", reason="needs aurl-bench[text]")
    folder = tmp_path_factory.mktemp("tiny-bert")
    torch.manual_seed(0)
    config = transformers.BertConfig(
        vocab_size=len(VOCABULARY),
        hidden_size=8,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=16,
        max_position_embeddings=12,
    )
    transformers.BertModel(config).save_pretrained(folder)
    (folder / "vocab.txt").write_text("\n".join(VOCABULARY))
    (folder / "tokenizer_config.json").write_text('{"tokenizer_class": "BertTokenizer"}')
    return folder


@pytest.fixture
def copied(saved: Path, tmp_path: Path) -> Path:
    """Give a copy of it to damage."""
    for file in saved.iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    return tmp_path


def ids(text: str) -> list[int]:
    """WordPiece by hand: [CLS] … [SEP]."""
    words = text.replace(":", " :").replace("throwing", "throw ##ing").split()
    places = [VOCABULARY.index(w if w in VOCABULARY else "[UNK]") for w in words]
    return [2, *places, 3]


def test_the_mean_of_the_last_layer_over_a_texts_own_tokens(saved: Path) -> None:
    import transformers

    encoder = Transformer(saved, "cpu")
    assert encoder.name == saved.name
    bert = transformers.BertModel.from_pretrained(saved).eval()
    for text, row in zip(TEXTS, encoder.encode(TEXTS), strict=True):
        with torch.inference_mode():
            hidden = bert(torch.tensor([ids(text)])).last_hidden_state[0]
        assert row == pytest.approx(hidden.mean(0).numpy(), abs=1e-5)


def test_batches_keep_the_order_of_texts(saved: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    encoder = Transformer(saved, "cpu")
    whole = encoder.encode(TEXTS)
    monkeypatch.setattr("bench.features.text_encoder._BATCH", 2)
    assert encoder.encode(TEXTS) == pytest.approx(whole, abs=1e-5)


def test_a_long_text_is_cut(saved: Path) -> None:
    encoder = Transformer(saved, "cpu", longest=5)
    found = encoder.encode(["a ball a throw a ball", "a ball a", " ".join(50 * ["ball"])])
    assert found[0] == pytest.approx(found[1], abs=1e-5)
    assert np.isfinite(Transformer(saved, "cpu").encode([" ".join(50 * ["ball"])])).all()


def test_texts_without_words(saved: Path) -> None:
    encoder = Transformer(saved, "cpu")
    with pytest.raises(UserError, match="the text ' - ' has no word"):
        encoder.encode(["a ball", " - "])
    found = encoder.encode(["", "a ball", " - "], allow_empty=True)
    assert not found[[0, 2]].any() and found[1].any()
    assert encoder.encode([]).shape == (0, 8)


def test_a_checkpoint_without_the_pooler_will_do(copied: Path) -> None:
    whole = Transformer(copied, "cpu").encode(TEXTS)
    edit(copied, lambda name: "pooler" not in name)
    assert Transformer(copied, "cpu").encode(TEXTS).tolist() == whole.tolist()


def test_missing_weights_are_not_drawn_at_random(copied: Path) -> None:
    edit(copied, lambda name: "layer.1.output.dense" not in name)
    with pytest.raises(
        UserError, match=r"weights encoder\.layer\.1\.output\.dense.* and 1 more are missing"
    ):
        Transformer(copied, "cpu")


def edit(folder: Path, kept: Any) -> None:
    state = load_file(folder / "model.safetensors")
    found = {name: value for name, value in state.items() if kept(name)}
    assert len(found) < len(state)
    save_file(found, folder / "model.safetensors", {"format": "pt"})


def test_a_cut_file(copied: Path) -> None:
    weights = copied / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-100])
    with pytest.raises(UserError, match=f"{copied}: transformers cannot read it"):
        Transformer(copied, "cpu")


def test_a_pickle_does_not_run(copied: Path) -> None:
    class Trap:
        def __reduce__(self) -> tuple[Any, ...]:
            return Path.touch, (copied / "sprung",)

    (copied / "model.safetensors").unlink()
    torch.save({"embeddings.word_embeddings.weight": Trap()}, copied / "pytorch_model.bin")
    with pytest.raises(UserError, match="cannot read it"):
        Transformer(copied, "cpu")
    assert not (copied / "sprung").exists()


def test_code_of_the_folder_does_not_run(copied: Path) -> None:
    config = json.loads((copied / "config.json").read_text())
    config |= {
        "model_type": "own",
        "auto_map": {"AutoModel": "own.Own", "AutoConfig": "own.Config"},
    }
    (copied / "config.json").write_text(json.dumps(config))
    (copied / "own.py").write_text(f"open({str(copied / 'sprung')!r}, 'w')")
    with pytest.raises(UserError, match="cannot read it"):
        Transformer(copied, "cpu")
    assert not (copied / "sprung").exists()


def test_no_model_there(tmp_path: Path) -> None:
    pytest.importorskip("transformers", reason="needs aurl-bench[text]")
    with pytest.raises(UserError, match=r"has no config\.json"):
        Transformer(tmp_path, "cpu")
    with pytest.raises(UserError, match="is no directory"):
        Transformer(tmp_path / "missing", "cpu")


def test_the_package_is_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "transformers", None)
    with pytest.raises(UserError, match=r"pip install 'aurl-bench\[text\]'"):
        Transformer(tmp_path, "cpu")
