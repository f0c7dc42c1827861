"""Word vectors: every format gives the same ones; a damaged file is one clear line."""

import gzip
import tracemalloc
from pathlib import Path

import numpy as np
import pytest

from bench.data.words.word_vectors import read_vectors, write_vectors
from bench.errors import UserError

WORDS = ["ski", "Größe", "new_york", "0", "take", "ski2"]
VECTORS = np.random.default_rng(0).normal(size=(6, 300)).astype(np.float32)
FORMATS = [
    *("v.bin", "v.bin.gz", "newline.bin", "v.txt", "v.txt.gz", "v.npz"),
    *("fasttext.vec", "fasttext.vec.gz", "glove.txt", "glove.txt.gz", "glove.tab.txt"),
]


def write(path: Path) -> Path:
    """Write the words in the format of the file's name."""
    line_end = b"\n" if path.name == "newline.bin" else b""
    pairs = list(zip(WORDS, VECTORS, strict=True))
    binary = b"6 300\n" + b"".join(w.encode() + b" " + v.tobytes() + line_end for w, v in pairs)
    end = " " if path.name.startswith("fasttext") else ""  # its writer leaves a space
    lines = [f"{w} " + " ".join(repr(float(x)) for x in v) + end for w, v in pairs]
    header = [] if path.name.startswith("glove") else ["6 300"]
    text = "\n".join([*header, *lines, ""]).encode()
    text = text.replace(b" ", b"\t") if ".tab" in path.suffixes else text
    if path.suffix == ".npz":
        np.savez(path, words=np.array(WORDS), vectors=VECTORS)
    else:
        content = binary if ".bin" in path.suffixes else text
        path.write_bytes(gzip.compress(content) if path.suffix == ".gz" else content)
    return path


@pytest.mark.parametrize("name", FORMATS)
def test_every_format_gives_the_same_unit_vectors(tmp_path: Path, name: str) -> None:
    found = read_vectors(write(tmp_path / name), ["0", "ski", "Größe", "new_york", "absent"])
    assert set(found) == {"0", "ski", "Größe", "new_york"}
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


def test_what_was_kept_reads_back(tmp_path: Path) -> None:
    found = read_vectors(write(tmp_path / "v.bin"), WORDS)
    write_vectors(tmp_path / "kept.npz", found)
    again = read_vectors(tmp_path / "kept.npz", WORDS)
    assert again.keys() == found.keys()
    for word, vector in again.items():
        assert vector == pytest.approx(found[word], abs=1e-7)


@pytest.mark.parametrize("name", ["a.bin", "a.txt"])
def test_words_that_are_not_utf8_are_passed_over(tmp_path: Path, name: str) -> None:
    odd, one = b"caf\xe9\xff\x00", np.array([3, 4], "<f4")
    if name == "a.bin":
        content = b"2 2\n" + odd + b" " + one.tobytes() + b"ski " + one.tobytes()
    else:
        content = odd + b" 1 2\nski 3 4\n"
    (tmp_path / name).write_bytes(content)
    assert read_vectors(tmp_path / name, ["ski"])["ski"] == pytest.approx([0.6, 0.8])


def test_gloves_words_with_spaces_are_passed_over(tmp_path: Path) -> None:
    lines = [", 1 0", ". . 1 2", "at name@domain.com 1 2", "at 3 4", "ski 1 0", "on x@y.z 1 2", ""]
    (tmp_path / "glove.txt").write_text("\n".join(lines))
    found = read_vectors(tmp_path / "glove.txt", ["at", "ski", "on"])
    assert found.keys() == {"at", "ski"}
    assert found["at"] == pytest.approx([0.6, 0.8])


# GloVe's text cut within its first line is text of fewer dimensions.
@pytest.mark.parametrize(
    ("name", "part"),
    [
        (n, p)
        for n in FORMATS
        for p in (0.01, 0.5, 0.98)
        if p > 0.01 or n not in ("glove.txt", "glove.tab.txt")
    ],
)
def test_a_file_cut_short(tmp_path: Path, name: str, part: float) -> None:
    path = write(tmp_path / name)
    whole = path.read_bytes()
    path.write_bytes(whole[: int(part * len(whole))])
    with pytest.raises(UserError, match=f"word vectors .*{name}: damaged") as error:
        read_vectors(path, WORDS)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("name", "where"),
    [
        ("v.bin", "ends at word 4 of 6"),
        ("v.bin.gz", "ends at word . of 6"),
        ("v.txt", "ends after word 4, not after word 6"),
        ("v.txt.gz", "ends after word"),
        ("glove.txt", "line of word 4, '0', has [0-9]+ numbers, not 300"),
        ("glove.txt.gz", "ends after word"),
    ],
)
def test_it_says_at_which_word_a_file_is_cut_short(tmp_path: Path, name: str, where: str) -> None:
    path = write(tmp_path / name)
    whole = path.read_bytes()
    path.write_bytes(whole[: int(0.6 * len(whole))])
    with pytest.raises(UserError, match=where):
        read_vectors(path, ["absent"])


@pytest.mark.parametrize("header", ["5 300", "7 300", "6 299", "6 301", "6 100000"])
@pytest.mark.parametrize("name", ["v.bin", "newline.bin", "v.txt"])
def test_a_header_that_does_not_fit(tmp_path: Path, name: str, header: str) -> None:
    path = write(tmp_path / name)
    path.write_bytes(header.encode() + path.read_bytes().removeprefix(b"6 300"))
    with pytest.raises(UserError, match=r"word [0-9]|words|wrong header"):
        read_vectors(path, ["absent"])


def test_fasttexts_own_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "cc.bin").write_bytes((793712314).to_bytes(4, "little") + bytes(5000))
    with pytest.raises(UserError, match=r"fastText's own model file; take the \.vec file"):
        read_vectors(tmp_path / "cc.bin", ["ski"])


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
        ("a.bin", b"2 2\n" + b"x" * 9000),
        ("a.bin", b"2 99999999\n" + b"x " * 9000),
        ("a.txt", b""),
        ("a.txt", b"ski\n"),
        ("a.txt", b"\x89PNG\x00\xff some bytes\n"),
        ("a.txt", b"ski 0.1 0.2\ntake 0.3 0.4 0.5\nrun 0.1 0.2\n"),
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


def test_an_archive_whose_words_and_vectors_differ_in_number(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", words=np.array(["ski", "take"]), vectors=np.ones((3, 4)))
    with pytest.raises(UserError, match=r"words \(2,\) do not match vectors \(3, 4\)"):
        read_vectors(tmp_path / "a.npz", ["ski"])


def test_a_missing_file_says_where_to_set_it(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"a\.bin are missing; set .*words\.file"):
        read_vectors(tmp_path / "a.bin", ["ski"])


@pytest.mark.parametrize(
    "numbers", ["0 0 0", "1e-45 0 -1e-45", "3e38 3e38 3e38", "nan 0 0", "1e39 0 0"]
)
def test_a_vector_without_direction(tmp_path: Path, numbers: str) -> None:
    (tmp_path / "a.txt").write_text(f"ski {numbers}\n")
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
