"""Read the definitions of classes and objects, and encode sentences."""

import re
from collections.abc import Mapping, Sequence
from contextlib import suppress
from importlib import import_module
from pathlib import Path
from textwrap import shorten
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from bench.config.profile import Profile
from bench.data.reference.class_names import key
from bench.data.synthetic.corpus import definitions
from bench.data.words.class_vectors import split
from bench.data.words.word_vectors import exact_norm
from bench.errors import UserError
from bench.utils.io import DAMAGED, digest, file_digest, parsed_json

_NAMES, _TEXTS = ("word", "label", "class", "name"), ("defn", "text", "definition", "description")
_WORD = re.compile(r"[^\W_]+(?:['’][^\W_]+)*")


def words_in(text: str) -> list[str]:
    """Return the words of a text in order: letters, digits and inner apostrophes."""
    return _WORD.findall(text)


def spoken(name: str) -> str:
    """Return a class name as words: ``ApplyEyeMakeup`` and ``apply_eye_makeup`` alike."""
    return " ".join(split("", name))


def read_texts(path: Path) -> dict[str, str]:
    """Return ``key`` of a name -> its text from a .json.

    The file maps names to a text or to a list of texts, which are joined; or it is a list of
    objects with a name ("word", "label", "class" or "name") and a text ("defn", "text",
    "definition" or "description"). Raises UserError for a file that cannot be read.
    """
    try:
        raw = parsed_json(path.read_text(encoding="utf-8"))
        if isinstance(raw, list):
            pairs = [(_field(one, _NAMES), _field(one, _TEXTS)) for one in raw]
        else:
            pairs = list(raw.items())
        found: dict[str, tuple[str, str]] = {}
        for name, text in ((str(name), _joined(text)) for name, text in pairs):
            other, same = found.setdefault(key(name), (name, text))
            if same != text:
                raise ValueError(f"'{other}' and '{name}' are one name with two texts")
    except FileNotFoundError:
        raise UserError(f"texts {path} are missing; set their path in params.yaml") from None
    except DAMAGED as error:
        raise UserError(f"texts {path}: cannot be read ({' '.join(str(error).split())})") from None
    return {name: text for name, (_, text) in found.items()}


def class_texts(profile: Profile, root: Path, dataset: str, classes: Sequence[str]) -> list[str]:
    """Return "name: definition" of each class. Raises UserError for a class without a text."""
    described = profile.inputs.texts
    if described is None:
        raise UserError(f"profile describes no texts; set inputs.texts for {dataset}")
    if described.kind == "generated":
        known, source = {key(n): t for n, t in definitions().items()}, "the embedded world"
    elif dataset not in described.files:
        raise UserError(f"inputs.texts.files names no .json for data set {dataset}")
    else:
        path = (root / described.files[dataset]).resolve()
        known, source = read_texts(path), str(path)
    return named(classes, known, source)


def named(names: Sequence[str], known: Mapping[str, str], source: str) -> list[str]:
    """Return "name: text" of each name in any spelling. Raises UserError for one without a text."""
    lacking = [name for name in names if not known.get(key(name), "").strip()]
    if lacking:
        more = f" and {len(lacking) - 1} more" if len(lacking) > 1 else ""
        raise UserError(f"no text of '{lacking[0]}'{more} in {source}; add it there")
    return [f"{spoken(name)}: {known[key(name)]}" for name in names]


def text_words(profile: Profile, root: Path, classes: Mapping[str, Sequence[str]]) -> set[str]:
    """Return the words, as written and in lower case, of the texts that the profile describes.

    Texts that cannot be read are skipped: stage ``inputs`` reports them.
    """
    described = profile.inputs
    texts: list[str] = []
    if described.texts is not None:
        for dataset, names in classes.items():
            try:
                texts += class_texts(profile, root, dataset, names)
            except UserError:
                continue
    if described.objects is not None and described.objects.kind == "shapes":
        texts += [f"{name}: {text}" for name, text in definitions().items()]
    elif described.objects is not None and described.objects.texts is not None:
        with suppress(UserError):
            texts += read_texts(root / described.objects.texts).values()
    words = {word for text in texts for word in words_in(text)}
    return words | {word.lower() for word in words}


def _field(one: Mapping[str, Any], names: Sequence[str]) -> Any:
    for name in names:
        if name in one:
            return one[name]
    raise ValueError(f"an entry has none of {', '.join(names)}")


def _joined(text: Any) -> str:
    parts = text if isinstance(text, list) else [text]
    if not all(isinstance(part, str) for part in parts):
        raise ValueError(f"'{shorten(str(text), 40)}' is not a text")
    return ". ".join(parts)


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
