"""Sentence encoders: one vector for each text."""

from collections.abc import Mapping, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from bench.data.words.word_vectors import exact_norm
from bench.errors import UserError
from bench.features.texts import words_in
from bench.utils.io import digest, file_digest

Vectors = NDArray[np.float32]

_BATCH = 64  # texts at a time
READ = (".json", ".txt", ".model", ".safetensors", ".bin")  # what transformers reads of a folder
SAFE = {"local_files_only": True, "trust_remote_code": False}
LETTERS = list("abcdefghijklmnopqrstuvwxyz")


class Encoder(Protocol):
    """What turns texts into vectors; ``name`` says which one, for provenance.

    ``digest`` identifies the weights of a network, whose vectors differ between types of machines;
    it is empty where the vectors are the same everywhere.
    """

    name: str
    digest: str

    def encode(self, texts: Sequence[str], allow_empty: bool = False) -> Vectors:
        """Return [K,E]. A text without any known word is a UserError, or a row of zeros."""


class WordMean:
    """The mean of the unit vectors of a text's known words, as written or else in lower case.

    ``coverage`` is the part of all words encoded so far that have a vector (1 before the first).
    """

    name = "mean word vectors"
    digest = ""

    def __init__(self, vectors: Mapping[str, NDArray[Any]]) -> None:
        if not vectors:
            raise UserError("a sentence encoder of words needs word vectors; set words.vectors")
        self._vectors = vectors
        self._width = len(next(iter(vectors.values())))
        self._known = self._words = 0

    @property
    def coverage(self) -> float:
        """Known words / words, over all texts encoded so far."""
        return self._known / self._words if self._words else 1.0

    def encode(self, texts: Sequence[str], allow_empty: bool = False) -> Vectors:
        """Return [K,W]. A text without any known word is a UserError, or a row of zeros."""
        rows = np.zeros((len(texts), self._width))
        for row, text in zip(rows, texts, strict=True):
            words = words_in(text)
            found = [v for word in words if (v := self._unit(word)) is not None]
            self._words += len(words)
            self._known += len(found)
            if found:
                row[:] = np.mean(found, axis=0)
            elif not allow_empty:
                raise UserError(f"no word of the text '{text[:60]}' has a vector; reword it")
        return rows.astype(np.float32)

    def _unit(self, word: str) -> NDArray[np.float64] | None:
        vector = self._vectors.get(word)
        if vector is None:
            vector = self._vectors.get(word.lower())
        if vector is None:
            return None
        wide = np.asarray(vector, np.float64)
        norm = exact_norm(wide)
        return wide / norm if norm else None


class Transformer:
    """A Hugging Face model directory: the mean of the last layer over a text's tokens.

    Frozen and in float32; the tokens include the tokenizer's own ([CLS], [SEP]), and a text is cut
    behind ``longest`` tokens.
    """

    def __init__(self, folder: Path, device: torch.device | str, longest: int = 256) -> None:
        """Open the directory; UserError says what it lacks."""
        # A checkpoint of another task has no pooler; the mean does not use it.
        _, self._model, self._tokenizer = open_folder(folder, spare="pooler.")
        if self._model.config.is_encoder_decoder or self._tokenizer.pad_token is None:
            raise UserError(f"model {folder} is no sentence encoder; give one like BERT")
        self.name = folder.resolve().name
        self.digest = folder_digest(folder, READ)
        self._device = torch.device(device)
        self._model.to(self._device)
        places = getattr(self._model.config, "max_position_embeddings", longest)
        self._longest = min(longest, places, self._tokenizer.model_max_length)

    @torch.inference_mode()
    def encode(self, texts: Sequence[str], allow_empty: bool = False) -> Vectors:
        """Return [K,E]. A text without any word is a UserError, or a row of zeros."""
        rows = np.zeros((len(texts), self._model.config.hidden_size), np.float32)
        worded = [i for i, text in enumerate(texts) if words_in(text)]
        if len(worded) < len(texts) and not allow_empty:
            empty = next(text for text in texts if not words_in(text))
            raise UserError(f"the text '{empty[:60]}' has no word; give it one")
        for start in range(0, len(worded), _BATCH):
            part = worded[start : start + _BATCH]
            rows[part] = self._means([texts[i] for i in part])
        return rows

    def _means(self, texts: list[str]) -> Vectors:
        tokens = self._tokenizer(
            texts, padding=True, truncation=True, max_length=self._longest, return_tensors="pt"
        ).to(self._device)
        hidden = self._model(**tokens).last_hidden_state
        mask = tokens["attention_mask"].unsqueeze(-1).float()
        means: Vectors = ((hidden * mask).sum(1) / mask.sum(1)).cpu().numpy()
        return means


def package(name: str, extra: str, folder: Path) -> Any:
    """Import a package that ``folder`` needs; UserError names the ``extra`` that has it."""
    try:
        return import_module(name)
    except ImportError:
        raise UserError(f"{folder} needs {name}: pip install 'aurl-bench[{extra}]'") from None


def open_folder(folder: Path, spare: str | None = None) -> tuple[Any, Any, Any]:
    """Return the package transformers, a folder's model in float32 and eval mode, its tokenizer.

    Weights are read from safetensors or with torch's weights_only; no code of the folder runs.
    UserError if the package, the folder or a weight is missing; weights named ``spare…`` may be.
    """
    transformers = package("transformers", "text", folder)
    if not (folder / "config.json").is_file():
        why = "has no config.json" if folder.is_dir() else "is no directory"
        raise UserError(f"model {folder} {why}; give a Hugging Face model directory")
    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()
    try:
        model, info = transformers.AutoModel.from_pretrained(
            folder, output_loading_info=True, **SAFE
        )
        tokenizer = transformers.AutoTokenizer.from_pretrained(folder, **SAFE)
        spelt = tokenizer(LETTERS)["input_ids"]
    except Exception as error:  # what transformers raises depends on the file and its version
        raise UserError(f"model {folder}: transformers cannot read it ({brief(error)})") from None
    # transformers draws missing weights at random, with no more than a warning.
    lacking = sorted(k for k in info["missing_keys"] if spare is None or not k.startswith(spare))
    if lacking:
        more = f" and {len(lacking) - 1} more" if len(lacking) > 1 else ""
        raise UserError(f"model {folder}: its weights lack {lacking[0]}{more}; restore the files")
    check(folder, model, spelt)
    return transformers, model.float().eval(), tokenizer


def check(folder: Path, model: nn.Module, spelt: Sequence[Sequence[int]]) -> None:
    """UserError if a weight is not finite, or if ``spelt``, the LETTERS' tokens, are all alike.

    transformers makes a tokenizer of a folder without vocabulary, to which all words are unknown.
    """
    broken = next((k for k, one in model.named_parameters() if not one.isfinite().all()), None)
    if broken is not None:
        raise UserError(f"model {folder}: its weights {broken} are not finite; restore the files")
    if len({tuple(tokens) for tokens in spelt}) == 1:
        raise UserError(
            f"model {folder}: its tokenizer knows no letter; restore its files (tokenizer.json, or "
            "vocab.json and merges.txt, vocab.txt, …)"
        )


def folder_digest(folder: Path, suffixes: Sequence[str]) -> str:
    """Hash a directory's own files of these suffixes, names and bytes."""
    files = sorted(f for f in folder.iterdir() if f.suffix in suffixes and f.is_file())
    return digest({file.name: file_digest(file) for file in files})


def brief(error: Exception) -> str:
    """Return what an error says, on one line that is not too long."""
    return " ".join(str(error).split())[:200]
