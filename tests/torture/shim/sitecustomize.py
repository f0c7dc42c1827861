"""Faults from within: loaded by every Python of an arena (it stands on PYTHONPATH), led by env.

TORTURE_ROOT: the arena. TORTURE_LOG: file that gets a line for each file operation in the arena.
TORTURE_KILL: "main:N" or "worker:N", kill -9 of the whole group before the Nth operation of such a
process. TORTURE_CLOCK: seconds that the wall clock is off, or "jumping".
"""

import os
import random
import signal
import sys
import time

ROOT = os.environ.get("TORTURE_ROOT", "")
WHO = "worker" if "--multiprocessing-fork" in sys.orig_argv else "main"
WATCHED = {"os.rename", "os.remove", "os.rmdir", "os.mkdir", "shutil.move"}
_done = 0


def _operation(event: str, args: tuple) -> str:
    """Return the path that a file operation in the arena changes, else ""."""
    if event == "open":
        changes = isinstance(args[1], str) and set(args[1]) & set("wax+")
        changes = changes or (isinstance(args[2], int) and args[2] & (os.O_WRONLY | os.O_RDWR))
        if not changes:
            return ""
    elif event not in WATCHED:
        return ""
    path = os.fspath(args[0]) if isinstance(args[0], (str, os.PathLike)) else ""
    if isinstance(path, bytes) or "__pycache__" in path:
        return ""
    return path if os.path.abspath(path).startswith(ROOT) else ""


def _hook(event: str, args: tuple) -> None:
    global _done
    if event != "open" and event not in WATCHED:
        return
    if not _operation(event, args):
        return
    _done += 1
    if LOG >= 0:
        os.write(LOG, f"{WHO}\n".encode())
    if KILL_WHO == WHO and _done == KILL_AT:
        os.killpg(os.getpgid(0), signal.SIGKILL)


def _shift(seconds: str) -> None:
    real, real_ns, gmtime, localtime = time.time, time.time_ns, time.gmtime, time.localtime
    rng = random.Random(0)

    def off() -> float:
        return rng.uniform(-1e8, 1e8) if seconds == "jumping" else float(seconds)

    time.time = lambda: real() + off()
    time.time_ns = lambda: real_ns() + int(off() * 1e9)
    time.gmtime = lambda s=None: gmtime(time.time() if s is None else s)
    time.localtime = lambda s=None: localtime(time.time() if s is None else s)


KILL_WHO, _, _at = os.environ.get("TORTURE_KILL", "").partition(":")
KILL_AT = int(_at or 0)
LOG = -1
if os.environ.get("TORTURE_LOG"):
    LOG = os.open(os.environ["TORTURE_LOG"], os.O_WRONLY | os.O_APPEND | os.O_CREAT)
if ROOT and (KILL_AT or LOG >= 0):
    sys.addaudithook(_hook)
if os.environ.get("TORTURE_CLOCK"):
    _shift(os.environ["TORTURE_CLOCK"])
