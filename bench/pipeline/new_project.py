"""A project outside the checkout: its files, and how its pipeline knows the installed code.

The checkout's dvc.yaml names the modules that each stage uses. A started project has no ``bench/``:
there a first stage, ``code``, runs at every ``dvc repro`` and writes results/code.json, stage →
digest of all the installed code that it uses, and each stage depends on its own entry. So an
upgrade wakes the stages whose code it changes, and a cell is trained again only if its fingerprint
changed, which is the same here as in a checkout.
"""

import io
import keyword
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from bench import __version__
from bench.errors import UserError
from bench.experiments.fingerprint import code_digest, code_files
from bench.utils.io import digest, file_digest, write_json, write_text

CODE = "results/code.json"
PLAIN = ("params.yaml", ".dvcignore", ".gitignore", ".dvc/config", ".dvc/.gitignore")
_HEAD = f"""\
# data → words → splits → inputs → audit → train → score → table, for the profile that params.yaml
# names. The code is the installed package; {CODE} holds its digest for each stage.
"""


def start(folder: Path) -> int:
    """Write a project's files into ``folder``; return how many methods it has.

    Raises UserError, and has written nothing, if one of them is there already.
    """
    files = dict(_files())
    for name in files:
        for part in (Path(name), *Path(name).parents[:-1]):
            there = folder / part
            if there.is_symlink() or (there.exists() and (str(part) in files or there.is_file())):
                raise UserError(f"{there} is in the way; start the project in an empty folder")
    written: list[Path] = []
    try:
        for name, text in files.items():
            write_text(folder / name, text)
            written.append(folder / name)
    except BaseException:  # a full disk: nothing of it is left
        for path in written:
            path.unlink(missing_ok=True)
        raise
    return sum(name.startswith("methods/") and name[8] != "_" for name in files)


def new_method(root: Path, name: str) -> None:
    """Write methods/NAME.py from the template; UserError for a bad name or an existing file."""
    if not name.isidentifier() or keyword.iskeyword(name) or name.startswith("_"):
        raise UserError(f"'{name}' is not a valid module name; use letters, digits and _")
    path = root / "methods" / f"{name}.py"
    if path.exists():
        raise UserError(f"methods/{name}.py already exists; choose another name")
    text = (Path(__file__).parent / "method_template.py").read_text(encoding="utf-8")
    text = text.replace("MyMethod", "".join(part.capitalize() for part in name.split("_")))
    text = text.replace("my_method", name)
    words = name.replace("_", " ").strip()
    write_text(path, text.replace("My method", words[0].upper() + words[1:]))


def write_code(root: Path) -> None:
    """Write results/code.json: the version of the installed code and a digest for each stage."""
    package = Path(__file__).parents[1]
    tables = sorted((package / "data" / "reference").glob("*.csv"))
    facts = {path.name: file_digest(path) for path in tables}
    digests: dict[str, str] = {}
    for path in sorted((package / "pipeline" / "stages").glob("[!_]*.py")):
        used = code_files(path, package.parent)
        data = facts if package / "data" / "reference" / "__init__.py" in used else {}
        digests[path.stem] = digest([code_digest(path, package.parent), data])
    write_json(root / CODE, {"bench": __version__, **digests})


def _files() -> Iterator[tuple[str, str]]:
    """Yield path → text of a new project: the wheel's own copies, or the checkout's files."""
    package = Path(__file__).parents[1]
    home = package / "starter" if (package / "starter").is_dir() else package.parent
    for name in PLAIN:
        yield name, (home / name).read_text(encoding="utf-8")
    yield "dvc.yaml", pipeline((home / "dvc.yaml").read_text(encoding="utf-8"))
    for path in sorted((home / "methods").glob("[!.]*.py")):
        yield f"methods/{path.name}", path.read_text(encoding="utf-8")


def pipeline(text: str) -> str:
    """Return a checkout's dvc.yaml with the digests of code.json in place of its modules."""
    safe = YAML(typ="safe", pure=True)
    safe.default_flow_style, safe.width, safe.allow_unicode = False, 100, True
    safe.sort_base_mapping_type_on_output = False  # type: ignore[assignment]
    whole: Any = safe.load(text)
    code = {
        "desc": "the digests of the installed code, looked at every time",
        "cmd": "bench stage code",
        "always_changed": True,
        "outs": [{CODE: {"cache": False}}],
    }
    stages = {"code": code}
    for name, stage in whole["stages"].items():
        deps = [dep for dep in stage.pop("deps", ()) if not dep.startswith("bench/")]
        params = [*stage.get("params", ()), {CODE: [name]}]
        stages[name] = {**stage, "params": params, **({"deps": deps} if deps else {})}
    out = io.StringIO()
    safe.dump({**whole, "stages": stages}, out)
    return _HEAD + out.getvalue()
