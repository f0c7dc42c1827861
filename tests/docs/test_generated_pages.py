"""Pages that `make docs` writes are what it would write now."""

import importlib.util
from pathlib import Path
from types import ModuleType
from xml.etree import ElementTree

import pytest
from project import ROOT
from ruamel.yaml import YAML


@pytest.fixture(scope="module")
def reference() -> ModuleType:
    """Give benchmarks/reference.py as a module."""
    path = ROOT / "benchmarks" / "reference.py"
    spec = importlib.util.spec_from_file_location("reference", path)
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def page(name: str) -> str:
    return (ROOT / "docs" / name).read_text(encoding="utf-8")


def test_the_commands(reference: ModuleType) -> None:
    made = reference.commands()
    there = {path.name: page(f"cli/{path.name}") for path in (ROOT / "docs" / "cli").iterdir()}
    assert there == made, "run 'make docs'"


def test_the_rooms(reference: ModuleType) -> None:
    assert page("architecture.md") == reference.rooms(), "run 'make docs'"


def test_every_stage_stands_in_the_architecture_and_in_the_picture() -> None:
    stages = YAML(typ="safe").load(ROOT / "dvc.yaml")["stages"]
    picture = page("figures/data-flow-light.svg")
    for name in stages:
        assert f"| `{name}` |" in page("architecture.md")
        assert name in picture


@pytest.mark.parametrize("name", ["light", "dark"])
def test_the_picture_holds_all_it_shows(name: str) -> None:
    path: Path = ROOT / "docs" / "figures" / f"data-flow-{name}.svg"
    assert path.stat().st_size < 100_000
    for element in ElementTree.parse(path).iter():
        for attribute, value in element.attrib.items():
            if attribute.endswith("href"):
                assert value.startswith("data:image/jpeg;base64,")
