"""The official test lists: as they were released, from a folder or an archive."""

import io
import tarfile
import zipfile
from pathlib import Path

import pytest

from bench.data import reference as facts
from bench.data.splits.official_lists import read_lists, video_name
from bench.errors import UserError

UCF = {
    f"testlist0{k}.txt": f"Run/v_Run_g0{k}_c01.avi\r\nWalk/v_walk_{k}.avi\r\n" for k in (1, 2, 3)
}
UCF_NAMES = [[f"v_Run_g0{k}_c01", f"v_walk_{k}"] for k in (1, 2, 3)]
ODD = "(HQ)_300+_Yards!!! & more_run_1"  # a name as HMDB51 has them
HMDB = {
    f"{name}_test_split{k}.txt": f"{ODD}_{name}{k}.avi 2 \nx_{name}.avi 1\ny.avi 0 \n\n"
    for k in (1, 2, 3)
    for name in ("run", "walk")
}


def folder(root: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        path = root / "lists" / "below" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text.encode())
    return root / "lists"


def zipped(root: Path, files: dict[str, str]) -> Path:
    with zipfile.ZipFile(root / "lists.zip", "w") as archive:
        for name, text in files.items():
            archive.writestr(f"below/{name}", text)
        archive.writestr("__MACOSX/._run_test_split1.txt", "not a list")
    return root / "lists.zip"


def tarred(root: Path, files: dict[str, str], below: str = "below/") -> Path:
    with tarfile.open(root / "lists.tar.gz", "w:gz") as archive:
        for name, text in files.items():
            member = tarfile.TarInfo(f"{below}{name}")
            member.size = len(text.encode())
            archive.addfile(member, io.BytesIO(text.encode()))
    return root / "lists.tar.gz"


@pytest.mark.parametrize("make", [folder, zipped, tarred])
def test_lists_of_both_forms_wherever_they_are(tmp_path: Path, make: object) -> None:
    path = make(tmp_path, UCF)  # type: ignore[operator]
    assert read_lists(path, "tiny", ["run", "walk"]) == UCF_NAMES
    for file in tmp_path.rglob("*.*"):
        file.unlink()
    path = make(tmp_path, HMDB)  # type: ignore[operator]
    names = [[f"{ODD}_run{k}", f"{ODD}_walk{k}"] for k in (1, 2, 3)]
    assert read_lists(path, "tiny", ["run", "walk"]) == names


def test_video_names_have_no_folder_and_no_suffix() -> None:
    assert video_name(f"run/{ODD}.avi") == video_name(ODD) == ODD


@pytest.mark.parametrize(
    ("changed", "wrong"),
    [
        (
            {"testlist01.txt": "Rnu/v.avi\n"},
            "testlist01.txt: unknown class of tiny 'Rnu'; known: run",
        ),
        ({"testlist02.txt": "Run/v.avi\n"}, "test list 2 has no video of 'walk'"),
        ({"testlist03.txt": ""}, "no test list 3 of tiny"),
        ({"testlist03.txt": "Run/v.avi\nWalk/v.avi"}, "testlist03.txt: 'v' is listed twice"),
        ({"testlist03.txt": "Run v.avi 1"}, "entry 1 is no line of a test list: 'Run v.avi 1'"),
        ({"run_test_split1.txt": "v.avi 3"}, "entry 1 is no line of a test list: 'v.avi 3'"),
        ({"testlist03.txt": "../v.avi"}, "unknown class"),
    ],
)
def test_wrong_lists(tmp_path: Path, changed: dict[str, str], wrong: str) -> None:
    with pytest.raises(UserError, match=wrong) as error:
        read_lists(folder(tmp_path, UCF | changed), "tiny", ["run", "walk"])
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("below", ["../", "a/../../", "/", "..\\"])
def test_a_path_that_leads_out_of_the_archive(tmp_path: Path, below: str) -> None:
    with pytest.raises(UserError, match="leads out of the archive"):
        read_lists(tarred(tmp_path, UCF, below), "tiny", ["run", "walk"])


def test_a_link_in_an_archive_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("Run/v.avi")
    with tarfile.open(tmp_path / "lists.tar.gz", "w:gz") as archive:
        link = tarfile.TarInfo("testlist01.txt")
        link.type, link.linkname = tarfile.SYMTYPE, str(tmp_path / "secret")
        archive.addfile(link)
    with pytest.raises(UserError, match=r"'testlist01.txt' is not a plain file"):
        read_lists(tmp_path / "lists.tar.gz", "tiny", ["run", "walk"])


@pytest.mark.parametrize("name", ["lists.tar.gz", "lists.zip"])
def test_a_damaged_or_absent_archive(tmp_path: Path, name: str) -> None:
    with pytest.raises(UserError, match="are missing; point 'lists'"):
        read_lists(tmp_path / name, "tiny", ["run"])
    path = (tarred if name.endswith("gz") else zipped)(tmp_path, UCF)
    path.write_bytes(path.read_bytes()[:120])
    with pytest.raises(UserError, match="cannot be read as lists"):
        read_lists(path, "tiny", ["run"])


@pytest.mark.parametrize(
    ("dataset", "path", "sizes"),
    [
        ("ucf101", "ucf101", [3783, 3734, 3696]),
        ("hmdb51", "hmdb51/testTrainMulti_7030_splits.tar.gz", [1530] * 3),
    ],
)
def test_released_lists(shared_data: Path, dataset: str, path: str, sizes: list[int]) -> None:
    lists = read_lists(shared_data / "splits" / path, dataset, list(facts.classes(dataset)))
    assert [len(listed) for listed in lists] == sizes
    videos = {video_name(p.name) for p in (shared_data / "videos" / dataset).iterdir()}
    assert dataset == "hmdb51" or videos & set(lists[0])
