"""Stage table: every table of a profile in every format, from the records."""

from bench.config.paths import Layout
from bench.config.profile import Config
from bench.reports.tables import TABLES, render_all
from bench.reports.tables.context import read_context
from bench.reports.tables.exports import metrics, plots
from bench.utils.io import dump_json, rounded, write_text


def run(config: Config, layout: Layout) -> None:
    """Write ``results/tables/<profile>/<table>.<format>``, and the files for ``dvc metrics``."""
    context = read_context(config, layout)
    for name, text in render_all(context).items():
        write_text(layout.tables / name, text)
    rows = {f"{row}.json": dump_json(rounded(found)) for row, found in metrics(context).items()}
    for folder, files in ((layout.metrics, rows), (layout.plots, plots(context))):
        folder.mkdir(parents=True, exist_ok=True)
        for name, text in files.items():
            write_text(folder / name, text)
        for old in folder.iterdir():
            if old.name not in files:
                old.unlink()
    print(f"{len(TABLES)} tables in {layout.tables.relative_to(layout.root)}")
