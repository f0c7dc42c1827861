"""Training curves of a row, mean over its cells, from the logs that the cells left."""

import csv
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path


def mean_curve(logs: Iterable[Path]) -> str:
    """Return a CSV: step, cells, then every logged value, mean over the cells that logged it.

    "" if no cell has a log (what is not trained by steps). ValueError for a damaged log.
    """
    values: dict[int, dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    names: dict[str, None] = {}
    for path in logs:
        if not path.is_file():
            continue
        with path.open(encoding="utf-8", newline="") as file:
            for line in csv.DictReader(file):
                for name, value in line.items():
                    if name != "step":
                        values[int(line["step"])][name].append(float(value))
                        names[name] = None
    if not values:
        return ""
    lines = [",".join(["step", "cells", *names])]
    for step, found in sorted(values.items()):
        means = (f"{sum(v) / len(v):.6g}" if (v := found.get(name)) else "" for name in names)
        lines.append(",".join([str(step), str(max(map(len, found.values()))), *means]))
    return "\n".join(lines) + "\n"
