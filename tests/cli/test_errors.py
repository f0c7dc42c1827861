"""A user's mistake is one line that names it and the nearest known name, exit code 2."""

import errno
import json
import os
import re
import signal
from pathlib import Path
from typing import Any

import pytest
from project import Bench

from bench.data.reference import classes


def one_line(ended: tuple[int, str, str]) -> str:
    code, out, err = ended
    assert code == 2
    assert out == ""
    assert err.startswith("error: ") and err.endswith("\n") and err.count("\n") == 1
    return err


@pytest.mark.parametrize(
    ("command", "named", "hint"),
    [
        ("tabel", "'tabel'", "did you mean 'table'"),
        ("zzz", "'zzz'", "known: audit, "),
        ("splits shw", "'shw'", "did you mean 'show'"),
        ("table --whch ablation", "--whch", "--which"),
        ("table --which", "--which", "requires an argument"),
        ("table --which ablatoin", "unknown table 'ablatoin'", "'ablation'"),
        ("table --format latx", "unknown format 'latx'", "'latex'"),
        ("table --profile mnii", "unknown profile 'mnii'", "'mini'"),
        ("table more", "more", ""),
        ("stage tran", "unknown stage 'tran'", "'train'"),
        ("stage", "bench stage: missing argument 'name'", "'bench stage --help'"),
        ("record", "bench record: missing command", "show, schema"),
        ("audit nope", "unknown method 'nope'; known: action2vec, ", ""),
        ("table --method aurl", "--which protocols", ""),
        ("data check mini_ucf", "'mini_ucf' is generated", "bench stage data"),
        ("data index a --root . --out params.yaml/b", "params.yaml: File exists", "another path"),
        ("data index a --root . --out=/proc/a/b", "/proc/a: No such file", "another path"),
        ("data index a --root . --out params.yaml/b/c", "Not a directory", "another path"),
        (f"data index {'n' * 300} --root .", "File name too long", "another path or name"),
        (f"words ucf101 --vectors {'n' * 300}", "File name too long", "another path or name"),
        ("train aurrl", "unknown method 'aurrl'", "'aurl'"),
        ("train -j -1", "'--jobs' / '-j'", "greater than or equal to 0"),
        ("train -j many", "'--jobs' / '-j'", "valid integer"),
        ("check aurrl", "unknown method 'aurrl'", "'aurl'"),
        ("methods aurrl", "unknown method 'aurrl'", "'aurl'"),
        ("status -p mnii", "unknown profile 'mnii'", "'mini'"),
        ("splits show ucf110 half10", "unknown data set 'ucf110'", "'ucf101'"),
        ("splits show ucf101 half1", "unknown protocol 'half1'", "'half10'"),
        ("splits show ucf101 half10 -f jsn", "unknown format 'jsn'", "'json'"),
        ("splits overlap --tau=-1", "--tau", "greater than or equal to 0"),
        ("splits overlap --tau near", "--tau", "valid number"),
        ("splits overlap -p ucf15", "ucf15", "bench stage splits"),
        ("splits overlap -f yaml", "unknown format 'yaml'", "text"),
        ("new base-ls", "'base-ls'", "letters, digits and _"),
        ("new class", "'class'", ""),
        ("new aurl", "methods/aurl.py already exists", ""),
        ("stage words -p mini", "mini_kinetics.json is missing", "bench stage data"),
        ("stage splits -p mini", "classes.npz is missing", "bench stage words"),
        ("stage train -p ucf15", "fifty-fifty.json is missing", "bench stage splits"),
        ("stage data -p paper", "kinetics700", "root in params.yaml"),
    ],
)
def test_mistakes_on_the_command_line(bench: Bench, command: str, named: str, hint: str) -> None:
    message = one_line(bench(*command.split()))
    assert named in message
    assert hint in message


@pytest.mark.parametrize(
    ("old", "new", "named"),
    [
        ("profile: mini", "profile: mnii", "unknown profile 'mnii'; did you mean 'mini'"),
        ("tau: null", "tua: null", "unknown parameter 'tua'; did you mean 'tau'"),
        ("  aurl: {lam: null", "  aurrl: {lam: 5", "'aurrl'; did you mean 'aurl'"),
        ("profile: mini", "profile: [", "not valid YAML"),
    ],
)
def test_mistakes_in_the_parameters(
    bench: Bench, project: Path, old: str, new: str, named: str
) -> None:
    path = project / "params.yaml"
    assert old in path.read_text()
    path.write_text(path.read_text().replace(old, new, 1))
    message = one_line(bench("table"))
    assert named in message
    assert "params.yaml" in message or "profile" in message


def test_outside_of_a_project(bench: Bench, tmp_path_factory: pytest.TempPathFactory) -> None:
    assert "not inside an AURL-Bench project" in one_line(
        bench("table", cwd=tmp_path_factory.mktemp("elsewhere"))
    )


def test_below_the_root_of_a_checkout(bench: Bench, project: Path) -> None:
    assert bench("methods", cwd=project / "methods").code == 0


