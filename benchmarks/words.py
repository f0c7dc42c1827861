"""Time and memory of reading the words needed from a word2vec file of GoogleNews's size and form.

    python benchmarks/words.py [--words 3000000] [--folder /tmp] [--no-gensim]

Writes random vectors of 300 dimensions as .bin, and a fifteenth of them as .bin.gz; the values keep
16 of 32 bits, as GoogleNews's do (it is why that file packs to less than half). Reads 1,500 words
with the project's reader and with gensim, each in a process of its own. The files are deleted.
"""

import argparse
import gzip
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from ratio import Ratio, compare

DIMENSIONS, NEEDED, BLOCK = 300, 1_500, 20_000
READ = {
    "bench": "from bench.words.vectors import read_vectors as r; found = r(Path(path), words)",
    "gensim": "from gensim.models import KeyedVectors as K\n"
    "all = K.load_word2vec_format(path, binary=True)\n"
    "found = {word: all[word] for word in words}",
}
CHILD = """
import re, sys, time
from pathlib import Path
reader, path, count, needed = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
words = [f"Some_word_{i}" for i in range(0, count, max(1, count // needed))]
start, began = time.perf_counter(), time.process_time()
exec(reader)
seconds, busy = time.perf_counter() - start, time.process_time() - began
assert len(found) == len(words)
peak = int(re.search(r"VmHWM:\\s+(\\d+)", Path("/proc/self/status").read_text())[1]) / 1000
took = f"{seconds:.1f} s ({busy:.1f} of CPU), peak memory {peak:.0f} MB"
print(f"{len(words)} of {count} words in {took}")
"""


def content(count: int) -> Iterator[bytes]:
    """Yield the file's bytes, block by block."""
    values = np.random.default_rng(0).normal(0, 0.1, (BLOCK, DIMENSIONS)).astype("<f4")
    values = (values.view("<u4") & 0xFFFF0000).view("<f4")
    vectors = [vector.tobytes() for vector in values]
    yield f"{count} {DIMENSIONS}\n".encode()
    for start in range(0, count, BLOCK):
        stop = min(start + BLOCK, count)
        yield b"".join(b"Some_word_%d " % i + vectors[i % BLOCK] for i in range(start, stop))


def measure(name: str, path: Path, count: int) -> None:
    """Read a file in a fresh process, after it was read once: the disk is not what is measured."""
    with path.open("rb") as handle:
        while handle.read(1 << 24):
            pass
    words = [sys.executable, "-c", CHILD, READ[name], str(path), str(count), str(NEEDED)]
    done = subprocess.run(words, capture_output=True, text=True)
    size = path.stat().st_size / 1e9
    outcome = done.stdout.strip() or done.stderr.strip().splitlines()[-1]
    print(f"{name:<7} {path.suffix:<4} {size:.2f} GB: {outcome}", flush=True)


def rows(quick: bool = False) -> Iterator[Ratio]:
    """Yield ours beside gensim on a .bin of GoogleNews's size (quick: a fifteenth of it)."""
    count = 200_000 if quick else 3_000_000
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "vectors.bin")
        with path.open("wb") as handle:
            handle.writelines(content(count))

        def read(name: str) -> None:
            words = [sys.executable, "-c", CHILD, READ[name], str(path), str(count), str(NEEDED)]
            subprocess.run(words, capture_output=True, check=True)

        size = path.stat().st_size / 1e9
        work = f"{NEEDED} words of a .bin of {size:.2f} GB, with the process's start"
        yield compare(work, lambda: read("gensim"), lambda: read("bench"), 1)


def main() -> None:
    """Write the files, measure, delete them."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--words", type=int, default=3_000_000)
    parser.add_argument("--folder", type=Path, help="where 3.6 GB are free (default: a /tmp)")
    parser.add_argument("--no-gensim", action="store_true", help="spares 4 GB of memory")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=given.folder) as folder:
        plain, packed = Path(folder, "vectors.bin"), Path(folder, "vectors.bin.gz")
        fewer = max(BLOCK, given.words // 15)
        with plain.open("wb") as handle:
            handle.writelines(content(given.words))
        with gzip.open(packed, "wb", compresslevel=6) as archive:
            archive.writelines(content(fewer))
        for name in ("bench",) if given.no_gensim else ("bench", "gensim"):
            measure(name, plain, given.words)
            measure(name, packed, fewer)


if __name__ == "__main__":
    main()
