"""Follow docs/tutorial.md: its commands and its file, taken from the page."""

import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import sandbox
from project import ROOT
from shown import Block, blocks

PAGE = ROOT / "docs" / "tutorial.md"
ELSEWHERE = ("make repro", ". .venv/bin/activate")


class Followed(NamedTuple):
    """The project in which the page was followed, and what each command printed."""

    root: Path
    printed: dict[str, str]


def follow(root: Path, repro: Callable[[Path], None]) -> Followed:
    """Make the sandbox and run the page's commands in it; ``repro`` stands for `dvc repro`."""
    sandbox.make(root)
    printed: dict[str, str] = {}
    for block in blocks(PAGE):
        put(root, block)
        for command in block.text.splitlines() if block.language == "sh" else ():
            if command == "dvc repro":
                repro(root)
            elif command not in ELSEWHERE:
                program, *words = shlex.split(command)
                assert program == "bench", command
                printed[command] = sandbox.bench(root, *words)
    return Followed(root, printed)


def put(root: Path, block: Block) -> None:
    """Write the method's file, or add the reading's line, as the page says."""
    if block.title:
        assert (root / block.title).is_file()  # the template of `bench new`
        (root / block.title).write_text(block.text, encoding="utf-8")
    elif block.language == "yaml":
        path = root / "params.yaml"
        text = path.read_text(encoding="utf-8")
        assert "\n  rows:\n" in text
        path.write_text(text.replace("\n  rows:\n", f"\n  rows:\n{block.text}", 1))


def by_stages(root: Path) -> None:
    """Run the stages that `dvc repro` would run."""
    sandbox.bench(root, "train", "-j", "1")
    sandbox.bench(root, "stage", "score")
    sandbox.bench(root, "stage", "table")


def by_dvc(root: Path) -> None:
    """Run `dvc repro` itself, in a repository of git and DVC."""
    if not (root / ".dvc").is_dir():
        ignored = shutil.ignore_patterns("tmp", "cache", "*.local")
        shutil.copytree(ROOT / ".dvc", root / ".dvc", ignore=ignored)
        for name in (".dvcignore", ".gitignore"):
            shutil.copy(ROOT / name, root / name)
        subprocess.run(["git", "init", "-q"], cwd=root, check=True)
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    environment = os.environ | {"PATH": path, "PYTHONPATH": str(root), "BENCH_JOBS": "1"}
    command = [sys.executable, "-m", "dvc", "repro"]
    subprocess.run(command, cwd=root, env=environment, check=True)
