"""Commands with any words and any values in params.yaml: exit code 0, 1, or one line and 2."""

from pathlib import Path
from random import Random

import pytest
import toy
from fuzzing import Target, bench, fuzz
from hostile import NAMES, changed_tree, seeds
from hypothesis import strategies as st
from project import Ended

from bench.config.paths import Layout
from bench.config.profile import load_config
from bench.experiments.plan import plan

_COMMANDS = [
    "stage words", "stage splits", "stage inputs", "stage score", "stage table",
    "table", "status", "words", "score", "doctor", "methods", "new", "check eszsl",
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


def _write_parameters(random: Random, folder: Path) -> None:
    try:
        toy.write_parameters(folder, changed_tree(toy.parameters(), random))
    except Exception:  # the writer knows no surrogates and no huge numbers
        (folder / "params.yaml").write_text("profiles: {mini: {title: 1}}\n", encoding="utf-8")


def _parameters(random: Random, folder: Path) -> None:
    _write_parameters(random, folder)
    config = load_config(folder, random.choice((None, "mini")))
    plan(config, Layout(folder, config.name), readings=True)


def _command(random: Random, folder: Path) -> Ended:
    _write_parameters(random, folder)
    words = ["table", "status", "methods", "words toy", "splits show mini_ucf half10"]
    words += ["splits overlap", "score x.csv -d mini_ucf", "stage table", "doctor"]
    words += ["stage splits", "stage words", "stage inputs", "checkpoint list", "words mini_ucf"]
    return bench(folder, *random.choice(words).split())


TARGETS = [
    Target("command line", _LINE, _run, share=2, short=30),
    Target("params.yaml", seeds(), _parameters, share=4, short=20),
    Target("params.yaml, commands", seeds(), _command, share=1, short=8),
]


@pytest.mark.parametrize("target", TARGETS, ids=lambda one: one.name)
def test_commands(target: Target, project: Path) -> None:
    assert fuzz(target, project, target.short)["refused"]
