"""The words stage's small output: class vectors of every data set of a profile."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bench.errors import UserError
from bench.files import DAMAGED


def load_class_vectors(folder: Path, dataset: str) -> dict[str, NDArray[np.float32]]:
    """Return class -> vector [D] of one data set, as the stage words stored them."""
    path = folder / "classes.npz"
    try:
        with np.load(path, allow_pickle=False) as arrays:
            names, vectors = arrays[f"{dataset}.names"], arrays[f"{dataset}.vectors"]
    except FileNotFoundError:
        raise UserError(f"{path} is missing; run 'bench stage words'") from None
    except DAMAGED as error:
        raise UserError(
            f"{path}: no vectors of {dataset} ({error}); run 'bench stage words'"
        ) from None
    return dict(zip(map(str, names), vectors, strict=True))
