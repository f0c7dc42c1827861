"""Run the fast tests of changed files: ``python tests/changed.py FILE…``, as pre-commit does.

tests/ mirrors bench/: bench/data/video/decode.py is tested by tests/data/video/test_decode.py;
where no file has that name, by every test that imports the module, else by all of the folder.
"""

import re
import sys
from collections.abc import Iterable
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PIPELINE = ("tests/test_pipeline.py", "tests/config/test_profile.py")
EVERY_PAGE = tuple(f"tests/docs/test_{n}.py" for n in ("site", "commands_shown", "generated_pages"))
OF_PAGES = {
    "README.md": ("tests/docs/test_front_page.py", "tests/test_readme.py"),
    "docs/tutorial.md": ("tests/docs/test_tutorial.py",),
    "docs/data-sets/": ("tests/docs/test_data_sets.py",),
    "docs/real-run.md": ("tests/test_real_run.py",),
    "docs/results.md": ("tests/test_readme.py",),
}


def tests_of(file: str) -> set[str]:
    """Return the paths of the tests of one file, both relative to the root; maybe none."""
    path = Path(file)
    top = path.parts[0]
    if top == "bench":
        return _of_module(path)
    if top == "methods" and path.suffix == ".py":
        own = _existing(f"tests/methods/test_{path.stem}.py")
        return own | _existing("tests/training/test_method_check.py")
    if top == "tests" and path.suffix == ".py":
        return _of_test(path)
    if file in ("dvc.yaml", "params.yaml"):
        return _existing(*PIPELINE)
    if path.suffix == ".md" or top == "docs":
        own = {one for start, some in OF_PAGES.items() if file.startswith(start) for one in some}
        return _existing(*EVERY_PAGE, *own)
    if len(path.parts) == 1 or top in (".github", ".devcontainer"):
        return _existing("tests/docs/test_project_files.py")
    return set()


def _of_module(path: Path) -> set[str]:
    inner = Path(*path.parts[1:])
    folder = Path("tests") / inner.parent
    if path.suffix != ".py":
        return _existing(str(folder))
    named = {str(p.relative_to(ROOT)) for p in (ROOT / folder).glob(f"test_{path.stem}*.py")}
    if named:
        return named
    module = ".".join(path.with_suffix("").parts).removesuffix(".__init__")
    importing = _importing(rf"(?:from|import) {re.escape(module)}\b")
    if importing or inner.parent == Path():
        return importing
    return _existing(str(folder))


def _of_test(path: Path) -> set[str]:
    if path.name.startswith("test_"):
        return _existing(str(path))
    if path.name == "conftest.py":
        return _existing(str(path.parent)) if path.parent != Path("tests") else set()
    return _importing(rf"(?:from|import) (?:\w+\.)*{path.stem}\b")


def _importing(pattern: str) -> set[str]:
    files = (ROOT / "tests").rglob("test_*.py")
    return {str(p.relative_to(ROOT)) for p in files if re.search(pattern, p.read_text("utf-8"))}


def _existing(*files: str) -> set[str]:
    return {file for file in files if (ROOT / file).exists()}


def main(files: Iterable[str]) -> int:
    """Run the tests of the files; 0 if they pass or there are none."""
    import pytest

    chosen = sorted(set().union(*map(tests_of, files)))
    if not chosen:
        print("no tests belong to these files")
        return 0
    code = int(pytest.main(["-m", "not slow", *chosen]))
    return 0 if code == pytest.ExitCode.NO_TESTS_COLLECTED else code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
