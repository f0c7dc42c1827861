"""The report's page, as one HTML file."""

from html import escape

from bench.report.parts import Report


def page(report: Report, root: str = "../../..", figures: str = "figures") -> str:
    """Return the page; ``root`` and ``figures`` are the ways from it to the project and figures."""
    parts = (
        f"<h2>{escape(one.title)}</h2>{one.svg or escape(one.lacking)}" for one in report.figures
    )
    return f"<!doctype html><title>{escape(report.profile)}</title>{''.join(parts)}\n"
