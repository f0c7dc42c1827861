"""One try at a cell: how it ended, whatever its method did."""

from pathlib import Path

from bench.errors import UserError
from bench.experiments import fingerprint as sources
from bench.experiments.method_registry import blame, load
from bench.training.distributed import ALONE, World
from bench.training.job import Job
from bench.training.loop import Diverged
from bench.training.open_inputs import MissingInput
from bench.training.run_cell import Report, run_cell
from bench.utils.io import locked

Ended = tuple[str, str]


def attempt(job: Job, report: Report, world: World = ALONE) -> Ended:
    """Run a cell; return its status (ok, failed, broken or missing) and the reason."""
    try:
        load(job.method)
    except UserError as error:
        return "broken", str(error)
    if _edited(job):
        name = f"methods/{job.method.path.name}"
        return "failed", f"{name}: it, or what it imports, was changed meanwhile; train again"
    done = job.layout.runs / job.cell / "run.json"
    before = _written(done)
    try:
        if world.size > 1:
            run_cell(job, report, world)
            return "ok", ""
        # Another training of the same profile, or what a kill has left of one, may write this cell.
        with locked(job.layout.scratch / "locks" / job.cell):
            if not done.is_file() or _written(done) == before:
                run_cell(job, report)
    except MissingInput as error:
        return "missing", str(error)
    except (UserError, Diverged, FloatingPointError) as error:
        return "failed", str(error)
    except BaseException as error:  # also sys.exit, and an interrupt that the method raises
        if world.size > 1 and isinstance(error, KeyboardInterrupt):
            raise  # no worker: it is the command itself that is interrupted
        return "failed", blame(error, job.method.path)
    return "ok", ""


def _written(file: Path) -> int:
    return file.stat().st_mtime_ns if file.is_file() else 0


def _edited(job: Job) -> bool:
    """Tell whether what was just loaded is other code than the fingerprint says."""
    for cached in (sources.parsed, sources.normalised):
        cached.cache_clear()  # of earlier cells
    try:
        found = sources.source_digest(job.method.path, job.layout.root)
    except (SyntaxError, ValueError, OSError):
        return True
    return bool(found != job.facts["parts"]["source"])
