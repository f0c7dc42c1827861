"""Single frames of videos, for models of images."""

from collections.abc import Mapping

from bench.data.index import Index
from bench.data.video.colour import Pixels
from bench.data.video.decode import VideoError, read_frames
from bench.data.video.readers import read_resized
from bench.training.sources import broken_rows


class FrameSampler:
    """``count`` frames of a video, evenly spaced: the middle ones of as many equal parts.

    ``short_side`` is their height or width in pixels, ratio kept; None for the file's own size.
    ``failures`` are the rows that the index knows to be broken, with the reason.
    """

    def __init__(self, index: Index, count: int, short_side: int | None) -> None:
        self.failures: Mapping[int, str] = broken_rows(index, "cannot be decoded")
        self._index, self._count, self._side = index, count, short_side

    def sample(self, row: int) -> Pixels:
        """Return uint8 [count,H,W,3], each needed frame decoded once; a short video repeats some.

        Raises ``VideoError``.
        """
        path = self._index.root / self._index.paths[row]
        if row in self.failures:
            raise VideoError(path, self.failures[row])
        wanted = _middles(int(self._index.frames[row]), self._count)
        if self._side is None:
            return read_frames(path, wanted)
        return read_resized(path, self._side, wanted)


def _middles(frames: int, count: int) -> list[int]:
    """Return the numbers of the middle frames of ``count`` equal parts of a video."""
    return [(2 * part + 1) * frames // (2 * count) for part in range(count)]
