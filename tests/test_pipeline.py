"""dvc.yaml names exactly what each stage uses; importing bench does nothing."""

import subprocess
import sys
from pathlib import Path

import pytest
from project import ROOT
from ruamel.yaml import YAML

from bench import sources
from bench.cli.stages import STAGES
from bench.config import load_config

PIPELINE = YAML(typ="safe").load(ROOT / "dvc.yaml")["stages"]
# Names, messages and the way of writing: they decide nothing that a stage writes.
HARMLESS = {"__init__", "errors", "files", "layout", "processes", "progress", "terminal"}
# What a stage imports and does not use: parameters of others (its own stand in `params`), the hash
# of the world's generator (a stamp), the import of a method (its text is read instead).
PARAMETERS = {"config.py", "described.py", "settings.py"}
UNUSED = {
    "data": PARAMETERS | {"sources.py"},
    # Of image models it takes the names of torchvision's categories, when a profile asks for them.
    "words": PARAMETERS
    | {"data/index.py", "method.py", "models/objects.py"}
    | {"inputs/classifier.py", "inputs/detector.py"},
    "splits": {"described.py", "settings.py"},
    "inputs": {"described.py", "losses.py", "method.py", "registry.py", "sources.py"},
    "audit": PARAMETERS
    | {"data/index.py", "method.py", "models/objects.py"}
    | {"inputs/classifier.py", "inputs/detector.py"},
    "train": {"described.py"},
    "score": {"described.py", "method.py"},
    "table": {"described.py", "method.py"},
    "report": {"described.py", "method.py"},
}


@pytest.fixture
def used(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> set[Path]:
    """Give the project's files that a stage imports, directly or not."""
    monkeypatch.setattr(sources, "NEUTRAL", frozenset())
    name = request.getfixturevalue("name")
    found = set(sources.closure(ROOT / "bench" / "stages" / f"{name}.py", ROOT))
    if name == "train":  # it imports the methods by path
        for path in (ROOT / "methods").glob("*.py"):
            found |= set(sources.closure(path, ROOT))
    packages = {path for path in found if path.name == "__init__.py"}
    empty = {path for path in packages if sources.normalised(path) in ("", "pass")}
    unused = {f"{module}.py" for module in HARMLESS} | UNUSED.get(name, set())
    return found - empty - {ROOT / "bench" / module for module in unused}


def dependencies(name: str) -> list[Path]:
    return [ROOT / dep for dep in PIPELINE[name]["deps"] if dep.startswith(("bench/", "methods"))]


@pytest.mark.parametrize("name", STAGES)
def test_every_module_that_a_stage_uses_is_a_dependency(name: str, used: set[Path]) -> None:
    deps = dependencies(name)
    lacking = [p for p in used if not any(d == p or d in p.parents for d in deps)]
    assert not sorted(str(path.relative_to(ROOT)) for path in lacking)


@pytest.mark.parametrize("name", STAGES)
def test_no_dependency_is_superfluous(name: str, used: set[Path]) -> None:
    data = {ROOT / "methods"}  # whose files stages read as data, too
    for dep in set(dependencies(name)) - data:
        assert dep.exists(), dep
        if dep.suffix != ".csv":
            assert any(dep == path or dep in path.parents for path in used), dep


def test_what_is_planned_in_three_stages_has_the_same_parameters() -> None:
    for name in ("score", "table", "report"):
        assert {*PIPELINE[name]["params"], "only"} == set(PIPELINE["train"]["params"])


def test_stages_are_few_and_run_the_commands_of_their_names() -> None:
    assert tuple(PIPELINE) == STAGES
    assert len(PIPELINE) <= 15
    for name, stage in PIPELINE.items():
        assert stage["cmd"] == f"python -m bench.cli stage {name} --profile ${{profile}}"
        assert stage["desc"]


def test_each_output_has_one_writer_and_is_kept_apart_by_profile() -> None:
    outs = [
        o if isinstance(o, str) else next(iter(o)) for s in PIPELINE.values() for o in s["outs"]
    ]
    assert len(outs) == len(set(outs)) >= len(STAGES)
    assert all("${profile}" in out for out in outs)


def test_each_stage_reads_what_earlier_ones_wrote() -> None:
    made: set[str] = set()
    for stage in PIPELINE.values():
        read = {dep for dep in stage["deps"] if "${profile}" in dep}
        assert read <= made
        made |= {o if isinstance(o, str) else next(iter(o)) for o in stage["outs"]}


def test_parameters_exist() -> None:
    raw = YAML(typ="safe").load(ROOT / "params.yaml")
    for stage in PIPELINE.values():
        for place in stage.get("params", []):
            block = raw
            for key in place.replace("${profile}", raw["profile"]).split("."):
                assert key in block, place
                block = block[key]
    assert load_config(ROOT).name == raw["profile"]


def _loaded(code: str) -> set[str]:
    """Return the top-level modules that a fresh Python has loaded after ``code``."""
    script = (
        f"{code}\nimport sys; print('\\n' + ' '.join({{m.split('.')[0] for m in sys.modules}}))"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stderr == ""
    return set(done.stdout.splitlines()[-1].split())


def test_importing_the_command_line_loads_nothing_heavy() -> None:
    loaded = _loaded("import bench.cli.main")
    assert not loaded & {"torch", "pandas", "gensim", "av", "decord", "dvc", "matplotlib", "scipy"}


def test_importing_every_module_prints_and_writes_nothing() -> None:
    modules = [
        ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
        for folder in ("bench", "methods")
        for path in sorted((ROOT / folder).rglob("*.py"))
    ]
    code = (
        "import builtins, importlib, pathlib, sys\n"
        "written = []\n"
        "def hook(event, args):\n"
        "    if event == 'open' and isinstance(args[1], str) and set(args[1]) & set('wax+'):\n"
        "        written.append(str(args[0]))\n"
        "    if event in ('subprocess.Popen', 'os.mkdir', 'socket.connect'):\n"
        "        written.append(event)\n"
        f"for name in ('torch', 'torchvision', 'pandas', 'gensim', 'av', 'rich', 'jinja2'):\n"
        "    importlib.import_module(name)\n"
        "sys.dont_write_bytecode = True\n"
        "sys.addaudithook(hook)\n"
        f"for name in {modules!r}:\n"
        "    importlib.import_module(name)\n"
        "assert not written, written\n"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
