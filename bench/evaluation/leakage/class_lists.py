"""Class lists of what networks are pre-trained on: public data sets, torchvision's, a file's."""

from dataclasses import dataclass
from pathlib import Path

from bench.data import reference as facts
from bench.errors import UserError, unknown


@dataclass(frozen=True)
class ClassList:
    """What something was trained on; ``names`` is None where nobody can list its classes."""

    title: str
    names: tuple[str, ...] | None
    why: str = ""  # of names that are not known


def class_list(name: str, root: Path) -> ClassList:
    """Return a list by its name in ``bench/data/reference`` (kinetics400, imagenet1k, coco, …).

    A name that ends in .txt is a file under ``root``, one class a line. UserError: neither.
    """
    if name.endswith(".txt"):
        return ClassList(Path(name).stem, _lines(root / name))
    if name in facts.class_lists():
        return ClassList(name, tuple(facts.classes(name)))
    rows = {row["name"]: row for row in facts.table("pretraining.csv")}
    if name not in rows:
        known = {*rows, *facts.class_lists()}
        raise unknown("pre-training data set in 'pretrained' of the profile", name, known)
    row = rows[name]
    if not row["classes"]:
        return ClassList(row["title"], None, row["note"])
    return ClassList(row["title"], _of_torchvision(row["classes"]))


def _of_torchvision(entry: str) -> tuple[str, ...]:
    what, _, model = entry.partition(" ")
    if what == "classifier":
        from bench.features.classifier import categories

        return tuple(categories(model))
    if what == "detector":
        from bench.features.detector import categories as detected

        return tuple(detected(model))
    return ()


def _lines(path: Path) -> tuple[str, ...]:
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"class list {path}: cannot be read ({error})") from None
    names = tuple(line.strip() for line in lines if line.strip())
    if not names:
        raise UserError(f"class list {path} is empty; write one class a line")
    return names
