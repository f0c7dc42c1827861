"""Training batches that depend on nothing but the seed and the step.

So a run that resumes at step k, or reads with any number of workers, sees the same batches.
"""

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from bench.data.input_reader import InputReader
from bench.errors import UserError
from bench.method import Batch
from bench.training.device_feed import to_device

_ORDER, _SAMPLE = 1, 2  # independent streams of random numbers


class Batches(Dataset[tuple[dict[str, Tensor], Tensor]]):
    """Item k is step k's batch: inputs [B,1,...] and labels y [B] among the seen classes."""

    def __init__(
        self,
        sources: Mapping[str, InputReader],
        rows: Sequence[int],
        labels: Sequence[int],
        batch: int,
        seed: int,
        part: slice = slice(None),
    ) -> None:
        """``part`` is what this process takes of each batch, which all of them count alike."""
        self._part = part
        self._sources, self._batch, self._seed = sources, batch, seed
        self._rows, self._labels = np.asarray(rows), np.asarray(labels)
        self._orders: dict[int, NDArray[np.int64]] = {}

    @property
    def each(self) -> int:
        """How many videos of a batch this process takes."""
        return len(range(self._batch)[self._part])

    def chosen(self, step: int) -> NDArray[np.int64]:
        """Return which of the rows step ``step`` takes: consecutive parts of shuffled epochs."""
        count = len(self._rows)
        places = step * self._batch + np.arange(self._batch)
        return np.array([self._order(int(p // count))[p % count] for p in places])

    def __getitem__(self, step: int) -> tuple[dict[str, Tensor], Tensor]:
        chosen = self.chosen(step)
        rows = self._rows[chosen].tolist()
        rng = np.random.default_rng([self._seed, _SAMPLE, step])
        part = self._part
        inputs = {name: source.train(rows, rng, part) for name, source in self._sources.items()}
        return inputs, torch.from_numpy(self._labels[chosen[part]])

    def all(self, device: torch.device, size: int = 256) -> Iterator[Batch]:
        """Yield every training video once, in order, ``size`` at a time, as a test reads them.

        For closed forms, which sum over all videos: nothing is random.
        """
        for start in range(0, len(self._rows), size):
            rows = self._rows[start : start + size].tolist()
            inputs = {k: to_device(s.test(rows), device) for k, s in self._sources.items()}
            labels = torch.from_numpy(self._labels[start : start + size]).to(device)
            yield Batch(inputs, labels)

    def _order(self, epoch: int) -> NDArray[np.int64]:
        if epoch not in self._orders:
            self._orders.pop(epoch - 2, None)
            rng = np.random.default_rng([self._seed, _ORDER, epoch])
            self._orders[epoch] = rng.permutation(len(self._rows))
        return self._orders[epoch]


def stream(
    batches: Batches, first: int, steps: int, workers: int
) -> Iterator[tuple[dict[str, Tensor], Tensor]]:
    """Yield the batches of steps ``first`` … ``steps`` − 1, read ahead by ``workers`` processes."""
    if workers == 0:
        yield from (batches[step] for step in range(first, steps))
        return
    loader = DataLoader(
        _Caught(batches),
        batch_size=None,
        sampler=range(first, steps),
        num_workers=workers,
        multiprocessing_context="spawn",
        pin_memory=torch.cuda.is_available(),
        generator=torch.Generator(),  # else it draws from the one that training draws from
    )
    for batch in loader:
        if isinstance(batch, UserError):
            raise batch
        yield batch


class _Caught(Dataset[tuple[dict[str, Tensor], Tensor] | UserError]):
    """Batches, or the user's error: raised in a worker it would arrive as a traceback's text."""

    def __init__(self, batches: Batches) -> None:
        self._batches = batches

    def __getitem__(self, step: int) -> tuple[dict[str, Tensor], Tensor] | UserError:
        try:
            return self._batches[step]
        except UserError as error:
            return error