@pytest.mark.parametrize("content", ["", "{", '{"version": 0}', '{"version": 1}', "[1]"])
def test_a_damaged_record_names_its_file(bench: Bench, project: Path, content: str) -> None:
    folder = project / "results" / "records" / "mini"
    folder.mkdir(parents=True)
    (folder / "aurl.transfer.seed0.json").write_text(content)
    message = one_line(bench("table"))
    assert "results/records/mini/aurl.transfer.seed0.json" in message
    assert "bench stage score" in message


@pytest.mark.parametrize("content", ["", "{", "[1]", '{"digest": "x"}', '"text"'])
def test_a_damaged_split_file_names_it(bench: Bench, project: Path, content: str) -> None:
    folder = project / "splits" / "mini"
    folder.mkdir(parents=True)
    (folder / "overlap.json").write_text(content)
    assert "splits/mini/overlap.json" in one_line(bench("table", "--which", "overlap"))
    assert "splits/mini/overlap.json" in one_line(bench("splits", "overlap"))


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EROFS, errno.EACCES, errno.EDQUOT])
def test_a_disk_that_does_not_take_it(
    bench: Bench, project: Path, monkeypatch: pytest.MonkeyPatch, code: int
) -> None:
    assert bench("stage", "table").code == 0
    table = project / "results" / "tables" / "mini" / "ablation.md"
    table.write_text("the old one")

    def full(handle: int) -> None:
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(os, "fsync", full)
    message = one_line(bench("stage", "table"))
    assert os.strerror(code) in message
    assert table.read_text() == "the old one"
    assert not list(project.rglob("*.part"))


def test_a_file_that_is_not_there_by_a_defect_is_a_traceback(
    bench: Bench, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def lost(handle: int) -> None:
        raise FileNotFoundError(errno.ENOENT, "No such file or directory", str(project / "x"))

    monkeypatch.setattr(os, "fsync", lost)
    with pytest.raises(FileNotFoundError):
        bench("stage", "table")


def test_a_profile_that_is_null_is_asked_for_nothing(bench: Bench, project: Path) -> None:
    (project / "params.yaml").write_text("profiles: {a: null, b: {datasets: {c: null}}}")
    assert "bench data index nope" in one_line(bench("data", "check", "nope"))


def test_interrupted(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(handle: int) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "fsync", interrupt)
    code, _, err = bench("stage", "table")
    assert code == 130
    assert err == "error: interrupted; finished work is kept\n"


@pytest.mark.parametrize("ctrl_c", [signal.default_int_handler, signal.SIG_IGN])
def test_terminated(bench: Bench, monkeypatch: pytest.MonkeyPatch, ctrl_c: Any) -> None:
    """``kill`` unwinds, or a pool's processes outlive it; also where '&' ignores Ctrl-C."""
    monkeypatch.setattr(os, "fsync", lambda handle: signal.raise_signal(signal.SIGTERM))
    before = signal.signal(signal.SIGINT, ctrl_c)
    try:
        code, _, err = bench("stage", "table")
    finally:
        signal.signal(signal.SIGINT, before)
    assert code == 143
    assert err == "error: interrupted; finished work is kept\n"
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL


def test_splits_of_a_data_set_that_is_not_there(bench: Bench) -> None:
    """The class lists of the public data sets are enough; stdout is pure json."""
    code, out, err = bench("splits", "show", "ucf101", "half10", "--format", "json")
    splits = json.loads(out)
    assert code == 0
    assert [len(one["unseen"]) for one in splits] == [50] * 10
    assert set(splits[0]["unseen"]) < set(classes("ucf101"))
    assert err.startswith("note: seen is empty")


def test_new_writes_a_method_that_is_listed(bench: Bench, project: Path) -> None:
    assert bench("new", "my_own_idea").code == 0
    assert "class MyOwnIdea(Method)" in (project / "methods" / "my_own_idea.py").read_text()
    (project / "methods" / "broken.py").write_text("x = 1\ndef f(:\n")
    ended = bench("methods")
    assert ended.code == 0
    assert re.search(r"my_own_idea +ok  My own idea; needs video", ended.out)
    assert "methods/broken.py:2 SyntaxError" in ended.out


def test_check_refuses_the_label_of_another_method(bench: Bench, project: Path) -> None:
    assert bench("new", "base").code == 0
    path = project / "methods" / "base.py"
    path.write_text(path.read_text().replace('label = "Base"', 'label = "AURL (ours)"'))
    code, out, _ = bench("check", "base")
    assert code == 2
    assert "methods/base.py: label 'AURL (ours)' is also used by methods/aurl.py" in out


def test_check_counts_what_is_wrong(bench: Bench, project: Path) -> None:
    (project / "methods" / "broken.py").write_text("x = 1\ndef f(:\n")
    code, out, err = bench("check", "broken")
    assert code == 2
    assert "methods/broken.py:2 SyntaxError" in out
    assert err == "error: 1 problems in methods/\n"
    assert bench("check", "base_ls").out == "base_ls: ok\n"
