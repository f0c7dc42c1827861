"""The parts of a report as plain data."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from bench.reports.tables.typed_table import Table, Value


@dataclass(frozen=True)
class Figure:
    """A figure with its text and numbers; one that cannot be drawn says why and what to do."""

    key: str  # file name and anchor: "gap", "plane", …
    title: str
    text: str  # plain paragraphs: what is shown, n, and how to read it
    svg: str = ""  # one <svg> element, its ids prefixed by the key; "" if it cannot be drawn
    alt: str = ""  # what the figure shows, for screen readers
    lacking: str = ""  # why there is none and what to do
    columns: tuple[str, ...] = ()  # the numbers behind the figure, as a table under it
    rows: tuple[tuple[Value, ...], ...] = ()
    png: bytes = b""  # the same on a white background


@dataclass(frozen=True)
class Video:
    """A test video and the class that one model (row ``method``, one seed) predicted."""

    path: str  # "<data set>/<path in it>"
    label: str
    predicted: str
    right: bool
    image: bytes  # JPEG: a few frames side by side
    method: str


@dataclass(frozen=True)
class Coverage:
    """Videos of one data set: expected, used, and those that failed, with reasons."""

    dataset: str
    expected: int
    used: int
    failed: tuple[tuple[str, str], ...] = ()  # (path, reason)


@dataclass(frozen=True)
class Report:
    """Everything that the page shows."""

    profile: str
    title: str
    is_embedded_world: bool
    built_from: str  # commits of the records, date of the newest, how many
    tables: tuple[Table, ...]  # ablation, sota, protocols, readings, splits, overlap
    figures: tuple[Figure, ...]
    videos: tuple[Video, ...]
    records: Mapping[str, Mapping[str, Mapping[str, Any]]]  # row -> cell -> facts
    environment: tuple[tuple[str, str], ...]  # name, value; several values joined
    coverage: tuple[Coverage, ...]
    videos_lacking: str = ""  # why there are no videos, and what to do
