"""Stage table: every table of a profile in every format, from the records."""

from bench.config.paths import Layout
from bench.config.profile import Config
from bench.evaluation.leakage.audit_flags import stored_audit
from bench.experiments.method_registry import scan
from bench.experiments.plan import plan
from bench.experiments.record import read_records
from bench.reports.tables import FORMATS, TABLES, TableContext, build, render
from bench.reports.tables.dvc_views import metrics, plots
from bench.utils.io import dump_json, write_text

_SUFFIX = {"latex": "tex"}


def run(config: Config, layout: Layout) -> None:
    """Write ``results/tables/<profile>/<table>.<format>``, and what DVC's own views show."""
    whole = context(config, layout)
    for name, text in _texts(whole).items():
        write_text(layout.tables / name, text)
    rows = {f"{row}.json": dump_json(found) for row, found in metrics(whole).items()}
    for folder, files in ((layout.metrics, rows), (layout.plots, plots(whole))):
        folder.mkdir(parents=True, exist_ok=True)
        for name, text in files.items():
            write_text(folder / name, text)
        for old in folder.iterdir():
            if old.name not in files:
                old.unlink()
    print(f"{len(TABLES)} tables in {layout.tables.relative_to(layout.root)}")


def texts(config: Config, layout: Layout) -> dict[str, str]:
    """Return file name -> text of every table in every format."""
    return _texts(context(config, layout))


def _texts(whole: TableContext) -> dict[str, str]:
    found = {}
    for which in TABLES:
        table = build(which, whole)
        for fmt in FORMATS:
            found[f"{which}.{_SUFFIX.get(fmt, fmt)}"] = render(table, fmt).rstrip("\n") + "\n"
    return found


def context(config: Config, layout: Layout, only: str = "") -> TableContext:
    """Gather what the tables need: records, plan, and the profile's own words."""
    profile = config.profile
    tests = {name: d.protocols for name, d in profile.datasets.items() if d.protocols}
    videos = any(profile.datasets[name].kind == "videos" for name in tests)
    return TableContext(
        profile=config.name,
        header=profile.title,
        is_embedded_world=profile.embedded,
        train=profile.train_on or "",
        tests=dict(tests),
        records=read_records(layout.records),
        planned=plan(config, layout, readings=True),
        splits=layout.splits,
        files=scan(layout.root),
        only=only,
        audit=stored_audit(config, layout),
        clips=profile.input.test_clips if videos else None,
    )
