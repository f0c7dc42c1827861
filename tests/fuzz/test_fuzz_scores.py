"""`bench score` and the readers of predictions and of object scores, in every form."""

import io
from pathlib import Path
from random import Random

import numpy as np
import pandas as pd
import pytest
from fuzzing import Target, bench, fuzz
from hostile import NAMES, changed_bytes, seeds
from hypothesis import strategies as st
from made_arrays import npz
from project import ROOT, Ended

from bench.evaluation.predictions import read_predictions
from bench.utils.io import read_json

CLASSES = read_json(ROOT / "splits" / "mini" / "mini_ucf.full.json")["splits"][0]["unseen"]


def _name(random: Random) -> str:
    return random.choice(NAMES if random.random() < 0.05 else CLASSES)


def _log(random: Random) -> bytes:
    lines = [
        f"MINI_UCF Top-1 acc: {random.uniform(0, 100):.2f} pred: {_name(random)} "
        f"label: {_name(random)}"
        for _ in range(5)
    ]
    return "\n".join(lines).encode("utf-8", "surrogatepass")


def _table(random: Random) -> bytes:
    rows = [(f"v{i}", _name(random), _name(random)) for i in range(random.choice((0, 1, 6)))]
    frame = pd.DataFrame(rows, columns=["video", "predicted", "label"], dtype=object)
    if random.random() < 0.3:
        odd = [None, 1.5, [1], b"x", True, float("nan"), {"a": 1}]
        column = random.choice(["video", "predicted", "label"])
        frame[column] = pd.Series([random.choice(odd)] * len(frame), dtype=object)
    if random.random() < 0.2:
        names = random.choices([*NAMES[:40], "predicted", "label"], k=3)
        frame.columns = pd.Index(names, dtype=object)
    out = io.BytesIO()
    try:
        if random.random() < 0.5:
            frame.to_parquet(out, index=False)
        else:
            text = frame.to_csv(index=False, sep=random.choice(",;\t"))
            out.write(text.encode("utf-8", "surrogatepass"))
    except Exception:  # names that the writer refuses
        return b"predicted,label\nx\n"
    return out.getvalue()


def _matrix(random: Random) -> bytes:
    n, k = 6, len(CLASSES)
    arrays = {
        "scores": np.random.RandomState(random.randrange(99)).rand(n, k).astype("f4"),
        "labels": np.arange(n) % k if random.random() < 0.5 else np.array(CLASSES[:n]),
        "classes": np.array(CLASSES),
        "videos": np.array([f"v{i}" for i in range(n)]),
    }
    return npz(arrays, random)


def _file(random: Random) -> bytes:
    data = random.choice((_log, _table, _matrix))(random)
    return changed_bytes(data, random) if random.random() < 0.5 else data


def _read(random: Random, folder: Path) -> None:
    (folder / "p").write_bytes(_file(random))
    given = read_predictions(folder / "p", "mini_ucf", {name: name.split() for name in CLASSES})
    assert len(given.labels) == len(given.scores) > 0
    assert np.isfinite(given.scores).all()


def _score(random: Random, folder: Path) -> Ended:
    (folder / "p").write_bytes(_file(random))
    more = random.choice(([], ["-f", "json"], ["--protocol", "half10"], ["--protocol", "full"]))
    return bench(folder, "score", "p", "-d", "mini_ucf", *more)


def _text(text: str, folder: Path) -> None:
    (folder / "p").write_bytes(text.encode("utf-8", "surrogatepass"))
    read_predictions(folder / "p", "mini_ucf", {name: [] for name in CLASSES})


_LINE = st.lists(st.sampled_from([*NAMES, *CLASSES, "video", "predicted", "label"]), max_size=4)
_CSV = st.tuples(st.sampled_from(",;\t"), st.lists(_LINE)).map(
    lambda made: "predicted,label\n" + "\n".join(made[0].join(line) for line in made[1])
)

TARGETS = [
    Target("predictions", seeds(), _read, share=14, short=80),
    Target("predictions, bench score", seeds(), _score, share=1, short=8),
    Target("predictions, text", st.text() | _CSV, _text, share=8, short=30),
]


@pytest.mark.parametrize("target", TARGETS, ids=lambda one: one.name)
def test_scores(target: Target, project: Path) -> None:
    assert fuzz(target, project, target.short)["refused"]
