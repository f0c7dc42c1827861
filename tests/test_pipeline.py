"""dvc.yaml names the rooms that each stage uses; importing bench does nothing."""

import subprocess
import sys

import pytest
from project import ROOT
from ruamel.yaml import YAML

from bench.config.profile import load_config
from bench.experiments import fingerprint
from bench.pipeline.stages import STAGES

PIPELINE = YAML(typ="safe").load(ROOT / "dvc.yaml")["stages"]


def rooms_used(name: str) -> set[str]:
    """Return the rooms of bench/ (or loose modules) that a stage imports, directly or not."""
    found = set(fingerprint.code_files(ROOT / "bench" / "pipeline" / "stages" / f"{name}.py", ROOT))
    if name == "train":  # it imports the methods by path
        for path in (ROOT / "methods").glob("*.py"):
            found |= set(fingerprint.code_files(path, ROOT))
    parts = [path.relative_to(ROOT).parts for path in found if path.name != "__init__.py"]
    return {"/".join(p if p[1] == "pipeline" else p[:2]) for p in parts if p[0] == "bench"}


@pytest.mark.parametrize("name", STAGES)
def test_a_stage_depends_on_the_rooms_that_it_uses(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fingerprint, "NEUTRAL", ())
    fingerprint.forget_code()
    listed = {dep for dep in PIPELINE[name]["deps"] if dep.startswith("bench/")}
    assert not rooms_used(name) - {"bench/utils", "bench/errors.py"} - listed
    assert all((ROOT / dep).exists() for dep in listed)
    fingerprint.forget_code()  # what was read without NEUTRAL


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
