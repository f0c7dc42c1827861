"""Features that exist as arrays, as training reads them."""

import pickle
from pathlib import Path

import numpy as np

from bench.data.input_store import FeatureReader


def test_a_mapped_file_of_features_is_named_to_workers_and_not_copied(tmp_path: Path) -> None:
    wanted = np.random.default_rng(0).normal(size=(50, 2, 100)).astype(np.float32)
    np.save(tmp_path / "f.npy", wanted)
    mapped = np.load(tmp_path / "f.npy", mmap_mode="r")
    content = pickle.dumps(FeatureReader(mapped, {}))
    assert len(content) < 1000
    assert np.array_equal(pickle.loads(content).test(range(50)), wanted)
    part = pickle.loads(pickle.dumps(FeatureReader(mapped[10:], {})))  # whose offset is the file's
    assert np.array_equal(part.test([0]), wanted[10:11])
