"""Cosines between embeddings, in double precision."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.floating[Any]]


def unit(x: Floats) -> NDArray[np.float64]:
    """Return the rows of [N,D] at length 1 (a zero row stays zero)."""
    wide = x.astype(np.float64)
    norms = np.linalg.norm(wide, axis=1, keepdims=True)
    scaled: NDArray[np.float64] = np.divide(wide, norms, out=np.zeros_like(wide), where=norms > 0)
    return scaled


def cosine(video: Floats, classes: Floats) -> NDArray[np.float64]:
    """Return the cosine of every video [N,D] with every class [K,D]: [N,K]."""
    similarity: NDArray[np.float64] = unit(video) @ unit(classes).T
    return similarity
