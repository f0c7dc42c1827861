"""The figures of a report: from records and runs/ to a ``Figure``."""

from bench.errors import UserError
from bench.reports.figures.class_figures import draw_classes, draw_confusion, draw_coverage
from bench.reports.figures.drawing import style
from bench.reports.figures.material import Material
from bench.reports.figures.row_figures import draw_accuracy, draw_gap, draw_plane, draw_tau
from bench.reports.figures.training_figures import draw_curves, draw_map
from bench.reports.report_model import Figure

FIGURES = {
    "gap": ("Measured minus published", draw_gap),
    "accuracy": ("Accuracy against the number of test classes", draw_accuracy),
    "tau": ("The overlap exclusion τ", draw_tau),
    "plane": ("Closeness and dispersion", draw_plane),
    "classes": ("Two rows, class by class", draw_classes),
    "confusion": ("The most confused classes", draw_confusion),
    "map": ("A map of the embeddings", draw_map),
    "curves": ("Training curves", draw_curves),
    "coverage": ("Data coverage", draw_coverage),
}


def draw(key: str, material: Material) -> Figure:
    """Draw one of ``FIGURES``; if that is impossible, the figure says why and what to do."""
    title, make = FIGURES[key]
    try:
        with style():
            return make(material)
    except UserError as error:
        why = str(error).replace(f"{material.layout.root}/", "")
        return Figure(key, title, "", lacking=f"{why}.")
