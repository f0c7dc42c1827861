"""On a terminal: within its width, coloured if it may be, and never obeying a name."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from project import ROOT
from pty_run import CODE, lines, on_terminal

from bench.config.paths import Layout
from bench.config.profile import load_config
from bench.reports.tables import render_all
from bench.reports.tables.context import read_context


@pytest.mark.usefixtures("committed_results")
@pytest.mark.parametrize("columns", [60, 100])
def test_a_table_fits_the_terminal_and_names_what_it_leaves_out(columns: int) -> None:
    code, drawn = on_terminal(ROOT, "table", columns=columns)
    found = lines(drawn)
    assert code == 0
    assert max(map(len, found)) <= columns
    (head,) = [line for line in found if line.startswith("method ")]
    assert head.split()[-1] == "status" and "n" in head.split()
    assert any(line.startswith("Base w/ MSE ") for line in found)
    assert "columns do not fit" in drawn
    assert "no evidence about the" in " ".join(found)


def test_columns_of_the_environment_go_before_the_terminals_own() -> None:
    _, drawn = on_terminal(ROOT, "status", columns=200, COLUMNS="50")
    assert 30 < max(map(len, lines(drawn))) <= 50


@pytest.mark.usefixtures("committed_results")
@pytest.mark.parametrize("words", ["compare aurl base_ls --resamples 100", "audit", "sweep tau"])
def test_long_lines_wrap_between_words(words: str) -> None:
    code, drawn = on_terminal(ROOT, *words.split())
    assert code == 0
    assert max(map(len, lines(drawn))) <= 80


@pytest.mark.parametrize("encoding", ["ascii", "latin-1"])
def test_signs_that_an_encoding_lacks_are_question_marks(encoding: str) -> None:
    env = os.environ | {"PYTHONIOENCODING": encoding}
    words = [sys.executable, "-c", CODE, "table"]
    done = subprocess.run(words, cwd=ROOT, env=env, capture_output=True, check=True)
    assert done.stdout == stored(ROOT)["ablation.md"].encode(encoding, "replace")


@pytest.mark.parametrize("env", [{"NO_COLOR": "1"}, {"TERM": "dumb"}])
def test_no_escape_where_none_is_wanted(env: dict[str, str]) -> None:
    code, drawn = on_terminal(ROOT, "status", **env)
    assert code == 0
    assert "profile mini" in drawn
    assert "\x1b" not in drawn


def test_colours_say_nothing_that_words_do_not() -> None:
    coloured, plain = (on_terminal(ROOT, "status", **env)[1] for env in ({}, {"NO_COLOR": "1"}))
    assert "\x1b[" in coloured
    assert lines(coloured) == lines(plain)


def test_a_name_is_shown_and_never_obeyed(project: Path) -> None:
    evil = project / "methods" / "evil.py"
    text = (project / "methods" / "base_ls.py").read_text().replace("Base w/", r"\x1b[2J\u202eBase")
    evil.write_text(text)
    for words in (("status",), ("table",), ("table", "--wide")):
        code, drawn = on_terminal(project, *words, columns=120)
        assert code == 0
        assert r"\u001b[2J\u202eBase" in drawn, words
        assert "\x1b[2J" not in drawn and "\u202e" not in drawn


@pytest.mark.parametrize("which", ["ablation", "sota"])
def test_a_pipe_gets_the_very_bytes_of_the_stored_table(which: str) -> None:
    env = os.environ | {"COLUMNS": "40"}
    words = [sys.executable, "-c", CODE, "table", "-w", which]
    done = subprocess.run(words, cwd=ROOT, env=env, capture_output=True, check=True)
    assert done.stdout.decode() == stored(ROOT)[f"{which}.md"]


def test_wide_and_format_print_on_a_terminal_what_a_pipe_gets(project: Path) -> None:
    for words in (["--wide"], ["-f", "md"]):
        assert on_terminal(project, "table", *words)[1] == stored(project)["ablation.md"]


def stored(root: Path) -> dict[str, str]:
    config = load_config(root)
    return render_all(read_context(config, Layout(root, config.name)))
