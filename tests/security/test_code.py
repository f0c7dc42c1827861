"""What the source must not contain: ways to run data as code, and ways to the network."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest
from project import ROOT

FILES = sorted([*ROOT.glob("bench/**/*.py"), *ROOT.glob("methods/*.py")])
NEVER = {
    "eval", "exec", "compile", "__import__", "os.system", "os.popen", "pickle.load", "pickle.loads",
    "pickle.Unpickler", "marshal.loads", "marshal.load", "shelve.open", "dill.load", "joblib.load",
    "pd.read_pickle", "pandas.read_pickle", "yaml.load", "yaml.unsafe_load", "urlopen",
    "torch.hub.load", "torch.jit.load", "KeyedVectors.load", "Word2Vec.load", "tarfile.extractall",
    "shutil.unpack_archive",
}  # fmt: skip
# The import of a method is the user's own code (docs/security.md); a pickle's *errors* are caught.
MODULES = {"pickle", "marshal", "shelve", "dill", "joblib", "requests", "urllib", "httpx", "socket"}
CATCHES_ERRORS = {"bench/pipeline/released_checkpoints.py", "bench/features/image_classifiers.py"}
# What `git archive` makes of a commit of this repository: code that is trusted anyway.
UNPACKS = {"bench/pipeline/verify/clean_tree.py"}


def calls(path: Path) -> Iterator[tuple[str, ast.Call]]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Call):
            yield ast.unparse(node.func), node


def problems(path: Path) -> Iterator[str]:
    trusted = path in {ROOT / one for one in UNPACKS}
    for name, call in calls(path):
        words = {one.arg: ast.unparse(one.value) for one in call.keywords}
        last = name.rpartition(".")[2]
        unpacks = last in {"extractall", "unpack_archive"} and not trusted
        if name in NEVER or unpacks or name == "yaml.load":
            yield f"{call.lineno} {name}"
        if name == "np.load" and words.get("allow_pickle") != "False":
            yield f"{call.lineno} np.load without allow_pickle=False"
        if name == "torch.load" and words.get("weights_only") != "True":
            yield f"{call.lineno} torch.load without weights_only=True"
        if name == "YAML" and words.get("typ") != "'safe'":
            yield f"{call.lineno} YAML without typ='safe'"
        if words.get("shell", "False") != "False":
            yield f"{call.lineno} shell"
        kept = {"trust_remote_code": "False", "local_files_only": "True"}
        if last == "from_pretrained" and not (None in words or kept.items() <= words.items()):
            yield f"{call.lineno} from_pretrained without the safe arguments"


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_no_data_is_run_as_code(path: Path) -> None:
    assert not list(problems(path))
    tree = ast.parse(path.read_text(encoding="utf-8"))
    imported = {
        name if name == "urllib.parse" else name.split(".")[0]  # that one asks no network
        for node in ast.walk(tree)
        if isinstance(node, (ast.Import, ast.ImportFrom))
        for name in (
            [alias.name for alias in node.names]
            if isinstance(node, ast.Import)
            else [node.module or ""]
        )
    }
    allowed = {"pickle"} if str(path.relative_to(ROOT)) in CATCHES_ERRORS else set()
    assert not imported & MODULES - allowed


def test_the_check_finds_what_it_looks_for(tmp_path: Path) -> None:
    file = tmp_path / "bad.py"
    file.write_text(
        "eval('1')\nnp.load(f)\ntorch.load(f)\nYAML()\nsubprocess.run(x, shell=True)\n"
        "tar.extractall()\npickle.loads(b)\nM.from_pretrained(d)\nnp.load(f, allow_pickle=True)\n",
        encoding="utf-8",
    )
    assert [int(one.split()[0]) for one in problems(file)] == list(range(1, 10))
