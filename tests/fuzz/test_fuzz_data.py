"""Data files: manifests, lists, indexes, features, scores, texts and official test lists."""

import io
import json
import tarfile
import zipfile
from functools import cache
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from fuzzing import Target, fuzz
from hostile import NAMES, changed_bytes, changed_json, npy, npz, seeds, value

from bench.config.paths import Layout
from bench.config.profile import DataSet
from bench.data.folders import find_videos
from bench.data.index import Index, read_index, write_index
from bench.data.input_store import read_objects, read_videos
from bench.data.manifest import COLUMNS, list_features, list_videos
from bench.data.splits.official_lists import read_lists
from bench.features.object_vocabulary import read_scores, read_signatures, score_names
from bench.features.text_encoder import named, read_texts
from bench.utils.io import dump_json

PATHS = ["run/a.avi", "run/b.avi", "jump/c.avi"]
EVIL = ["/etc/passwd", "../x.avi", "run/../../x.avi", "run/link.avi", "\0", "", ".", "run"]


def _rows(random: Random) -> pd.DataFrame:
    rows = pd.DataFrame(
        {
            "path": PATHS, "class": ["run", "run", "jump"], "split": ["train", "test", ""],
            "frames": [0, 10, 20], "fps": 25.0, "width": 32, "height": 32, "sha256": "",
            "bytes": [0, 0, 0], "mtime_ns": [0, 1, 2], "reason": ["broken", "", ""],
        }
    ).reindex(columns=COLUMNS).fillna("")  # fmt: skip
    for _ in range(random.choice((0, 1, 1, 2))):
        column = random.choice(COLUMNS)
        odd = random.choice([*EVIL, *NAMES]) if random.random() < 0.6 else value(random)
        values = list(rows[column])
        values[random.randrange(3)] = odd
        if random.random() < 0.3:
            values = [odd] * 3
        rows[column] = pd.Series(values, dtype=object)
    if random.random() < 0.1:
        del rows[random.choice(COLUMNS)]
    return rows


@cache
def _good() -> bytes:
    class Never(Random):
        def choice(self, seq):  # type: ignore[no-untyped-def]
            return seq[0]

        def random(self) -> float:
            return 1.0

    return _parquet(_rows(Never()), json.dumps({"dataset": "toy", "root": "videos"}))


def _parquet(rows: pd.DataFrame, facts: str) -> bytes:
    out = io.BytesIO()
    table = pa.Table.from_pandas(rows, preserve_index=False)
    table = table.replace_schema_metadata({**(table.schema.metadata or {}), b"bench": facts})
    pq.write_table(table, out)
    return out.getvalue()


def _manifest_file(random: Random) -> bytes:
    if random.random() < 0.4:
        return changed_bytes(_good(), random)
    facts = json.dumps({"dataset": "toy", "root": "videos"})
    if random.random() < 0.2:
        facts = json.dumps(
            random.choice([value(random), {"dataset": value(random), "root": value(random)}])
        )
    try:
        return _parquet(_rows(random), facts)
    except Exception:  # values of several kinds in a column
        return changed_bytes(_good(), random)


def _videos(folder: Path) -> None:
    if not (folder / "videos").is_dir():
        for path in PATHS:
            (folder / "videos" / path).parent.mkdir(parents=True, exist_ok=True)
            (folder / "videos" / path).touch()
        (folder / "videos" / "run" / "link.avi").symlink_to("/etc/passwd")


def _manifest(random: Random, folder: Path) -> None:
    _videos(folder)
    (folder / "m.parquet").write_bytes(_manifest_file(random))
    use = random.choice(((), ("train",)))
    described = DataSet(kind="videos", root=Path("videos"), manifest=Path("m.parquet"), use=use)
    rows = list_videos("toy", described, Layout(folder, "mini"), 1)
    write_index(folder / "index", "toy", "videos", folder / "videos", rows)
    read_index(folder / "index", "toy")
    assert not any(".." in str(p) or str(p).startswith("/") for p in rows["path"])


def _csv(random: Random, folder: Path) -> None:
    _videos(folder)
    head = random.choice(
        ["path,class", "path,class,split", "label,youtube_id,time_start,time_end,split"]
    )
    lines = [head]
    for path in PATHS:
        cells = {"path": path, "class": path.split("/")[0], "split": "train", "label": "run"}
        cells |= {"youtube_id": "abcdefghijk", "time_start": "1", "time_end": "11"}
        line = [cells[name] for name in head.split(",")]
        if random.random() < 0.3:
            line[random.randrange(len(line))] = random.choice([*EVIL, *NAMES, "1e99", "-1", "1e19"])
        lines.append(",".join(line))
    data = "\n".join(lines).encode("utf-8", "surrogatepass")
    (folder / "list.csv").write_bytes(
        changed_bytes(data, random) if random.random() < 0.5 else data
    )
    find_videos(random.choice(("toy", "ucf101")), folder / "videos", [folder / "list.csv"])


