"""Write the embedded world: small real video files of moving shapes, for the ``mini`` profile."""

from pathlib import Path

from bench.data.synthetic.render import render
from bench.data.synthetic.vocabulary import VIDEOS_PER_CLASS, world_classes
from bench.data.video.encode import write_h264
from bench.utils.processes import spawned
from bench.utils.progress import track

__all__ = ["build_world", "render", "world_classes"]

Video = tuple[Path, str, str, int]

# decord takes 48 pixels of 3 bytes, padded to a multiple of 64 bytes, for 4 bytes a pixel.
SIZE = 56
"""Height and width of the files, in pixels."""


def build_world(root: Path, jobs: int = 2) -> None:
    """Write every video of the embedded world that ``root`` lacks, with ``jobs`` processes.

    2,640 files ``root/<dataset>/<class_name>/<index>.mp4`` (spaces as ``_``, index from ``000``).
    A file that is there is whole, so it is kept and an interrupted build goes on where it was.
    """
    missing = [video for video in _videos(root) if not video[0].exists()]
    if jobs <= 1 or len(missing) < 64:
        for video in track(missing, len(missing), "embedded world"):
            _write(video)
        return
    with spawned(jobs) as pool:
        for _ in track(pool.map(_write, missing, chunksize=24), len(missing), "embedded world"):
            pass


def _videos(root: Path) -> list[Video]:
    return [
        (root / dataset / name.replace(" ", "_") / f"{index:03d}.mp4", dataset, name, index)
        for dataset, names in world_classes().items()
        for name in names
        for index in range(VIDEOS_PER_CLASS[dataset])
    ]


def _write(video: Video) -> None:
    path, dataset, name, index = video
    write_h264(path, render(dataset, name, index, size=SIZE))
