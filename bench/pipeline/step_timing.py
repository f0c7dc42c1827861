"""How long a run will take here: one step of the real network, timed and multiplied."""

import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np
import torch

from bench.config.paths import Layout
from bench.config.profile import Config
from bench.data import reference as facts
from bench.data.index import read_features, read_index
from bench.data.video.clip_reader import ClipReader
from bench.data.video.decode import VideoError
from bench.data.words.class_vectors import load_class_vectors
from bench.errors import UserError
from bench.experiments.method_registry import load, scan
from bench.method import Batch, Classes, Context, Method, as_tensor_classes, create
from bench.models.factory import new_backbone
from bench.utils.io import read_json
from bench.utils.progress import duration

_WORDS = 300  # dimension and number of class vectors, while the profile's own are not there
_CLASSES = 100
_ENOUGH = 0.5  # seconds: a step as long as this is timed well


@dataclass(frozen=True)
class Pace:
    """Seconds of one step at the profile's batch, and of embedding and reading one clip."""

    method: str
    device: str
    timed_batch: int  # the step was timed at this batch and extrapolated linearly
    step_s: float
    embed_s: float
    read_s: float | None  # None: nothing to read yet, or read once into a store

    def step_with_reading(self, batch: int, workers: int) -> float:
        """Return a step's seconds when ``workers`` read ahead (0: the trainer reads itself)."""
        read = (self.read_s or 0.0) * batch
        return max(self.step_s, read / workers) if workers else self.step_s + read


def pace(config: Config, layout: Layout, limit_s: float = 20.0) -> Pace:
    """Time the first method that trains, on random input, within about ``limit_s`` seconds.

    A CPU starts at batch 2 on one thread, as a cell has, and doubles it while a step is short;
    CUDA takes min(batch, 32). Raises UserError where no method trains or a features file is absent.
    """
    profile = config.profile
    cuda = profile.train.device != "cpu" and torch.cuda.is_available()
    device = torch.device("cuda" if cuda else "cpu")
    threads = torch.get_num_threads()
    if not cuda:
        torch.set_num_threads(1)
    try:
        return _pace(config, layout, device, time.monotonic() + limit_s)
    finally:
        torch.set_num_threads(threads)


def _pace(config: Config, layout: Layout, device: torch.device, deadline: float) -> Pace:
    profile, cuda = config.profile, device.type == "cuda"
    train_on = profile.train_on or profile.per_split()[0][0]
    described = profile.datasets[train_on]
    shape: tuple[int, ...] = (3, profile.input.length, profile.input.size, profile.input.size)
    if described.kind == "features" and described.file:
        shape = read_features(layout.root / described.file, described.keys)[0].shape[-1:]
    name, kind = _first_method(layout)
    method = create(kind, config.methods.get(name, {}))
    seen = _seen(layout, train_on, device)
    backbone, dim = new_backbone(profile.network, shape[0] if len(shape) == 1 else 0)
    dims = {"video": shape[0] if len(shape) == 1 else 0}
    method.build(Context(seen, dims, profile.network.head, backbone, dim))
    method.to(device)
    optimiser = torch.optim.SGD(method.parameters(), 1e-4, profile.train.momentum)

    def batch(size: int) -> Batch:
        y = torch.randint(len(seen), (size,), device=device)
        return Batch({"video": torch.randn(size, 1, *shape, device=device)}, y)

    def step(given: Batch) -> None:
        optimiser.zero_grad(set_to_none=True)
        method.loss(given, seen)[0].backward()  # type: ignore[no-untyped-call]
        optimiser.step()

    whole = profile.train.batch
    most = min(whole, 32) if cuda else whole
    size = most if cuda else min(2, whole)
    while True:
        given = batch(size)
        seconds = _best(partial(step, given), cuda, deadline)
        if size == most or seconds > _ENOUGH / 2 or time.monotonic() > deadline:
            break
        size = min(2 * size, most)
    method.eval()
    with torch.inference_mode():
        embed = _best(lambda: method.embed_video(Batch(given.inputs, given.y[:0])), cuda, deadline)
    where = torch.cuda.get_device_name() if cuda else "one CPU core"
    read = _read_seconds(config, layout, train_on)
    return Pace(name, where, size, seconds * whole / size, embed / size, read)


