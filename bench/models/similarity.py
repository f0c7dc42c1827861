"""Cosines between embeddings, in double precision."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.floating[Any]]
_ROWS = 128  # rows that fit into the cache of a core in double precision


def unit(x: Floats) -> NDArray[np.float64]:
    """Return the rows of [N,D] at length 1 (a zero row stays zero)."""
    wide = x.astype(np.float64)
    norms = np.linalg.norm(wide, axis=1, keepdims=True)
    scaled: NDArray[np.float64] = np.divide(wide, norms, out=np.zeros_like(wide), where=norms > 0)
    return scaled


def cosine(video: Floats, classes: Floats) -> NDArray[np.float64]:
    """Return the cosine of every video [N,D] with every class [K,D]: [N,K].

    Videos are processed in blocks, which avoids a double-precision copy of all of them.
    """
    directions = unit(classes).T
    similarity = np.empty((len(video), len(classes)))
    wide = np.empty((_ROWS, video.shape[1]))
    for start in range(0, len(video), _ROWS):
        part = wide[: len(video) - start]
        part[...] = video[start : start + _ROWS]
        lengths = np.sqrt(np.einsum("nd,nd->n", part, part))
        found = similarity[start : start + _ROWS]
        np.matmul(part, directions, out=found)
        found /= np.where(lengths > 0, lengths, 1)[:, None]
    return similarity
