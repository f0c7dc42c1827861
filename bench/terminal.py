"""Output streams that show control characters instead of passing them to the terminal."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from typing import Any, TextIO, cast

from bench.errors import visible


class Plain:
    """A text stream: names and reasons come from files of others, and a terminal obeys escapes."""

    def __init__(self, stream: TextIO) -> None:
        self.stream = stream

    def write(self, text: str) -> int:
        """Write ``text`` with its control characters made visible."""
        return self.stream.write(visible(text))

    def __getattr__(self, name: str) -> Any:
        return getattr(self.stream, name)


@contextmanager
def plain_output() -> Iterator[None]:
    """Make stdout and stderr ``Plain`` within the block."""
    out, err = (cast(TextIO, Plain(stream)) for stream in (sys.stdout, sys.stderr))
    with redirect_stdout(out), redirect_stderr(err):
        yield


def bar_stream() -> TextIO:
    """Return stderr as it is, for a progress bar, which draws by escapes of its own."""
    stream = sys.stderr
    return stream.stream if isinstance(stream, Plain) else stream
