"""Example test videos, right and wrong, as small pictures of a few frames side by side."""

import io
from collections.abc import Iterable, Iterator

import numpy as np
from numpy.typing import NDArray

from bench.data.index import Index, read_index
from bench.data.video.decode import Pixels, VideoError, read_frames
from bench.errors import UserError
from bench.reports.figures.material import Material, Run, ranking, runs_of_row
from bench.reports.report_model import Video

COUNT = 12
FRAMES = 4
HEIGHT = 80  # pixels
LARGEST = 6 * 1024  # bytes of a picture


def examples(material: Material) -> tuple[Video, ...]:
    """Return up to ``COUNT`` test videos of the first training of ``material.row``.

    UserError if there are none, or for damaged files in runs/ or data/.
    """
    row, (run, *_) = runs_of_row(material.layout, material.row)
    found: list[Video] = []
    missing = ""
    for dataset in material.context.tests:
        if dataset not in run.names:
            continue
        try:
            index = read_index(material.layout.index, dataset)
        except UserError:
            missing = f"The videos of {dataset} are not indexed here; run 'dvc pull' or 'dvc repro'"
            continue
        if index.kind != "videos":
            missing = f"{dataset} is a file of features: there are no frames to show"
        elif index.digest != run.record.data.get(dataset):
            missing = f"The videos of {dataset} are not those on which '{row.name}' was tested"
        else:
            found += _of(run, index, COUNT // len(material.context.tests))
            missing = missing or f"No video file of {dataset} can be read at {index.root}"
    if not found:
        raise UserError(missing)
    return tuple(found)


def _of(run: Run, index: Index, count: int) -> Iterator[Video]:
    arrays, names = run.arrays(index.name), run.names[index.name]
    first, labels = ranking(arrays).argmax(1), arrays["label"]
    for right in (True, False):
        taken = 0
        for at in spread_out(np.flatnonzero((first == labels) == right), labels, len(names)):
            row = int(arrays["row"][at])
            if taken == count // 2:
                break
            try:
                image = _picture(index, row)
            except (VideoError, OSError):
                continue
            taken += 1
            label, predicted = names[int(labels[at])], names[int(first[at])]
            path = f"{index.name}/{index.paths[row]}"
            yield Video(path, label, predicted, right, image, run.record.row)


def spread_out(
    which: NDArray[np.integer], labels: NDArray[np.integer], classes: int
) -> Iterable[int]:
    """Yield the videos ``which`` in a fixed order: first one of every class, then a second, ….

    So that the first few show different classes.
    """
    order = np.random.default_rng(0).permutation(classes)
    queues = [list(which[labels[which] == c]) for c in order]
    for round_ in range(max(map(len, queues), default=0)):
        yield from (int(queue[round_]) for queue in queues if round_ < len(queue))


def _picture(index: Index, row: int) -> bytes:
    """Return ``FRAMES`` frames of a video side by side as a JPEG of at most ``LARGEST`` bytes."""
    path, frames = index.root / index.paths[row], max(1, int(index.frames[row]))
    wanted = [int((i + 0.5) * frames / FRAMES) for i in range(FRAMES)]
    return sprite(read_frames(path, wanted))


def sprite(frames: Pixels) -> bytes:
    """Return frames [n,H,W,3] side by side as a JPEG, ``HEIGHT`` high and small in bytes."""
    from PIL import Image

    joined = Image.fromarray(np.concatenate(list(frames), axis=1))
    height = min(HEIGHT, max(joined.height, 64))
    width = round(joined.width * height / joined.height)
    small = joined.resize((min(width, 4 * HEIGHT * FRAMES), height))
    for quality in (80, 60, 45, 30, 20, 10):
        out = io.BytesIO()
        small.save(out, "JPEG", quality=quality, optimize=True)
        if out.tell() <= LARGEST:
            break
    return out.getvalue()
