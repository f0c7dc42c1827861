"""`bench table` needs neither data nor torch: a clone prints every table from its records."""

import subprocess
import sys
from pathlib import Path

import pytest
from project import ROOT

HEAVY = ("torch", "gensim", "av", "decord", "dvc", "pyarrow", "matplotlib", "torchvision")


@pytest.mark.parametrize("command", ["table --which ablation", "status", "splits overlap"])
def test_nothing_heavy_is_loaded(project: Path, command: str) -> None:
    folder = project / "splits" / "mini"
    folder.mkdir(parents=True)
    (folder / "overlap.json").write_text(
        '{"train": "a", "test": ["b"], "tau": 0, "digest": "d", "classes": []}'
    )
    code = (
        "import sys\n"
        "from bench.cli.main import main\n"
        f"sys.argv = ['bench', *{command.split()!r}]\n"
        "try:\n"
        "    main()\n"
        "except SystemExit as ended:\n"
        "    assert ended.code == 0, ended.code\n"
        f"print(*[m for m in {HEAVY!r} if m in sys.modules], file=sys.stderr)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=project, capture_output=True, text=True)
    assert (done.returncode, done.stderr.strip()) == (0, "")
    assert done.stdout


def test_a_reader_that_goes_away_is_no_error() -> None:
    command = f"{sys.executable} -c 'from bench.cli.main import main; main()' table --which sota"
    done = subprocess.run(
        ["bash", "-c", f"{command} | true"], cwd=ROOT, capture_output=True, text=True
    )
    assert done.stderr == ""
