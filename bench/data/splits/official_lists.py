"""Read the official test lists of a data set from the released folder or archive.

UCF101: ``testlist01.txt`` to ``03``, one "Class/video.avi" per line. HMDB51:
``<class>_test_split1.txt`` to ``3``, one "video.avi FLAG" per line: 1 training, 2 test, 0 neither.
"""

import re
import tarfile
import zipfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path, PurePosixPath

from bench.data.reference.class_names import finder
from bench.errors import UserError
from bench.utils.io import DAMAGED

LARGEST = 1 << 24  # bytes of one list; the released ones have 200,000
_UCF = re.compile(r"testlist0([123])\.txt")
_HMDB = re.compile(r"([^.].*)_test_split([123])\.txt")


def video_name(path: str) -> str:
    """Return the name of a video as in the lists: its file name without folder and suffix."""
    return PurePosixPath(path).stem


def read_lists(path: Path, dataset: str, classes: Sequence[str]) -> list[list[str]]:
    """Return the video names of the three test lists.

    ``path`` is a folder (searched recursively), .zip or .tar(.gz). Raises UserError for a missing
    or damaged file, an archive with a path that leads out of it, an unknown class, a video that is
    listed twice, and a list without one of the classes.
    """
    find = finder(f"class of {dataset}", classes)
    tests: list[dict[str, str]] = [{}, {}, {}]  # video name -> class
    try:
        for file, text in _texts(path):
            for number, name, video in _entries(file, text, path):
                try:
                    known = find(name)
                except UserError as error:
                    raise UserError(f"{path}: {file}: {error}") from None
                if video in tests[number]:
                    raise UserError(f"{path}: {file}: '{video}' is listed twice")
                tests[number][video] = known
    except (*DAMAGED, tarfile.TarError) as error:
        raise UserError(f"{path}: cannot be read as lists ({error})") from None
    for number, listed in enumerate(tests, 1):
        lacking = sorted(set(classes) - set(listed.values()))
        if not listed:
            raise UserError(
                f"{path}: no test list {number} of {dataset} (testlist0{number}.txt, or "
                f"CLASS_test_split{number}.txt); point 'lists' to the released lists"
            )
        if lacking:
            raise UserError(f"{path}: test list {number} has no video of '{lacking[0]}'")
    return [sorted(listed) for listed in tests]


def _entries(file: str, text: str, path: Path) -> Iterator[tuple[int, str, str]]:
    """Yield (index of the list, class, video name) of one file's test videos."""
    ucf, hmdb = _UCF.fullmatch(file), _HMDB.fullmatch(file)
    for number, line in enumerate(filter(None, map(str.strip, text.splitlines())), 1):
        folder, slash, video = line.partition("/")
        *words, flag = line.rsplit(maxsplit=1)
        if ucf and slash and video:
            yield int(ucf[1]) - 1, folder, video_name(video)
        elif hmdb and words and flag in ("0", "1", "2"):
            if flag == "2":
                yield int(hmdb[2]) - 1, hmdb[1], video_name(words[0])
        else:
            raise UserError(f"{path}: {file}: entry {number} is no line of a test list: '{line}'")


def _texts(path: Path) -> Iterator[tuple[str, str]]:
    """Yield name and text of each list; an archive is never unpacked to disk."""
    if path.is_dir():
        for file in sorted(path.rglob("*.txt")):
            if _is_list(file.name):
                yield file.name, file.read_text(encoding="utf-8")
    elif not path.is_file():
        raise UserError(
            f"test lists {path} are missing; point 'lists' to the folder or archive of the data "
            "set's release (UCF101TrainTestSplits-RecognitionTask.zip, test_train_splits of HMDB51)"
        )
    elif zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            yield from _members(archive.namelist(), lambda name: _unzipped(archive, name), path)
    else:
        with tarfile.open(path) as tar:
            inside = {member.name: member for member in tar.getmembers()}
            yield from _members(list(inside), lambda name: _extracted(tar, inside[name]), path)


def _unzipped(archive: zipfile.ZipFile, name: str) -> bytes:
    with archive.open(name) as handle:
        return handle.read(LARGEST + 1)


def _extracted(tar: tarfile.TarFile, member: tarfile.TarInfo) -> bytes:
    handle = tar.extractfile(member) if member.isfile() else None
    if handle is None:
        raise ValueError(f"'{member.name}' is not a plain file")
    return handle.read(LARGEST + 1)


def _members(
    names: Sequence[str], read: Callable[[str], bytes], path: Path
) -> Iterator[tuple[str, str]]:
    for name in names:
        inner = PurePosixPath(name.replace("\\", "/"))
        if inner.is_absolute() or ".." in inner.parts:
            raise UserError(f"{path}: its path '{name}' leads out of the archive; not read")
    for name in sorted(names):
        if _is_list(PurePosixPath(name).name):
            data = read(name)
            if len(data) > LARGEST:  # a few bytes may unpack to more than the memory
                raise UserError(f"{path}: '{name}' is larger than any test list; not read")
            yield PurePosixPath(name).name, data.decode("utf-8")


def _is_list(name: str) -> bool:
    return bool(_UCF.fullmatch(name) or _HMDB.fullmatch(name))