def _first_method(layout: Layout) -> tuple[str, type[Method]]:
    for file in scan(layout.root).values():
        if not file.problem and file.learning == "steps" and {"video", "clips"} & {*file.needs}:
            kind = load(file)
            if kind.fit is None:
                return file.name, kind
    raise UserError("no method in methods/ trains on clips, so there is no step to time")


def _seen(layout: Layout, dataset: str, device: torch.device) -> Classes:
    """Return the class vectors of the profile, random ones before they are there."""
    try:
        vectors = load_class_vectors(layout.words, dataset)
        return as_tensor_classes(list(vectors), np.stack(list(vectors.values())), device)
    except UserError:
        pass
    try:
        names = list(facts.classes(dataset))
    except UserError:
        names = [str(i) for i in range(_CLASSES)]
    return as_tensor_classes(names, torch.randn(len(names), _WORDS).numpy(), device)


def _read_seconds(config: Config, layout: Layout, dataset: str) -> float | None:
    """Read a few training clips from the indexed files; None where that cannot be done yet."""
    if config.profile.input.store or config.profile.datasets[dataset].kind == "features":
        return None
    try:
        index = read_index(layout.index, dataset)
        usable = np.flatnonzero(index.frames)
        rows = usable[:: max(len(usable) // 8, 1)][:8].tolist()
        source = ClipReader.open(index, config.profile.input, layout.scratch / "frames")
        start = time.monotonic()
        source.train(rows, np.random.default_rng(0))
    except (UserError, VideoError, ValueError):
        return None
    return (time.monotonic() - start) / len(rows)


def _best(run: Callable[[], object], cuda: bool, deadline: float) -> float:
    """Return the better of two runs after a warm-up; fewer when the time is over.

    On a CPU a run computes on one thread: its processor time does not grow with what else runs.
    """
    clock = time.monotonic if cuda else time.process_time
    times: list[float] = []
    while len(times) < 3 and (not times or time.monotonic() + times[-1] < deadline):
        start = clock()
        run()
        if cuda:
            torch.cuda.synchronize()
        times.append(clock() - start)
    return min(times[1:] or times)


@dataclass(frozen=True)
class Estimate:
    """Seconds that ``cells`` cells take, ``side_by_side`` at a time, and of one cell its parts."""

    cells: int
    side_by_side: int
    cell_s: float
    embed_s: float
    seconds: float
    basis: str


def estimate(config: Config, layout: Layout, cells: int, side_by_side: int) -> Estimate:
    """Time a step and multiply: cells / side_by_side × (steps × step + embedding the test sets)."""
    found, train, given = pace(config, layout), config.profile.train, config.profile.input
    step = found.step_with_reading(train.batch, given.workers)
    videos = sum(
        (read_json(layout.index / f"{name}.json", videos=int) or {}).get(
            "videos", facts.published_videos(name)
        )
        for name in config.profile.transfer_sets()
    )
    embed = videos * given.test_clips * (found.embed_s + (found.read_s or 0.0))
    cell = train.steps * step + embed
    reading = "" if found.read_s is None else f", reading a clip {1000 * found.read_s:.1f} ms"
    basis = (
        f"{found.method} on {found.device}: {step:.3g} s a step of {train.batch} "
        f"(timed at {found.timed_batch} on random input{reading}) × {train.steps} steps"
    )
    if videos:
        basis += f", and {duration(embed)} for embedding {videos} test videos"
    rounds = math.ceil(cells / side_by_side)
    return Estimate(cells, side_by_side, cell, embed, rounds * cell, basis)
