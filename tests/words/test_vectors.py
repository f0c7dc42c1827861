"""Word vectors: every format gives the same ones; a damaged file is one clear line."""

import gzip
import tracemalloc
from pathlib import Path

import numpy as np
import pytest

from bench.errors import UserError
from bench.words.vectors import read_vectors

WORDS = ["ski", "Größe", "new_york", "0", "take", "ski2"]
VECTORS = np.random.default_rng(0).normal(size=(6, 300)).astype(np.float32)
FORMATS = ["v.bin", "v.bin.gz", "newline.bin", "v.txt", "v.txt.gz", "headless.txt", "v.npz"]


def write(path: Path) -> Path:
    """Write the words in the format of the file's name."""
    line_end = b"\n" if path.name == "newline.bin" else b""
    pairs = list(zip(WORDS, VECTORS, strict=True))
    binary = b"6 300\n" + b"".join(w.encode() + b" " + v.tobytes() + line_end for w, v in pairs)
    lines = [f"{w} " + " ".join(repr(float(x)) for x in v) for w, v in pairs]
    text = "\n".join([*([] if path.name == "headless.txt" else ["6 300"]), *lines, ""]).encode()
    if path.suffix == ".npz":
        np.savez(path, words=np.array(WORDS), vectors=VECTORS)
    else:
        content = binary if ".bin" in path.suffixes else text
        path.write_bytes(gzip.compress(content) if path.suffix == ".gz" else content)
    return path


@pytest.mark.parametrize("name", FORMATS)
def test_every_format_gives_the_same_unit_vectors(tmp_path: Path, name: str) -> None:
    found = read_vectors(write(tmp_path / name), ["0", "ski", "Größe", "absent"])
    assert set(found) == {"0", "ski", "Größe"}
    for word, vector in found.items():
        own = VECTORS[WORDS.index(word)].astype(np.float64)
        assert vector.dtype == np.float32
        assert vector == pytest.approx(own / np.sqrt((own**2).sum()), abs=1e-7)


def test_the_embedded_worlds_own_file_reads_back(tmp_path: Path) -> None:
    from gensim.models import KeyedVectors

    kept = KeyedVectors(300)
    kept.add_vectors(WORDS, VECTORS)
    kept.save_word2vec_format(str(tmp_path / "g.bin"), binary=True)
    found = read_vectors(tmp_path / "g.bin", WORDS)
    assert list(found) == WORDS
    assert found["take"] == pytest.approx(VECTORS[4] / np.linalg.norm(VECTORS[4]), abs=1e-6)


# Text may end at any word: a class that needs a lost one says so.
@pytest.mark.parametrize(
    ("name", "part"),
    [(n, p) for n in FORMATS for p in (0.01, 0.5, 0.98) if p > 0.9 or not n.endswith(".txt")],
)
def test_a_truncated_file(tmp_path: Path, name: str, part: float) -> None:
    path = write(tmp_path / name)
    whole = path.read_bytes()
    path.write_bytes(whole[: int(part * len(whole))])
    with pytest.raises(UserError, match=f"word vectors .*{name}: damaged") as error:
        read_vectors(path, WORDS)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("name", ["v.bin.gz", "v.npz"])
def test_a_corrupted_archive(tmp_path: Path, name: str) -> None:
    path = write(tmp_path / name)
    content = bytearray(path.read_bytes())
    content[200:1200] = bytes(1000)
    path.write_bytes(content)
    with pytest.raises(UserError, match="damaged"):
        read_vectors(path, WORDS)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.bin", b"no header\n"),
        ("a.bin", b""),
        ("a.bin", b"\x00\xff" * 100),
        ("a.txt", b"ski 0.1 zero\n"),
        ("a.txt", b"ski 0.1 0.2\ntake 0.3\n"),
        ("a.txt", b"9 3\nski 0.1 0.2"),
        ("a.npz", b"PK\x03\x04 and so on"),
        ("a.npz", b"text"),
        ("a.bin.gz", b"not gzip"),
    ],
)
def test_files_that_are_no_vectors(tmp_path: Path, name: str, content: bytes) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(UserError, match=f"{name}: damaged or of another format"):
        read_vectors(tmp_path / name, ["ski", "take"])


def test_a_missing_file_says_where_to_set_it(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"a\.bin are missing; set .*words\.file"):
        read_vectors(tmp_path / "a.bin", ["ski"])


def test_a_vector_without_direction(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("ski 0 0 0\n")
    with pytest.raises(UserError, match="the vector of 'ski' has no direction"):
        read_vectors(tmp_path / "a.txt", ["ski"])


def test_memory_does_not_grow_with_the_file(tmp_path: Path) -> None:
    path, count = tmp_path / "large.bin", 40_000
    with path.open("wb") as handle:
        handle.write(f"{count} 300\n".encode())
        block = np.ones(300, np.float32).tobytes()
        for i in range(count):
            handle.write(f"word{i} ".encode() + block)
    size = path.stat().st_size
    tracemalloc.start()
    found = read_vectors(path, ["word7", "word39999"])
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert set(found) == {"word7", "word39999"}
    assert size > 45_000_000 > 20_000_000 > peak
