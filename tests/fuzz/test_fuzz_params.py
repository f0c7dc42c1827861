"""params.yaml with any value, key, anchor or byte: a configuration, or one line."""

import io
from pathlib import Path
from random import Random
from typing import Any

import pytest
import toy
from fuzzing import Target, bench, fuzz
from hostile import changed_bytes, changed_tree, seeds
from hypothesis import strategies as st
from ruamel.yaml import YAML

from bench.config.paths import Layout
from bench.config.profile import load_config
from bench.experiments.plan import plan

SNIPPETS = [
    "x: &x [*x]\n", "? [1, 2]\n: 3\n", "{a: 1}: 2\n", "profile: mini\nprofile: mini\n", "<<: 3\n",
    "a: !!python/object/apply:os.system ['true']\n", "a: !!binary '='\n", "a: 2001-99-99\n",
    "a: !!timestamp x\n", "a: 0b2\n", "a: !!int x\n", "a: !!float x\n", "a: 1__2\n",
    "--- 1\n--- 2\n",
    "%YAML 9.9\n---\n", "a: 1:99:99\n", "a: .inf\n", f"a: {'9' * 5000}\n", "[" * 3000, "- " * 3000,
    "a: !<tag:x> 1\n", "a: \"\\ud800\"\n", "a: \"\\x00\"\n", "\ufeffa: 1\n", "*b\n", "!!set {a}\n",
    "tau: 1e999\n", "<<: [&y {a: 1}, *y, *y]\n", "a: !!omap [b: 1]\n", "? !!null\n: 1\n",
]  # fmt: skip


def _file(random: Random) -> bytes:
    if random.random() < 0.7:
        raw = changed_tree(toy.parameters(), random)
        return _dumped(raw)
    text = _dumped(toy.parameters())
    if random.random() < 0.5:
        return changed_bytes(text, random)
    lines = text.decode().splitlines(keepends=True)
    at = random.randrange(len(lines))
    indent = " " * (len(lines[at]) - len(lines[at].lstrip()))
    lines.insert(at, indent + random.choice(SNIPPETS))
    return "".join(lines).encode("utf-8", "surrogatepass")


def _dumped(raw: Any) -> bytes:
    out = io.BytesIO()
    try:
        YAML(typ="safe").dump(raw, out)
    except Exception:  # the writer knows no surrogates and no huge numbers
        return b"profiles: {mini: {title: 1}}\n"
    return out.getvalue()


def _load(random: Random, folder: Path) -> None:
    (folder / "params.yaml").write_bytes(_file(random))
    config = load_config(folder, random.choice((None, "mini")))
    plan(config, Layout(folder, config.name), readings=True)


def _command(random: Random, folder: Path) -> object:
    (folder / "params.yaml").write_bytes(_file(random))
    words = ["table", "status", "methods", "words toy", "splits show mini_ucf half10"]
    words += ["splits overlap", "score x.csv -d mini_ucf", "stage table", "doctor --no-time"]
    words += ["stage splits", "stage words", "stage inputs", "checkpoint list", "words mini_ucf"]
    return bench(folder, *random.choice(words).split())


def _text(text: str, folder: Path) -> None:
    (folder / "params.yaml").write_bytes(text.encode("utf-8", "surrogatepass"))
    load_config(folder)


TARGETS = [
    Target("params.yaml", seeds(), _load, share=4, short=20),
    Target("params.yaml, commands", seeds(), _command, share=1, short=8),
    Target(
        "params.yaml, text", st.text(), lambda text, folder: _text(text, folder), share=4, short=30
    ),
]


@pytest.mark.parametrize("target", TARGETS, ids=lambda one: one.name)
def test_parameters(target: Target, project: Path) -> None:
    assert fuzz(target, project, target.short)["refused"]
