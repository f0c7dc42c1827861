"""Decoded pictures to RGB, with the pixels of the program ffmpeg."""

from fractions import Fraction

import numpy as np
import numpy.typing as npt
from av.filter import Graph
from av.video.frame import VideoFrame

Pixels = npt.NDArray[np.uint8]


class Converter:
    """Frames to RGB by the very filters that the program ffmpeg applies.

    Not ``VideoReformatter``: it takes interlaced pictures apart and interpolates the colours of odd
    sizes and of 10 bits otherwise than ffmpeg does.
    """

    def __init__(self) -> None:
        self._steps: tuple[str, ...] = ()
        self._like: tuple[object, ...] = ()
        self._filters = Graph()

    def begin(self, first: VideoFrame) -> None:
        """Have all frames turned as the first one is, and scaled to its size."""
        turn = _turn(first)
        self._steps = (*turn, "format=rgb24")
        self._like = _format(first)
        self._filters = self._graph(first)
        # Only now, as ffmpeg scales nothing else: the step would change how colours are converted.
        size = (first.width, first.height)
        width, height = size[::-1] if is_on_its_side(first) else size
        self._steps = (*turn, f"scale={width}:{height}", "format=rgb24")

    def rgb(self, frame: VideoFrame) -> Pixels:
        """Return one frame as uint8 [H,W,3], upright."""
        if _format(frame) != self._like:
            self._like, self._filters = _format(frame), self._graph(frame)
        self._filters.vpush(frame)
        picture = self._filters.vpull()
        plane = picture.planes[0]
        row = 3 * plane.width
        if plane.line_size < row:  # upside down
            return picture.to_ndarray().astype(np.uint8, copy=False)
        # A view, which keeps the picture alive: to_ndarray would copy.
        lines: Pixels = np.frombuffer(plane, np.uint8)  # type: ignore[call-overload]
        return lines.reshape(-1, plane.line_size)[:, :row].reshape(-1, plane.width, 3)

    def _graph(self, frame: VideoFrame) -> Graph:
        graph = Graph()
        graph.threads = 1
        unused = Fraction(1, 25)  # but a clock has to be given
        width, height = frame.width, frame.height
        chain = [graph.add_buffer(None, width, height, frame.format, time_base=unused)]
        chain += [graph.add(*step.split("=")) for step in self._steps]
        graph.link_nodes(*chain, graph.add("buffersink")).configure()
        return graph


def _format(frame: VideoFrame) -> tuple[int, int, str]:
    return frame.width, frame.height, frame.format.name


def is_on_its_side(frame: VideoFrame) -> bool:
    """Tell whether turning a frame upright exchanges its width and height."""
    return any(step.startswith("transpose") for step in _turn(frame))


def _turn(frame: VideoFrame) -> tuple[str, ...]:
    """Return the filters with which ffmpeg turns a frame upright, by its display matrix."""
    matrix = frame.side_data.get("DISPLAYMATRIX")
    if matrix is None:
        return ()
    a, b, _, c, d = memoryview(matrix).cast("B").cast("i")[:5]  # type: ignore[arg-type]
    if abs(a) + abs(d) >= abs(b) + abs(c):
        return ("hflip",) * (a < 0) + ("vflip",) * (d < 0)
    direction = "clock" if c < 0 else "cclock"
    return (f"transpose={direction}" + "_flip" * ((b > 0) == (c > 0)),)
