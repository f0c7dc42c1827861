"""Example test videos, right and wrong, as small pictures of a few frames side by side."""

import io
from collections.abc import Iterable, Iterator

import numpy as np
from numpy.typing import NDArray

from bench.data.index import Index, read_index
from bench.data.video.decode import Pixels, VideoError, read_frames
from bench.errors import UserError
from bench.reports.figures.material import Material
from bench.reports.figures.training_runs import Run, no_runs_message, ranking, runs_of
from bench.reports.report_model import Video

COUNT = 12
FRAMES = 4
HEIGHT = 80  # pixels
LARGEST = 6 * 1024  # bytes of a picture


def examples(material: Material) -> tuple[tuple[Video, ...], str]:
    """Return up to ``COUNT`` test videos of the row's first training, or why there are none.

    UserError for damaged files in runs/ or data/.
    """
    row, layout = material.row, material.layout
    if row is None:
        return (), "No row is measured yet; run 'dvc repro', then 'bench report'."
    runs = runs_of(layout, row.records)
    if not runs:
        return (), no_runs_message(layout, row.name)
    found: list[Video] = []
    missing = ""
    for dataset in material.context.tests:
        if dataset not in runs[0].names:
            continue
        try:
            index = read_index(layout.index, dataset)
        except UserError:
            missing = (
                f"The videos of {dataset} are not indexed here; run 'dvc pull' or 'dvc repro'."
            )
            continue
        if index.kind != "videos":
            missing = f"{dataset} is a file of features: there are no frames to show."
        elif index.digest != runs[0].record.data.get(dataset):
            missing = f"The videos of {dataset} are not those on which '{row.name}' was tested."
        else:
            share = COUNT // max(1, len(material.context.tests))
            found += _of(runs[0], index, share)
            missing = missing or f"No video file of {dataset} can be read at {index.root}."
    return tuple(found), "" if found else missing


def _of(run: Run, index: Index, count: int) -> Iterator[Video]:
    arrays = run.arrays(index.name)
    names = run.names[index.name]
    first = ranking(arrays).argmax(1)
    right = first == arrays["label"]
    for wanted in (True, False):
        chosen = spread_out(np.flatnonzero(right == wanted), arrays["label"], len(names))
        taken = 0
        for at in chosen:
            row = int(arrays["row"][at])
            if taken == count // 2:
                break
            try:
                image = _picture(index, row)
            except (VideoError, OSError):
                continue
            taken += 1
            yield Video(
                f"{index.name}/{index.paths[row]}",
                names[int(arrays["label"][at])],
                names[int(first[at])],
                wanted,
                image,
                run.record.row,
            )


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
