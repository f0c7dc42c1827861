"""Sentence encoders: one vector for each text. And model directories of transformers."""

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

READ = (".json", ".txt", ".model", ".safetensors", ".bin")  # files that transformers reads
SAFE = {"local_files_only": True, "trust_remote_code": False}
LETTERS = list("abcdefghijklmnopqrstuvwxyz")

_BATCH = 64  # texts at a time


class Encoder(Protocol):
    """Turns texts into vectors; ``name`` is its provenance.

    ``digest`` identifies the weights of a network, whose vectors differ between types of machines;
    it is empty where the vectors are the same everywhere.
    """

    name: str
    digest: str

    def encode(self, texts: Sequence[str], allow_empty: bool = False) -> Vectors:
        """Return [K,E]. A text without any known word raises UserError or gives a row of zeros."""


class WordMean:
    """The mean of the unit vectors of a text's known words, as written or else in lower case."""

    name = "mean word vectors"
    digest = ""

    def __init__(self, vectors: Mapping[str, NDArray[Any]]) -> None:
        if not vectors:
            raise UserError("a sentence encoder of words needs word vectors; set words.vectors")
        self._vectors = vectors
        self._width = len(next(iter(vectors.values())))

    def encode(self, texts: Sequence[str], allow_empty: bool = False) -> Vectors:
        """Return [K,W]. A text without any known word raises UserError or gives a row of zeros."""
        rows = np.zeros((len(texts), self._width))
        for row, text in zip(rows, texts, strict=True):
            found = [v for word in words_in(text) if (v := self._unit(word)) is not None]
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

    It is frozen and in float32. The tokens include the tokenizer's own ([CLS], [SEP]); a text is
    cut after ``longest`` tokens.
    """

    def __init__(self, folder: Path, device: torch.device | str, longest: int = 256) -> None:
        """Open the directory. Raises UserError if it is not a usable encoder."""
        # The mean does not need the pooler, which checkpoints of other tasks do not have.
        _, self._model, self._tokenizer = open_folder(folder, optional="pooler.")
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
        """Return [K,E]. A text without any word raises UserError or gives a row of zeros."""
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
    """Import a package that ``folder`` needs, or name the ``extra`` that installs it."""
    try:
        return import_module(name)
    except ImportError:
        raise UserError(f"{folder} needs {name}: pip install 'aurl-bench[{extra}]'") from None


def open_folder(folder: Path, optional: str | None = None) -> tuple[Any, Any, Any]:
    """Return the package transformers, a model directory's float32 model in eval mode, a tokenizer.

    Nothing is downloaded, and no code of the directory runs. Raises UserError if the package, the
    directory or a weight is missing; weights whose names start with ``optional`` may be.
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
    # transformers initialises missing weights at random, with no more than a warning.
    missing = sorted(k for k in info["missing_keys"] if not optional or not k.startswith(optional))
    if missing:
        more = f" and {len(missing) - 1} more" if len(missing) > 1 else ""
        raise UserError(
            f"model {folder}: weights {missing[0]}{more} are missing; restore its files"
        )
    check(folder, model, spelt)
    return transformers, model.float().eval(), tokenizer


def check(folder: Path, model: nn.Module, spelt: Sequence[Sequence[int]]) -> None:
    """Raise UserError if a weight is not finite, or if the tokens of all LETTERS are the same.

    transformers makes a tokenizer even without a vocabulary; every word is then unknown to it.
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
    """Hash the names and bytes of a directory's files with these suffixes."""
    files = sorted(f for f in folder.iterdir() if f.suffix in suffixes and f.is_file())
    return digest({file.name: file_digest(file) for file in files})


def brief(error: Exception) -> str:
    """Return an error's message on one line of limited length."""
    return " ".join(str(error).split())[:200]