def _index(random: Random, folder: Path) -> None:
    here = folder / "index"
    _videos(folder)
    rows = _still(random)
    write_index(here, "toy", "videos", folder / "videos", rows)
    file = here / random.choice(("toy.json", "toy.parquet"))
    file.write_bytes(changed_bytes(file.read_bytes(), random))
    read_index(here, "toy")


def _still(random: Random) -> pd.DataFrame:
    return pd.DataFrame({"path": PATHS, "class": ["run", "run", "jump"], "frames": 1, "bytes": 0})


_DEFINITIONS = [
    {"run": "to move fast", "jump": ["to leap", "to spring"]},
    [{"label": "run", "defn": "to move fast"}, {"class": "jump", "text": "to leap"}],
]
_INDEX = Index(
    name="toy", kind="videos", root=Path("v"), classes=["jump", "run"], digest="d", keys={},
    paths=["run/a.avi", "run/b.avi", "jump/c.avi"], labels=np.array([1, 1, 0]), source="",
    frames=np.array([1, 1, 1]), rows=np.arange(3), reasons=[""] * 3,
)  # fmt: skip


def _features(random: Random, folder: Path) -> None:
    arrays = {
        "features": np.random.RandomState(0).rand(6, 4).astype("f4"),
        "labels": np.array(["run", "jump"] * 3) if random.random() < 0.5 else np.arange(6) % 2,
        "ids": np.array([f"v{i}" for i in range(6)]),
    }
    if random.random() < 0.7:
        name, data = "f.npz", npz(arrays, random)
    else:
        name, out = "f.parquet", io.BytesIO()
        columns = {k: list(v) for k, v in arrays.items()}
        if random.random() < 0.4:
            odd = [[1.0], [], None, ["x"] * 4, [[1.0] * 4] * 2]
            columns[random.choice(list(columns))] = [random.choice(odd)] * 6
        pd.DataFrame(columns).to_parquet(out)
        data = changed_bytes(out.getvalue(), random) if random.random() < 0.7 else out.getvalue()
    (folder / name).write_bytes(data)
    described = DataSet(kind="features", file=Path(name), classes=("run", "jump"))
    file, rows = list_features("toy", described, folder)
    write_index(folder / "index", "toy", "features", file, rows)


def _scores(random: Random, folder: Path) -> None:
    arrays = {
        "scores": np.random.RandomState(0).rand(3, 2, 4).astype("f4"),
        "names": np.array(["ball", "bike", "horse", "cup"]),
        "ids": np.array(["a", "b", "c"]),
    }
    (folder / "s.npz").write_bytes(npz(arrays, random))
    score_names({"toy": folder / "s.npz"})
    assert np.isfinite(read_scores(folder / "s.npz", _INDEX)).all()


def _texts(random: Random, folder: Path) -> None:
    data = changed_json(json.dumps(random.choice(_DEFINITIONS)), random)
    (folder / "d.json").write_bytes(data)
    dump_json(named(["run", "jump"], read_texts(folder / "d.json"), "d.json")).encode()


def _signatures(random: Random, folder: Path) -> None:
    data = changed_json(json.dumps({"run": ["ball", "bike"], "jump": ["horse"]}), random)
    (folder / "s.json").write_bytes(data)
    read_signatures(folder / "s.json", ["run", "jump"], ["ball", "bike", "horse"])


def _stored(random: Random, folder: Path) -> None:
    arrays = {"names": np.array(["ball", "bike"]), "vectors": np.ones((2, 3), np.float32)}
    (folder / "objects.npz").write_bytes(npz(arrays, random))
    (folder / "toy.npy").write_bytes(changed_bytes(npy(np.ones((3, 1, 4), np.float32)), random))
    facts = json.dumps({"key": "k", "digest": "d", "failures": {"1": "broken"}})
    (folder / "toy.json").write_bytes(
        changed_json(facts, random) if random.random() < 0.5 else facts.encode()
    )
    if random.random() < 0.5:
        read_objects(folder)
    else:
        read_videos(folder, "toy", 3)


CLASSES = ["jump", "ride bike", "run"]


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
    Target("manifests (.parquet)", seeds(), _manifest, share=5, short=30),
    Target("lists of videos (.csv)", seeds(), _csv, share=5, short=30),
    Target("index files", seeds(), _index, share=3, short=20),
    Target("features", seeds(), _features, share=7, short=50),
    Target("object scores", seeds(), _scores, share=8, short=60),
    Target("definitions", seeds(), _texts, share=10, short=60),
    Target("signatures", seeds(), _signatures, share=10, short=60),
    Target("inputs as stored", seeds(), _stored, share=6, short=40),
    Target("official test lists", seeds(), _lists, share=10, short=60),
]


@pytest.mark.parametrize("target", TARGETS, ids=lambda one: one.name)
def test_data(target: Target, tmp_path: Path) -> None:
    assert fuzz(target, tmp_path, target.short)["refused"]
