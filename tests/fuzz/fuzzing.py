"""Run fuzz targets under a watch on files, processes, sockets, pickles, time and memory.

A target takes a case and a folder, and may raise UserError. Anything else that it raises is a
defect, as is a write outside of the folder, a started process (but git), a connection, a name that
a pickle imports, more than ``SECONDS`` of time or ``BYTES`` of new memory.
"""

import os
import resource
import signal
import sys
import tempfile
import traceback
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import seed as with_seed
from hypothesis.strategies import SearchStrategy
from project import Ended, run_bench

from bench.errors import UserError, visible

SECONDS = 60  # a case takes milliseconds; a machine may be busy
BYTES = 3 << 30

Defects = dict[tuple[str, str], str]  # target and place -> the case

_WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
_CHANGES = {"os.remove", "os.rmdir", "os.mkdir", "os.rename", "os.link"}
_CHANGES |= {"os.chmod", "os.chown", "os.truncate", "shutil.rmtree", "shutil.move", "os.utime"}
_NEVER = {"pickle.find_class", "socket.connect", "os.system", "os.exec", "os.fork"}


@dataclass(frozen=True)
class Target:
    """One kind of input: how cases are made, and what reads them.

    ``share``: its weight in `make fuzz`. ``short``: number of cases in `make test`.
    """

    name: str
    cases: SearchStrategy[Any]
    run: Callable[[Any, Path], object]
    share: int = 1
    short: int = 40


class Forbidden(BaseException):
    """Raised by the watch; no ``except Exception`` of the program can hide it."""


class _Watch:
    """An audit hook cannot be removed: this one looks only while ``root`` is set."""

    def __init__(self) -> None:
        self.root, self.seen, self.hooked = "", list[str](), False

    def hook(self, event: str, args: tuple[Any, ...]) -> None:
        if not self.root:
            return
        if event == "open":
            path, _, flags = args
            wrong = isinstance(flags, int) and flags & _WRITES and self.is_outside(path)
        elif event == "os.symlink":
            wrong = self.is_outside(args[1])
        elif event in _CHANGES:
            wrong = any(self.is_outside(path) for path in args if isinstance(path, (str, bytes)))
        elif event == "subprocess.Popen":
            wrong = os.fspath(args[0]) != "git"
        else:
            wrong = event in _NEVER
        if wrong:
            self.seen.append(f"{event} {args!r:.300}")
            raise Forbidden(self.seen[-1])

    def is_outside(self, path: Any) -> bool:
        if isinstance(path, int) or path is None:
            return False
        if str(path).startswith(os.path.join(tempfile.gettempdir(), "torchinductor_")):
            return False  # torch's own, at its import
        real = os.path.realpath(os.fsdecode(os.fspath(path)).replace("\0", ""))
        return real != os.devnull and not (real + "/").startswith(self.root)


_watch = _Watch()


@contextmanager
def watched(folder: Path) -> Iterator[None]:
    """Raise ``Forbidden`` where the block touches what it must not, or takes too long."""
    if not _watch.hooked:
        sys.addaudithook(_watch.hook)
        _watch.hooked = True

    def late(*_: object) -> NoReturn:
        raise Forbidden(f"not done after {SECONDS} s")

    before = signal.signal(signal.SIGALRM, late)
    limits = resource.getrlimit(resource.RLIMIT_AS)
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0])
    resource.setrlimit(resource.RLIMIT_AS, (pages * resource.getpagesize() + BYTES, limits[1]))
    signal.setitimer(signal.ITIMER_REAL, SECONDS)
    _watch.seen.clear()
    _watch.root = os.path.realpath(folder) + "/"
    try:
        yield
    finally:
        _watch.root = ""
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
        resource.setrlimit(resource.RLIMIT_AS, limits)
    if _watch.seen:  # something hid it
        raise Forbidden(_watch.seen[0])


def attempt(target: Target, case: Any, folder: Path) -> str:
    """Run one case; return how it ended: ``taken`` or ``refused``."""
    with watched(folder):
        try:
            ended = target.run(case, folder)
        except UserError:
            return "refused"
    return "refused" if isinstance(ended, Ended) and ended.code == 2 else "taken"


def bench(folder: Path, *words: str) -> Ended:
    """Run the command line; it must end with 0, 1 (a report) or one line and 2."""
    ended = run_bench(folder, *words, fresh=False)
    assert ended.code in (0, 1, 2), ended
    if ended.code == 2:
        assert ended.err.startswith("error: ") or "\nerror: " in ended.err, ended
        assert ended.err.endswith("\n"), ended
    for text in (ended.out, ended.err):
        assert visible(text) == text, ended
    return ended


def fuzz(
    target: Target,
    folder: Path,
    cases: int,
    seed: int | None = None,
    defects: Defects | None = None,
) -> Counter[str]:
    """Run that many cases, always the same ones without a ``seed``; count how they ended.

    The first defect is raised; with ``defects`` all are kept there, one a kind and place.
    """
    ended: Counter[str] = Counter()

    @settings(
        max_examples=cases,
        deadline=None,
        database=None,
        derandomize=seed is None,
        suppress_health_check=list(HealthCheck),
        phases=[Phase.generate],
    )
    @given(case=target.cases)
    def one(case: Any) -> None:
        try:
            ended[attempt(target, case, folder)] += 1
        except (Exception, Forbidden) as error:
            if defects is None:
                raise
            ended["defect"] += 1
            defects.setdefault((target.name, _place(error)), repr(case)[:500])

    (one if seed is None else with_seed(seed)(one))()
    return ended


def _place(error: BaseException) -> str:
    """Return kind, last line of the program that it passed through, and message."""
    frames = traceback.extract_tb(error.__traceback__)
    own = [f for f in frames if "/bench/" in f.filename] or frames
    last = own[-1]
    message = " ".join(str(error).split())[:160]
    return f"{Path(last.filename).name}:{last.lineno} {type(error).__name__}: {message}"
