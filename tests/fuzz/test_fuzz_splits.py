"""Split files, files of draws and official test lists, as folders and archives."""

import io
import json
import tarfile
import zipfile
from pathlib import Path
from random import Random
from typing import Any

import pytest
from fuzzing import Target, bench, fuzz
from hostile import NAMES, changed_bytes, changed_json, seeds
from project import ROOT

from bench.config.profile import FiftyFifty
from bench.data.splits.official_lists import read_lists
from bench.pipeline.class_splits import build

_FILES = sorted((ROOT / "splits" / "mini").glob("*.json"))
_DRAWS = [{"name": "a", "seen": ["run", "ride bike"], "unseen": ["jump"]}] * 2
CLASSES = ["jump", "ride bike", "run"]


def _built(random: Random, folder: Path) -> object:
    name = random.choice(_FILES).name
    file = folder / "splits" / "mini" / name
    whole = (ROOT / "splits" / "mini" / name).read_text(encoding="utf-8")
    file.write_bytes(changed_json(whole, random))
    words = ["table -w splits", "table -w overlap -f html", "table", "splits overlap", "status"]
    words += ["splits overlap -f json", "splits show mini_ucf half10", "splits show mini_hmdb full"]
    words += ["score scores.csv -d mini_ucf", "splits overlap --tau 0.1", "table -w sota"]
    try:
        return bench(folder, *random.choice(words).split())
    finally:
        file.write_text(whole, encoding="utf-8")


def _draws(random: Random, folder: Path) -> object:
    (folder / "draws.json").write_bytes(changed_json(json.dumps({"toy": _DRAWS[:1]}), random))
    draws = FiftyFifty(draws=random.choice((1, 50)), file=Path("draws.json"))
    return json.dumps(build("toy", "fifty-fifty", CLASSES, [], folder, draws))


def _ucf(random: Random) -> str:
    return "".join(f"{name}/v_{name}_g01_c01.avi\r\n" for name in ("jump", "run", "ride_bike"))


def _members(random: Random) -> dict[str, bytes]:
    files = {f"a/testlist0{i}.txt": _ucf(random).encode() for i in (1, 2, 3)}
    if random.random() < 0.5:
        files = {
            f"{name}_test_split{i}.txt": f"{name}_1.avi 2 \n{name}_2.avi 1\n".encode()
            for name in ("jump", "run", "ride_bike")
            for i in (1, 2, 3)
        }
    for name in random.sample(sorted(files), random.choice((0, 1, 1, 2))):
        files[name] = changed_bytes(files[name], random)
    if random.random() < 0.3:
        evil = random.choice(["/abs/testlist01.txt", "../testlist01.txt", "a\\..\\..\\x", *NAMES])
        files[evil.replace("\0", "0")[:200] or "x"] = b"x"
    return files


def _archive(random: Random) -> bytes:
    out = io.BytesIO()
    files = _members(random)
    if random.random() < 0.5:
        with zipfile.ZipFile(out, "w", random.choice((0, 8))) as archive:
            for name, data in files.items():
                archive.writestr(name.encode("utf-8", "replace").decode(), data)
    else:
        mode = random.choice(("w:gz", "w"))
        # GNU's format, because pax headers cannot hold half a surrogate pair.
        kind: Any = {"encoding": "utf-8", "errors": "surrogatepass", "format": tarfile.GNU_FORMAT}
        with tarfile.open(fileobj=out, mode=mode, **kind) as tar:
            for name, data in files.items():
                info = tarfile.TarInfo(name)
                info.size = len(data)
                if random.random() < 0.05:
                    info.type, info.linkname, info.size = random.choice(
                        ((tarfile.SYMTYPE, "/etc/passwd", 0), (tarfile.LNKTYPE, "../x", 0),
                         (tarfile.FIFOTYPE, "", 0), (tarfile.DIRTYPE, "", 0))
                    )  # fmt: skip
                tar.addfile(info, io.BytesIO(data) if info.size else None)
    return changed_bytes(out.getvalue(), random) if random.random() < 0.6 else out.getvalue()


def _lists(random: Random, folder: Path) -> object:
    file = folder / random.choice(("lists.zip", "lists.tar.gz"))
    file.write_bytes(_archive(random))
    before = sorted(folder.iterdir())
    found = read_lists(file, "toy", CLASSES)
    assert sorted(folder.iterdir()) == before  # nothing was unpacked
    return json.dumps(found, ensure_ascii=False).encode()


TARGETS = [
    Target("split files", seeds(), _built, share=1, short=6),
    Target("files of draws", seeds(), _draws, share=14, short=60),
    Target("official test lists", seeds(), _lists, share=10, short=60),
]


@pytest.mark.parametrize("target", TARGETS, ids=lambda one: one.name)
def test_splits(target: Target, project: Path) -> None:
    (project / "scores.csv").write_text("predicted,label\nrun,run\n", encoding="utf-8")
    assert fuzz(target, project, target.short)["refused"]
