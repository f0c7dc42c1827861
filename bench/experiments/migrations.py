"""From older versions of the record to the present one: one function a step, on plain JSON.

A step only renames, moves or adds what the older file implies; what it cannot know stays empty.
"""

from collections.abc import Callable, Mapping
from typing import Any

Raw = dict[str, Any]


def _add_bits_and_digests(raw: Raw) -> Raw:
    """Version 2 adds ``right``, ``videos``, ``embeddings`` (empty here) and ``data``.

    Version 1 had the manifests' digests of the tested data sets only, under ``coverage``, where
    "<data set>.official3" stands for a list of videos of one.
    """
    coverage: Mapping[str, Any] = raw.get("coverage", {})
    sets = {k: v for k, v in coverage.items() if k.rpartition(".")[0] not in coverage}
    return raw | {"data": {name: one["digest"] for name, one in sets.items()}}


def _add_speed(raw: Raw) -> Raw:
    """Version 3 adds ``speed`` and ``micro_batches``, which no older one knows."""
    return raw


# From this version to the next.
STEPS: dict[int, Callable[[Raw], Raw]] = {1: _add_bits_and_digests, 2: _add_speed}


def migrated(raw: Raw, version: int, present: int) -> Raw:
    """Return a record of ``version`` as one of the ``present`` version."""
    for step in range(version, present):
        raw = STEPS[step](raw) | {"version": step + 1}
    return raw
