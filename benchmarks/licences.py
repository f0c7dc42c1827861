"""Print docs/licences.md: every package of requirements.lock with its licence.

The licence is the one that the installed package's own metadata states (an SPDX expression, else
its field if that is a name and not the text, else its classifiers). `make licences`
"""

import re
from importlib.metadata import PackageNotFoundError, metadata
from pathlib import Path

LOCK = Path(__file__).resolve().parents[1] / "requirements.lock"
_LINE = re.compile(r"^([\w.-]+)==([^ ;\\]+)[ ]*(?:;[ ]*([^\\]+))?", re.MULTILINE)
_HEAD = """# Licences of the dependencies

Written by `make licences` from the metadata of the packages that `requirements.lock` pins; a
package that is not for this system is named with its condition. Nothing of them is part of this
repository, which installs them.

The project itself is under the MIT licence (`LICENSE`), which goes with each of them: it imports
them as they are and gives none of them out. Whoever does (an image of a container, a bundle) has
to keep the terms of all, and mind these:

* gensim and pebble are LGPL: they must stay replaceable.
* pygit2 is GPL-2.0 with an exception for linking; grandalf, asyncssh and dulwich leave the choice
  between GPL-2.0 and EPL or Apache-2.0. DVC brings all four; `bench` imports none of them.
* PyAV is BSD, but its wheels hold FFmpeg with x264, which are GPL; decord's hold FFmpeg too.
* NVIDIA's packages are proprietary, with terms of their own for giving them on.

| package | version | licence, as the package states it |
|---|---|---|"""


def locked() -> list[tuple[str, str, str]]:
    """Return (name, version, condition) of every pinned package."""
    found = _LINE.findall(LOCK.read_text(encoding="utf-8"))
    return [(name, version, condition.strip()) for name, version, condition in found]


def licence(name: str) -> str:
    """Return what a package says of its licence; "" where it is not installed."""
    try:
        facts = metadata(name)
    except PackageNotFoundError:
        return ""
    expression = facts.get("License-Expression")
    classifiers = [
        line.rpartition(" :: ")[2]
        for line in facts.get_all("Classifier") or []
        if line.startswith("License ::") and not line.endswith("OSI Approved")
    ]
    field = " ".join((facts.get("License") or "").split())
    short = field if len(field) <= 40 else ""
    stated = expression or short or ", ".join(classifiers)
    return stated or "not stated; it names the licence file in its archive"


def main() -> None:
    """Print the page."""
    print(_HEAD)
    for name, version, condition in locked():
        stated = licence(name) or f"not installed here (only for {condition})"
        print(f"| {name} | {version} | {stated.replace('|', '/')} |")


if __name__ == "__main__":
    main()
