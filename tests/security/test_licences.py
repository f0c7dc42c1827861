"""docs/licences.md names every locked package with a licence."""

import re

from project import ROOT


def test_every_locked_package_has_a_line() -> None:
    lock = (ROOT / "requirements.lock").read_text(encoding="utf-8")
    page = (ROOT / "docs" / "licences.md").read_text(encoding="utf-8")
    locked = set(re.findall(r"^([\w.-]+)==([^ ;\\]+)", lock, re.MULTILINE))
    listed = re.findall(r"^\| ([\w.-]+) \| ([^|]+) \| ([^|]+) \|$", page, re.MULTILINE)
    listed = [row for row in listed if row[0] != "package"]
    assert locked
    assert {(name, version) for name, version, _ in listed} == locked, "run 'make licences'"
    assert all(stated.strip() for *_, stated in listed)
