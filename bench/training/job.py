"""A cell as a worker process receives it: plain values, no configuration object."""

from dataclasses import dataclass
from typing import Any

from bench.layout import Layout
from bench.registry import MethodFile
from bench.settings import Input, Network, Train


@dataclass(frozen=True)
class Job:
    """Train ``method`` on the ``seen`` classes of ``train_on``, embed the ``tests``."""

    cell: str
    layout: Layout
    method: MethodFile
    values: dict[str, Any]  # the method's parameters that differ from its defaults
    seed: int
    fingerprint: str
    core: str  # hash of the training core, for caches that outlive a cell
    train_on: str
    seen: tuple[str, ...]
    tests: dict[str, tuple[str, ...]]  # data set -> classes
    pretrain_on: str | None
    input: Input
    network: Network
    train: Train
    facts: dict[str, Any]  # copied into run.json
    held_out: tuple[str, ...] = ()  # videos of seen classes that are tested, never trained on
