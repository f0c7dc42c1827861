"""The input of all tables: a profile's records, plan, splits and audit."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bench.config.paths import Layout
from bench.config.profile import ONE_SPLIT, Config
from bench.data.formats.overlap_file import OverlapFile
from bench.data.formats.split_file import Split, SplitFile
from bench.evaluation.audit_flags import stored_audit
from bench.experiments.method_registry import MethodFile, scan
from bench.experiments.plan import PlannedCell, plan
from bench.experiments.record import Record, read_records

EMBEDDED = (
    "This is a small generated world: its numbers are no evidence about the paper and are not "
    "comparable with the published ones, which have columns of their own."
)


@dataclass(frozen=True)
class TableContext:
    """Everything that a table needs, read without data or torch."""

    profile: str
    header: str  # one line that names the profile and its setting
    is_embedded_world: bool
    train: str  # training data set of the cells that are trained once ("" if there are none)
    tests: dict[str, tuple[str, ...]]  # test data set -> protocols, the primary one first
    records: list[Record]
    planned: list[PlannedCell]
    splits: Path  # the profile's folder of split files
    files: dict[str, MethodFile] = field(default_factory=dict)  # declarations of methods/
    only: str = ""  # the one method of the table of protocols
    audit: Mapping[str, Any] | None = field(
        default_factory=dict
    )  # of the audit stage; None if it was not run
    clips: int | None = None  # clips per test video, unless a method sets its own

    @property
    def primary(self) -> list[str]:
        """Return ``<data set>.<first protocol>`` for every test data set."""
        return [f"{name}.{protocols[0]}" for name, protocols in self.tests.items()]

    def per_split(self, scope: str) -> bool:
        """Return whether ``<data set>.<protocol>`` has trainings on seen classes of its own."""
        return any(one.split.startswith(f"{scope}.") for one in self.planned or self.records)

    def per_draw(self, scope: str) -> bool:
        """Return whether draws of the classes are what is repeated, not seeds."""
        return scope.partition(".")[2] not in ONE_SPLIT and self.per_split(scope)

    def headline(self, scope: str) -> str:
        """Return the metric of a scope's accuracy column: top1, of gzsl the harmonic mean."""
        return f"{scope}.harmonic" if scope.endswith(".gzsl") else f"{scope}.top1"

    @property
    def headlines(self) -> list[str]:
        """Return the accuracies of every data set under every protocol."""
        return [self.headline(f"{name}.{p}") for name, found in self.tests.items() for p in found]

    def repeated(self, scopes: Iterable[str]) -> str:
        """Return what the n of these scopes counts: seeds, draws, or both."""
        kinds = {self.per_draw(scope) for scope in scopes}
        return " or ".join("draws" if per_draw else "seeds" for per_draw in sorted(kinds))

    def tested(self, protocol: str) -> list[str]:
        """Return the accuracies that are measured under a protocol."""
        names = (name for name, protocols in self.tests.items() if protocol in protocols)
        return [self.headline(f"{name}.{protocol}") for name in names]

    def overlap(self) -> OverlapFile | None:
        """Read the overlap file; None if there is none, UserError if it is damaged."""
        return OverlapFile.read(self.splits / "overlap.json")

    def split_file(self, scope: str) -> SplitFile | None:
        """Read the split file of ``<data set>.<protocol>``; None if there is none."""
        return SplitFile.read(self.splits / f"{scope}.json")

    def _splits(self, scope: str) -> list[Split]:
        file = self.split_file(scope)
        return file.splits if file else []

    def has_splits(self, scope: str) -> bool:
        """Return whether the split file of ``<data set>.<protocol>`` is there, with splits."""
        return bool(self._splits(scope))

    def split_sizes(self, scope: str) -> tuple[int, int]:
        """Return the tested classes of one split and of all together; (1, 1) without the file."""
        splits = self._splits(scope)
        if not splits:
            return 1, 1
        return len(splits[0]["unseen"]), len({name for one in splits for name in one["unseen"]})

    def draw_sizes(self, scope: str) -> tuple[int, int]:
        """Return the seen and unseen classes of one draw; (1, 1) without a split file."""
        splits = self._splits(scope)
        return (len(splits[0]["seen"]), len(splits[0]["unseen"])) if splits else (1, 1)


def read_context(config: Config, layout: Layout, only: str = "") -> TableContext:
    """Read what the tables of a profile are made from; ``only`` is for the table of protocols."""
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
