"""A cell as a worker process receives it: plain values, no configuration object."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.config.paths import Layout
from bench.config.schema import Input, Network, Train
from bench.experiments.method_registry import MethodFile


@dataclass(frozen=True)
class Job:
    """Train ``method`` on the ``seen`` classes of ``train_on``, embed the ``tests``.

    With a ``checkpoint`` nothing is trained: ``train_on`` is "" and ``seen`` only counts.
    """

    cell: str
    layout: Layout
    method: MethodFile
    values: dict[str, Any]  # the method's parameters that differ from its defaults
    seed: int
    fingerprint: str
    train_on: str
    seen: tuple[str, ...]
    tests: dict[str, tuple[str, ...]]  # data set -> classes
    input: Input
    network: Network
    train: Train
    facts: dict[str, Any]  # copied into run.json
    inputs: dict[str, str]  # what the method is given beside videos -> what it is made by
    held_out: tuple[str, ...] = ()  # videos of seen classes that are tested, never trained on
    checkpoint: Path | None = None  # weights of an imported checkpoint, its facts beside it
