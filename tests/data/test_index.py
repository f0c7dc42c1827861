"""From a file of features to an index, with what cannot be used."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from bench.config.profile import DataSet
from bench.data.index import Index, read_features, read_index, write_index
from bench.data.input_store import FeatureReader
from bench.data.manifest import list_features
from bench.errors import UserError
from bench.utils.io import file_digest

FEATURES = np.arange(15, dtype=np.float16).reshape(5, 3)
NAMES = np.array(["b", "a", "b", "c", "a"])
NUMBERS = np.array([1, 0, 1, 2, 0])
IDS = np.array(["v3", "v1", "v2", "v5", "v4"])


def described(**values: Any) -> DataSet:
    return DataSet(kind="features", file=Path("f.npz"), **values)


def save(folder: Path, **arrays: Any) -> None:
    np.savez(folder / "f.npz", **arrays)


def indexed(folder: Path, one: DataSet) -> Index:
    root, rows = list_features("mine", one, folder)
    write_index(folder / "index", "mine", "features", root, rows, one.keys, file_digest(root))
    return read_index(folder / "index", "mine")


@pytest.mark.parametrize("labels", [NAMES, NUMBERS, NAMES.astype(bytes), NUMBERS.astype(np.uint8)])
def test_labels_may_be_names_or_numbers(tmp_path: Path, labels: np.ndarray) -> None:
    save(tmp_path, features=FEATURES, labels=labels, ids=IDS)
    index = indexed(tmp_path, described(classes=("a", "b", "c")))
    assert index.classes == ["a", "b", "c"]
    assert index.paths == ["v1", "v4", "v2", "v3", "v5"]  # by class, then by name
    assert index.labels.tolist() == [0, 0, 1, 1, 2]
    source = FeatureReader.open(index)
    assert source.test([0, 3])[:, 0].tolist() == FEATURES[[1, 0]].tolist()
    assert (source.dim, dict(source.failures)) == (3, {})


def test_the_order_of_named_classes_is_their_own(tmp_path: Path) -> None:
    save(tmp_path, features=FEATURES, labels=NUMBERS, ids=IDS)
    index = indexed(tmp_path, described(classes=("zebra", "ape", "mole")))
    names = {path: index.classes[y] for path, y in zip(index.paths, index.labels, strict=True)}
    assert names == {"v1": "zebra", "v4": "zebra", "v2": "ape", "v3": "ape", "v5": "mole"}


def test_arrays_of_other_names_and_without_ids(tmp_path: Path) -> None:
    save(tmp_path, x=FEATURES, y=NAMES)
    index = indexed(tmp_path, described(keys={"features": "x", "labels": "y"}))
    assert index.paths == ["1", "4", "0", "2", "3"]
    assert index.rows.tolist() == [1, 4, 0, 2, 3]


def test_parquet_gives_the_same(tmp_path: Path) -> None:
    save(tmp_path, features=FEATURES, labels=NAMES, ids=IDS)
    table = pd.DataFrame({"labels": NAMES, "ids": IDS})
    table["features"] = list(FEATURES.astype(np.float32))
    table.to_parquet(tmp_path / "f.parquet")
    for ours, wanted in zip(
        read_features(tmp_path / "f.parquet", {}),
        read_features(tmp_path / "f.npz", {}),
        strict=True,
    ):
        assert ours.tolist() == wanted.tolist()


def test_a_missing_label_is_no_class(tmp_path: Path) -> None:
    table = pd.DataFrame({"labels": [*NAMES[:4], None], "features": list(FEATURES)})
    table.to_parquet(tmp_path / "f.parquet")
    with pytest.raises(UserError, match=r"f\.parquet: .*a label or id is missing"):
        read_features(tmp_path / "f.parquet", {})


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_a_row_that_is_not_finite_is_counted_and_not_used(tmp_path: Path, bad: float) -> None:
    features = FEATURES.copy()
    features[2, 1] = bad
    save(tmp_path, features=features, labels=NAMES, ids=IDS)
    index = indexed(tmp_path, described())
    assert len(index.paths) == 5
    assert index.frames.tolist() == [1, 1, 0, 1, 1]
    assert dict(FeatureReader.open(index).failures) == {2: "not finite"}
    assert index.paths[2] == "v2"


@pytest.mark.parametrize(
    ("arrays", "named"),
    [
        ({"features": FEATURES}, "labels"),
        ({"labels": NAMES}, "features"),
        ({"features": FEATURES, "labels": NAMES[:4]}, r"features \(5, 3\) do not match labels"),
        ({"features": FEATURES[:, 0], "labels": NAMES}, "do not match"),
        ({"features": FEATURES, "labels": NUMBERS}, "label 2 has no name in 'classes' of mine"),
        ({"features": FEATURES, "labels": NUMBERS - 1}, "label -1 has no name"),
        ({"features": FEATURES, "labels": np.array([None] * 5)}, "cannot be read"),
        ({"features": FEATURES[:0], "labels": NAMES[:0]}, "no rows"),
        ({"features": FEATURES[:0], "labels": NUMBERS[:0]}, "no rows"),
        ({"features": FEATURES, "labels": NAMES, "ids": IDS[:3]}, "ids"),
        ({"features": FEATURES, "labels": NAMES, "ids": IDS[[0, 0, 1, 2, 3]]}, "'v3' .* twice"),
    ],
)
def test_files_that_do_not_fit(tmp_path: Path, arrays: dict[str, Any], named: str) -> None:
    save(tmp_path, **arrays)
    with pytest.raises(UserError, match=rf"f\.npz: .*{named}") as error:
        list_features("mine", described(classes=("a", "b")), tmp_path)
    assert "\n" not in str(error.value)


def test_numbers_without_names(tmp_path: Path) -> None:
    save(tmp_path, features=FEATURES, labels=NUMBERS)
    with pytest.raises(UserError, match="integer labels; name them with 'classes"):
        list_features("mine", described(), tmp_path)


def test_two_labels_of_one_name_are_not_one_class(tmp_path: Path) -> None:
    save(tmp_path, features=FEATURES, labels=NUMBERS)
    with pytest.raises(UserError, match="'a' is listed twice in 'classes' of mine"):
        list_features("mine", described(classes=("b", "a", "a")), tmp_path)


@pytest.mark.parametrize("damage", ["missing", "empty", "truncated", "text"])
def test_damaged_files(tmp_path: Path, damage: str) -> None:
    save(tmp_path, features=FEATURES, labels=NAMES)
    file = tmp_path / "f.npz"
    content = {"empty": b"", "truncated": file.read_bytes()[:300], "text": b"no archive"}
    file.unlink()
    if damage != "missing":
        file.write_bytes(content[damage])
    with pytest.raises(UserError, match=r"f\.npz") as error:
        list_features("mine", described(), tmp_path)
    assert "\n" not in str(error.value)


def test_features_that_changed_since(tmp_path: Path) -> None:
    save(tmp_path, features=FEATURES, labels=NAMES)
    index = indexed(tmp_path, described())
    save(tmp_path, features=FEATURES[::-1], labels=NAMES)
    with pytest.raises(UserError, match="changed since it was indexed; run 'bench stage data'"):
        FeatureReader.open(index)


def test_the_digest_is_that_of_the_content(tmp_path: Path) -> None:
    save(tmp_path, features=FEATURES, labels=NAMES, ids=IDS)
    first = indexed(tmp_path, described()).digest
    assert indexed(tmp_path, described()).digest == first
    save(tmp_path, features=FEATURES + 1, labels=NAMES, ids=IDS)
    assert indexed(tmp_path, described()).digest != first


def test_an_index_that_is_missing_or_damaged(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"mine\.json is missing; run 'bench stage data'"):
        read_index(tmp_path, "mine")
    save(tmp_path, features=FEATURES, labels=NAMES)
    indexed(tmp_path, described())
    for suffix in ("parquet", "json"):
        path = tmp_path / "index" / f"mine.{suffix}"
        path.write_bytes(path.read_bytes()[:50])
        with pytest.raises(UserError, match="damaged"):
            read_index(tmp_path / "index", "mine")


def test_a_reason_is_kept_and_does_not_change_the_digest(tmp_path: Path) -> None:
    rows = pd.DataFrame({"path": ["a", "b"], "class": ["x", "x"], "frames": [0, 3]})
    digests = set()
    for reason in ("missing", "gone"):
        write_index(tmp_path, "mine", "videos", tmp_path, rows.assign(reason=[reason, "odd"]))
        index = read_index(tmp_path, "mine")
        assert index.broken_rows("cannot be decoded") == {0: reason}
        digests.add(index.digest)
    write_index(tmp_path, "mine", "videos", tmp_path, rows)
    index = read_index(tmp_path, "mine")
    assert index.broken_rows("cannot be decoded") == {0: "cannot be decoded"}
    assert digests == {index.digest}
