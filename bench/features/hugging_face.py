"""Directories of the package transformers: opened without network, no code of theirs is run."""

from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

from torch import nn

from bench.errors import UserError
from bench.utils.io import digest, file_digest

READ = (".json", ".txt", ".model", ".safetensors", ".bin")  # what transformers reads of a folder
SAFE = {"local_files_only": True, "trust_remote_code": False}
LETTERS = list("abcdefghijklmnopqrstuvwxyz")


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
