"""Small files that grow, paths that lead out, names that act: each ends in one line or in text."""

import io
import tarfile
import zipfile
from pathlib import Path

import pytest
from project import Bench
from ruamel.yaml import YAML

from bench.data.splits.official_lists import LARGEST, read_lists
from bench.data.words.word_vectors import read_vectors
from bench.errors import UserError
from bench.utils.io import read_json


def test_a_list_in_an_archive_is_not_unpacked_without_bound(tmp_path: Path) -> None:
    for name in ("a.zip", "a.tar.gz"):
        data = b"\n" * (LARGEST + 1)
        if name == "a.zip":
            with zipfile.ZipFile(tmp_path / name, "w", zipfile.ZIP_DEFLATED) as archive:
                archive.writestr("testlist01.txt", data)
        else:
            with tarfile.open(tmp_path / name, "w:gz") as tar:
                info = tarfile.TarInfo("testlist01.txt")
                info.size = len(data)
                tar.addfile(info, io.BytesIO(data))
        with pytest.raises(UserError, match="larger than any test list"):
            read_lists(tmp_path / name, "toy", ["a"])


def test_a_header_that_promises_terabytes(tmp_path: Path) -> None:
    head = b"{'descr': '<f8', 'fortran_order': False, 'shape': (1000000000000000,), }".ljust(117)
    with zipfile.ZipFile(tmp_path / "v.npz", "w") as archive:
        for name in ("words", "vectors"):
            archive.writestr(f"{name}.npy", b"\x93NUMPY\x01\x00\x76\x00" + head + b"\n")
    with pytest.raises(UserError, match="damaged"):
        read_vectors(tmp_path / "v.npz", ["a"])


def test_a_line_without_end_fills_no_memory(tmp_path: Path) -> None:
    (tmp_path / "v.txt").write_bytes(b"a 1 2\n" + b"b 1 2" + b" 3" * (9 << 20))
    with pytest.raises(UserError, match="numbers, not 2"):
        read_vectors(tmp_path / "v.txt", ["a", "b"])


@pytest.mark.parametrize(
    "text", ['{"a": NaN}', '{"a": 1e999}', '"\\ud800"', "[" * 9999, "9" * 9999]
)
def test_json_that_could_not_be_written_again(tmp_path: Path, text: str) -> None:
    (tmp_path / "x.json").write_text(text, encoding="utf-8")
    with pytest.raises(UserError, match="damaged"):
        read_json(tmp_path / "x.json")


def test_a_terminal_is_sent_no_escapes(bench: Bench, project: Path) -> None:
    for method in (project / "methods").glob("[b-z]*.py"):  # faster
        method.unlink()
    raw = YAML(typ="safe").load(project / "params.yaml")
    mini = raw["profiles"]["mini"] | {"title": "a\x1b]0;owned\x07\x1b[2Jb \u202egnp", "own": {}}
    raw["readings"]["rows"] = []
    YAML(typ="safe").dump({**raw, "profiles": {"mini": mini}}, project / "params.yaml")
    for words in (["table"], ["status"], ["table", "-f", "html"], ["methods", "\x1b[31m"]):
        ended = bench(*words)
        assert not set("\x1b\x07\x9b\u202e") & set(ended.out + ended.err), words
    assert "\\u001b[2Jb" in bench("status").out


def test_an_archive_with_a_link_is_refused(tmp_path: Path) -> None:
    with tarfile.open(tmp_path / "a.tar", "w") as tar:
        info = tarfile.TarInfo("testlist01.txt")
        info.type, info.linkname = tarfile.SYMTYPE, "/etc/hostname"
        tar.addfile(info)
    with pytest.raises(UserError, match="not a plain file"):
        read_lists(tmp_path / "a.tar", "toy", ["a"])
