"""Each page of a data set, on one video that lies as the page shows: its commands, its blocks."""

import json
import re
import shlex
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from project import ROOT, copy_project, run_bench
from ruamel.yaml import YAML
from shown import blocks, commands

from bench.config.profile import DataSet, Words
from bench.data.synthetic.moving_shapes import write_h264

PAGES = sorted((ROOT / "docs" / "data-sets").glob("*.md"))
every_page = pytest.mark.parametrize("page", PAGES, ids=[page.stem for page in PAGES])
ACTIVITYNET = {"database": {"abc": {"subset": "training", "annotations": [{"label": "Surfing"}]}}}


def put_files(page: Path, project: Path) -> None:
    """Put a tiny video at every path that the page shows, and the files that it names."""
    text = page.read_text(encoding="utf-8")
    shown = [line for b in blocks(page) if b.language == "text" for line in b.text.split()]
    for path in [p for p in shown if p.endswith((".avi", ".mp4"))] or ["../activitynet/v_abc.mp4"]:
        file = project / path
        file.parent.mkdir(parents=True, exist_ok=True)
        write_h264(file, np.zeros((6, 32, 48, 3), np.uint8))
    (project / "activity_net.v1-3.min.json").write_text(json.dumps(ACTIVITYNET))
    head = "label,youtube_id,time_start,time_end,split\n"
    for name in re.findall(r"--list (\w+\.csv)", text):
        (project / name).write_text(f"{head}abseiling,0347ZoDXyP0,95,105,train\n")


@every_page
def test_its_commands_run(page: Path, tmp_path: Path) -> None:
    project = tmp_path / "checkout"
    project.mkdir()
    copy_project(project)
    put_files(page, project)
    for block in blocks(page):
        if block.language == "python":
            subprocess.run([sys.executable, "-c", block.text], cwd=project, check=True)
    for command in commands(page):
        if "--vectors" in command:
            continue  # of GoogleNews; tests/cli/test_words.py has small ones
        ended = run_bench(project, *shlex.split(command)[1:])
        assert (ended.code, ended.err) == (0, ""), command
        assert "data index" not in command or ": 1 videos, 1 classes " in ended.out, ended.out


@every_page
def test_its_blocks_for_params_are_valid(page: Path) -> None:
    for block in (b for b in blocks(page) if b.language == "yaml"):
        for name, value in YAML(typ="safe").load(block.text).items():
            (Words if name == "words" else DataSet).model_validate(value)
