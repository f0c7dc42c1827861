"""Processes that work for another one."""

import subprocess
import sys
from pathlib import Path

PARENT = """
import os
import time
from bench.utils.worker_pool import spawned

if __name__ == "__main__":
    pool = spawned(2, os.write, 1, b"begun\\n")
    for _ in range(2):
        pool.submit(time.sleep, 1000)
    time.sleep(1000)
"""


def test_workers_end_with_a_parent_that_is_killed(tmp_path: Path) -> None:
    script = tmp_path / "parent.py"
    script.write_text(PARENT)
    with subprocess.Popen([sys.executable, script], stdout=subprocess.PIPE) as parent:
        assert parent.stdout is not None
        assert [parent.stdout.readline() for _ in range(2)] == [b"begun\n"] * 2
        parent.kill()
        parent.communicate(timeout=30)  # the end of the pipe, which the workers hold, too
