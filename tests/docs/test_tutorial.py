"""docs/tutorial.md: its commands and its file, taken from the page, on a tiny profile.

`dvc repro` runs as the stages that it would run; ``-m slow`` runs DVC itself.
"""

import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import sandbox
from project import ROOT
from shown import Block, blocks

PAGE = ROOT / "docs" / "tutorial.md"
ELSEWHERE = ("make repro", ". .venv/bin/activate")  # what the sandbox has done already


@pytest.fixture(scope="module", params=["stages", pytest.param("dvc", marks=pytest.mark.slow)])
def printed(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, dict[str, str]]:
    """Follow the page; give the project and what each command printed."""
    root: Path = tmp_path_factory.mktemp("tutorial")
    sandbox.make(root)
    repro = by_stages if request.param == "stages" else by_dvc(root)
    found: dict[str, str] = {}
    for block in blocks(PAGE):
        put(root, block)
        for command in block.text.splitlines() if block.language == "sh" else ():
            if command == "dvc repro":
                repro(root)
            elif command not in ELSEWHERE:
                program, *words = shlex.split(command)
                assert program == "bench", command
                found[command] = sandbox.bench(root, *words)
    return root, found


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
    sandbox.bench(root, "train", "-j", "1")
    sandbox.bench(root, "stage", "score")
    sandbox.bench(root, "stage", "table")


def by_dvc(root: Path) -> Callable[[Path], None]:
    """Make a repository of the project, and give what runs `dvc repro` in it."""
    import os

    ignored = shutil.ignore_patterns("tmp", "cache", "*.local")
    shutil.copytree(ROOT / ".dvc", root / ".dvc", ignore=ignored)
    for name in (".dvcignore", ".gitignore"):
        shutil.copy(ROOT / name, root / name)
    subprocess.run(["git", "init", "-q"], cwd=root, check=True)
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    environment = os.environ | {"PATH": path, "PYTHONPATH": str(root), "BENCH_JOBS": "1"}

    def repro(folder: Path) -> None:
        command = [sys.executable, "-m", "dvc", "repro"]
        subprocess.run(command, cwd=folder, env=environment, check=True)

    return repro


def test_the_file_passes_its_check(printed: tuple[Path, dict[str, str]]) -> None:
    assert printed[1]["bench check soft"] == "soft: ok\n"


def test_the_row_stands_in_the_table_with_its_seeds(printed: tuple[Path, dict[str, str]]) -> None:
    (row,) = (r for r in printed[1]["bench table"].splitlines() if r.startswith("| Soft targets "))
    assert [cell.strip() for cell in row.split("|")][-4:-1] == ["2", "36/36", "ok"]


def test_the_comparison_says_what_the_gap_is_worth(printed: tuple[Path, dict[str, str]]) -> None:
    out = printed[1]["bench compare soft base_ls"]
    assert re.search(r"^soft − base_ls, tested\.full\.top1: ", out, re.MULTILINE)
    assert "seeds for 1 point" in out


def test_the_reading_stands_beside_its_default(printed: tuple[Path, dict[str, str]]) -> None:
    rows = printed[1]["bench table --which readings"].splitlines()
    readings = [r.split("|")[2].strip() for r in rows if r.startswith("| Soft targets ")]
    assert readings == ["default", "warmth = 0.03"]


def test_its_cell_repeats_to_the_last_bit(printed: tuple[Path, dict[str, str]]) -> None:
    assert "  IDENTICAL: " in printed[1]["bench verify soft"]
