"""The command line with any words: it ends with 0, 1 or one line and 2."""

from pathlib import Path

import pytest
from fuzzing import Target, bench, fuzz
from hostile import NAMES
from hypothesis import strategies as st
from project import Ended

_COMMANDS = [
    "stage words", "stage splits", "stage inputs", "stage score", "stage table",
    "table", "status", "words", "score", "doctor --no-time", "methods", "new", "check eszsl",
    "splits", "splits show", "splits overlap", "data", "data index", "data check",
    "checkpoint list", "checkpoint import", "checkpoint export", "train nobody",
    "train --readings nobody", "", "help",
]  # fmt: skip
_WORDS = [
    "-p", "--profile", "mini", "-f", "--format", "json", "text", "md", "latex", "-w", "--which",
    "sota", "ablation", "-m", "--method", "aurl", "--tau", "0.05", "1e999", "nan", "-1", "--train",
    "kinetics700", "--test", "ucf101,hmdb51", "ucf101", "mini_ucf", "half10", "full", "official3",
    "fifty-fifty", "--published", "--lists", "params.yaml", "dvc.yaml", ".", "results", "-d",
    "--dataset", "--protocol", "--root", "--out", "out.bin", "--list", "--jobs", "1", "--timeout",
    "0.1", "--seed", "--name", "--force", "--vectors", "--borderline", "--page", "--version",
    "--help", "-o", "--", "-", "--manifest", "--sha256", "aurl.transfer.seed0", "../out", "/",
]  # fmt: skip
_ARGS = st.lists(st.sampled_from(_WORDS) | st.sampled_from(NAMES) | st.text(max_size=8), max_size=6)
_LINE = st.tuples(st.sampled_from(_COMMANDS), _ARGS).map(lambda made: [*made[0].split(), *made[1]])


def _run(words: list[str], folder: Path) -> Ended:
    words = [w for w in words if "\0" not in w]  # a process is never given one
    out = {"--out", "-o"}.intersection(words)
    if out or "new" in words[:1] or ("check" in words[:1] and len(words) == 1):
        words = [w for w in words if "/" not in w]  # where the user says, a file is written
    if words[:1] == ["train"]:
        words = [w for w in words if w not in ("aurl", "eszsl")]
    return bench(folder, *words)


TARGETS = [Target("command line", _LINE, _run, share=2, short=30)]


@pytest.mark.parametrize("target", TARGETS, ids=lambda one: one.name)
def test_command_line(target: Target, project: Path) -> None:
    assert fuzz(target, project, target.short)["refused"]
