"""Manifests (.parquet) and lists of videos (.csv), with paths that lead elsewhere."""

import io
import json
from functools import cache
from pathlib import Path
from random import Random

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from fuzzing import Target, fuzz
from hostile import NAMES, changed_bytes, seeds, value

from bench.config.paths import Layout
from bench.config.profile import DataSet
from bench.data.discovery import list_videos
from bench.data.folders import find_videos
from bench.data.index import read_index, write_index
from bench.data.manifest import COLUMNS

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


def _file(random: Random) -> bytes:
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
    (folder / "m.parquet").write_bytes(_file(random))
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


TARGETS = [
    Target("manifests (.parquet)", seeds(), _manifest, share=5, short=30),
    Target("lists of videos (.csv)", seeds(), _csv, share=5, short=30),
    Target("index files", seeds(), _index, share=3, short=20),
]


@pytest.mark.parametrize("target", TARGETS, ids=lambda one: one.name)
def test_manifests(target: Target, tmp_path: Path) -> None:
    assert fuzz(target, tmp_path, target.short)["refused"]
