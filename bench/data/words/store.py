"""The words stage's small output: class vectors of every data set of a profile."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bench.errors import UserError
from bench.utils.io import DAMAGED, read_arrays


def load_class_vectors(folder: Path, dataset: str) -> dict[str, NDArray[np.float32]]:
    """Return class -> vector [D] of one data set, as the stage words stored them."""
    path = folder / "classes.npz"
    try:
        names, vectors = read_arrays(path, f"{dataset}.names", f"{dataset}.vectors").values()
        if vectors.ndim != 2 or names.shape != vectors.shape[:1]:
            raise ValueError(f"{list(names.shape)} names do not fit {list(vectors.shape)}")
    except FileNotFoundError:
        raise UserError(f"{path} is missing; run 'bench stage words'") from None
    except DAMAGED as error:
        raise UserError(
            f"{path}: no vectors of {dataset} ({error}); run 'bench stage words'"
        ) from None
    return dict(zip(map(str, names), vectors, strict=True))
