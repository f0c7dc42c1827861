"""Stage audit: which test classes training and pre-training have seen, as a file in git."""

from bench.config.paths import Layout
from bench.config.profile import Config
from bench.evaluation.leakage import measure
from bench.utils.io import write_json


def run(config: Config, layout: Layout) -> None:
    """Write ``results/audit/<profile>.json``; tables take their flags from it."""
    found = measure(config, layout)
    write_json(layout.audit, found)
    for name, source in found["sources"].items():
        seen = {one["name"] for part in source["tests"].values() for one in part["seen"]}
        print(f"{name}: {source['unknown'] or f'{len(seen)} test classes seen'}")
