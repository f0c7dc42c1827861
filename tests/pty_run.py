"""The command line on a pseudo-terminal of a given width, as a person has it."""

import fcntl
import os
import pty
import re
import struct
import subprocess
import sys
import termios
from pathlib import Path

CODE = "from bench.cli.main import main; main()"
ESCAPE = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


def on_terminal(folder: Path, *words: str, columns: int = 80, **env: str) -> tuple[int, str]:
    """Run ``bench WORDS`` in ``folder`` on a terminal; return the exit code and the output."""
    master, slave = pty.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 40, columns, 0, 0))
    here = {k: v for k, v in os.environ.items() if k not in ("COLUMNS", "NO_COLOR", "FORCE_COLOR")}
    child = subprocess.Popen(
        [sys.executable, "-c", CODE, *words],
        cwd=folder,
        env=here | {"TERM": "xterm-256color"} | env,
        stdin=slave,
        stdout=slave,
        stderr=slave,
    )
    os.close(slave)
    drawn = b""
    while True:
        try:
            part = os.read(master, 65536)
        except OSError:  # so Linux says that the other end is closed
            break
        if not part:
            break
        drawn += part
    os.close(master)
    return child.wait(), drawn.decode().replace("\r\n", "\n")


def lines(drawn: str) -> list[str]:
    """Return what was drawn as lines without colours."""
    return ESCAPE.sub("", drawn).splitlines()
