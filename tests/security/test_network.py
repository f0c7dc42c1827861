"""Nothing connects anywhere: no command, no stage, no process that a stage starts."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from project import ROOT, copy_project
from ruamel.yaml import YAML

# Python runs it at its start, in children too; a local socket pair is no connection.
_BLOCK = """
import socket, sys
def _hook(event, args):
    if event in ("socket.connect", "socket.getaddrinfo", "socket.sendto"):
        if event != "socket.connect" or not isinstance(args[1], (str, bytes)):
            open({mark!r}, "a").write(f"{{event}} {{args[1:]}}\\n")
            raise OSError("no network in this test")
sys.addaudithook(_hook)
"""


def _bench(project: Path, *lines: str) -> subprocess.CompletedProcess[str]:
    env = {**os.environ, "PYTHONPATH": f"{project / 'block'}{os.pathsep}{project}"}
    env |= {"OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "", "DVC_NO_ANALYTICS": ""}
    code = (
        "import sys\nfrom bench.cli.main import main\n"
        "for line in sys.argv[1:]:\n"
        "    sys.argv = ['bench', *line.split()]\n"
        "    try:\n        main()\n"
        "    except SystemExit as ended:\n        assert ended.code in (0, 1), line\n"
    )
    return subprocess.run(
        [sys.executable, "-c", code, *lines], cwd=project, env=env, capture_output=True, text=True
    )


@pytest.fixture
def blocked(tmp_path: Path) -> Path:
    copy_project(tmp_path)
    (tmp_path / "block").mkdir()
    text = _BLOCK.format(mark=str(tmp_path / "connected"))
    (tmp_path / "block" / "sitecustomize.py").write_text(text, encoding="utf-8")
    return tmp_path


def _mini(project: Path, *methods: str) -> None:
    """Leave these methods alone, and of profile mini what they need, with few steps."""
    for file in (project / "methods").glob("[a-z]*.py"):
        if file.stem not in methods:
            file.unlink()
    raw = YAML(typ="safe").load(ROOT / "params.yaml")
    mini = raw["profiles"]["mini"]
    del mini["own"]
    raw["readings"]["rows"] = []
    mini["train"] |= {"steps": 3, "warmup": 1, "seeds": [0]}
    mini["network"]["pretrain_steps"] = 2
    YAML(typ="safe").dump({**raw, "profiles": {"mini": mini}}, project / "params.yaml")


def test_the_block_works(blocked: Path) -> None:
    env = {**os.environ, "PYTHONPATH": str(blocked / "block")}
    code = "import socket; socket.create_connection(('192.0.2.1', 9), 1)"
    assert subprocess.run([sys.executable, "-c", code], env=env, capture_output=True).returncode
    assert (blocked / "connected").exists()


def test_reports_need_no_network(blocked: Path) -> None:
    _mini(blocked, "aurl")
    ended = _bench(blocked, "table -w sota", "status", "words ucf101")
    assert ended.returncode == 0, ended.stderr
    assert not (blocked / "connected").exists()


@pytest.mark.slow
def test_the_pipeline_of_mini_needs_no_network(blocked: Path) -> None:
    """Every stage from the world to the tables, of two methods with few steps."""
    _mini(blocked, "base_ls", "eszsl")
    stages = ("data", "words", "splits", "inputs", "audit", "train", "score", "table")
    ended = _bench(blocked, *(f"stage {one}" for one in stages), "doctor", "methods")
    assert ended.returncode == 0, ended.stderr
    assert not (blocked / "connected").exists()


def test_dvc_neither_reports_nor_looks_for_updates() -> None:
    config = (ROOT / ".dvc" / "config").read_text(encoding="utf-8")
    assert "analytics = false" in config
    assert "check_update = false" in config


def test_the_project_asks_for_no_download() -> None:
    """``weights: download`` is the one way to the network, and no profile has it."""
    assert "download" not in str(YAML(typ="safe").load(ROOT / "params.yaml"))
