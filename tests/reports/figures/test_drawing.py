"""Labels beside points never cover each other."""

from itertools import combinations

import numpy as np
from matplotlib.text import Text

from bench.reports.figures.drawing import Sheet, place, style


def test_labels_of_crowded_points_stand_apart() -> None:
    points = np.random.default_rng(0).normal(0, 0.1, (30, 2))
    with style():
        sheet = Sheet("x", 5, 4)
        axes = sheet.axes[0]
        axes.plot(*points.T, "o")
        axes.set_xlim(-1, 1)
        axes.set_ylim(-1, 1)
        place(sheet, axes, [(x, y, f"row {i}") for i, (x, y) in enumerate(points.tolist())])
        axes.figure.draw_without_rendering()
        boxes = [Text.get_window_extent(text) for text in axes.texts]  # without their lines
    assert len(boxes) > 20
    for a, b in combinations(boxes, 2):
        across = min(a.x1, b.x1) - max(a.x0, b.x0)
        up = min(a.y1, b.y1) - max(a.y0, b.y0)
        assert min(across, up) < 1  # pixel
