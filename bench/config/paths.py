"""Paths of the files of each stage, per profile."""

import re
from dataclasses import dataclass
from pathlib import Path

from bench.errors import UserError

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")


@dataclass(frozen=True)
class Layout:
    """Paths of one profile under the project's root; each is written by one stage."""

    root: Path
    profile: str

    def __post_init__(self) -> None:
        if not _NAME.fullmatch(self.profile):
            raise UserError(
                f"profile '{self.profile}' is not a plain name: rename it in "
                "params.yaml to letters, digits, '.', '_' and '-', with a letter or digit first"
            )

    @property
    def index(self) -> Path:
        """Manifests, and the embedded world's videos (stage data)."""
        return self.root / "data" / self.profile / "index"

    @property
    def words(self) -> Path:
        """Class words and vectors (stage words)."""
        return self.root / "data" / self.profile / "words"

    @property
    def inputs(self) -> Path:
        """Inputs of methods other than videos, one folder each (stage inputs)."""
        return self.root / "data" / self.profile / "inputs"

    @property
    def inputs_status(self) -> Path:
        """Sources of the inputs, and why others are missing (stage inputs), in git."""
        return self.root / "results" / "inputs" / f"{self.profile}.json"

    @property
    def checkpoints(self) -> Path:
        """Imported checkpoints (`bench checkpoint import`): weights, and a .json of facts."""
        return self.root / "data" / "checkpoints" / self.profile

    @property
    def splits(self) -> Path:
        """Split files by class name (stage splits), in git."""
        return self.root / "splits" / self.profile

    @property
    def runs(self) -> Path:
        """Finished cells: embeddings, logs, models (stage train)."""
        return self.root / "runs" / self.profile

    def finished_cells(self) -> list[Path]:
        """Return the folders of finished cells, sorted, without half-written ones."""
        return sorted(path.parent for path in self.runs.glob("[!.]*/run.json"))

    @property
    def audit(self) -> Path:
        """Test classes seen in training and pre-training (stage audit), in git."""
        return self.root / "results" / "audit" / f"{self.profile}.json"

    @property
    def records(self) -> Path:
        """One JSON record per cell (stage score), in git."""
        return self.root / "results" / "records" / self.profile

    @property
    def tables(self) -> Path:
        """Tables in every format (stage table), in git."""
        return self.root / "results" / "tables" / self.profile

    @property
    def report(self) -> Path:
        """The page and its figures (stage report)."""
        return self._beside_tables("report")

    @property
    def metrics(self) -> Path:
        """One file of numbers per row for `dvc metrics` (stage table), in git."""
        return self._beside_tables("metrics")

    @property
    def plots(self) -> Path:
        """The numbers of `dvc plots` (stage table), in git."""
        return self._beside_tables("plots")

    @property
    def curves(self) -> Path:
        """Mean training curve of each row (stage score), in git."""
        return self._beside_tables("curves")

    @property
    def sweeps(self) -> Path:
        """Saved tables of sweeps (`bench sweep --save`), in git."""
        return self._beside_tables("sweeps")

    def _beside_tables(self, kind: str) -> Path:
        return self.tables.parents[1] / kind / self.profile

    @property
    def scratch(self) -> Path:
        """Locks, decoded frames, unfinished trainings: safe to delete when nothing runs."""
        return self.root / ".bench" / self.profile


def find_root(start: Path | None = None) -> Path:
    """Return the nearest folder at or above ``start`` (default: here) that holds params.yaml."""
    here = (start or Path.cwd()).resolve()
    for folder in (here, *here.parents):
        if (folder / "params.yaml").is_file() and (folder / "dvc.yaml").is_file():
            return folder
    raise UserError(
        f"{here} is not inside an AURL-Bench project (no params.yaml and dvc.yaml here or above); "
        "'bench new' in an empty folder starts one"
    )
