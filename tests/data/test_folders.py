"""The layouts in which data sets lie on disks, and what is wrong with some."""

import os
from pathlib import Path

import pytest

from bench.data.folders import find_videos
from bench.errors import UserError

ID = "-wXLpQR_y0c"  # as YouTube's are: they may begin with - and hold _
KINETICS = "label,youtube_id,time_start,time_end,split\n"


def touch(root: Path, *paths: str) -> None:
    for path in paths:
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_bytes(b"x")


def found(name: str, root: Path, *lists: Path) -> list[tuple[str, str, str]]:
    rows = find_videos(name, root, lists).rows
    return list(rows[["path", "class", "split"]].itertuples(index=False, name=None))


def csv(root: Path, text: str, name: str = "list.csv") -> Path:
    file = root.parent / name
    file.write_text(text)
    return file


def test_ucf101_in_class_folders_of_any_spelling_and_flat(root: Path) -> None:
    touch(root, "Handstand_pushups/v_HandStandPushups_g01_c01.avi", "v_HandStandPushups_g1_c2.avi")
    touch(root, "UCF-101/Biking/a.AVI", "UCF-101/Biking/._a.avi", "Biking/readme.txt")
    assert found("ucf101", root) == [
        ("Handstand_pushups/v_HandStandPushups_g01_c01.avi", "HandstandPushups", ""),
        ("UCF-101/Biking/a.AVI", "Biking", ""),
        ("v_HandStandPushups_g1_c2.avi", "HandstandPushups", ""),
    ]


def test_hmdb51_with_odd_names(root: Path) -> None:
    name = "climb/(HQ)_Golf 300+_Yards!!!_&_more_climb_f_cm_np1_le_med_2.avi"
    touch(root, name)
    assert found("hmdb51", root) == [(name, "climb", "")]


def test_kinetics_in_split_folders(root: Path) -> None:
    clip = f"{ID}_000005_000015.mp4"
    touch(root, f"train/air_drumming/{clip}", f"val_not/abseiling/{clip}", f"val/abseiling/{clip}")
    assert found("kinetics400", root) == [
        (f"train/air_drumming/{clip}", "air drumming", "train"),
        (f"val/abseiling/{clip}", "abseiling", "val"),
        (f"val_not/abseiling/{clip}", "abseiling", ""),
    ]


def test_kinetics_flat_by_the_official_lists(root: Path) -> None:
    touch(root, f"train/{ID}_000005_000015.mp4", "x/___________-000001_000002.mp4")
    touch(root, f"{ID}_000105_000115.mkv")
    train = csv(root, f"{KINETICS}abseiling,{ID},5,15,train\n", "a.csv")
    val = csv(root, f"{KINETICS}archery,{ID},105,115,validate\nyoga,NaN_absent_,1,11,validate\n")
    result = find_videos("kinetics700", root, [train, val])
    assert found("kinetics700", root, train, val) == [
        (f"{ID}_000105_000115.mkv", "archery", "val"),
        (f"train/{ID}_000005_000015.mp4", "abseiling", "train"),
    ]
    assert result.notes == [
        "left out, files without a row in the lists: 1 (x/___________-000001_000002.mp4)",
        "rows of the lists without a file: 1 (NaN_absent__000001_000011)",
        "classes without a video: 698 (acting in play, adjusting glasses, air drumming, …)",
    ]


def test_a_clip_of_two_classes_goes_by_its_folder(root: Path) -> None:
    touch(root, f"yoga/{ID}_000000_000010.mp4", f"{ID}_000000_000010.mp4")
    rows = csv(root, f"{KINETICS}yoga,{ID},0,10,train\nzumba,{ID},0,10,train\n")
    result = find_videos("kinetics400", root, [rows])
    assert list(result.rows["class"]) == ["yoga"]
    assert "rows of several classes in the lists: 1 (-wXL" in result.notes[0]


def test_activitynet_by_ids(root: Path) -> None:
    touch(root, f"v1-2/v_{ID}.mp4", "v1-3/v_bbbbbbbbbbb.mkv")
    rows = f"youtube_id,label,subset\n{ID},Archery,training\n{ID},Archery,training\n"
    rows = rows.replace("subset", "split") + "bbbbbbbbbbb,Yodel,\n".replace("Yodel", "")
    result = find_videos("activitynet200", root, [csv(root, rows)])
    assert list(result.rows["class"]) == ["Archery"]
    assert list(result.rows["split"]) == ["train"]
    assert "rows of the lists without a class: 1 (bbbbbbbbbbb)" in result.notes


def test_activitynet_by_segments(root: Path) -> None:
    touch(root, f"v_{ID}.mp4")
    rows = csv(root, f"{KINETICS}Archery,{ID},1.5,9.2,\nArchery,{ID},20.5,39.2,validation\n")
    result = find_videos("activitynet200", root, [rows])
    assert len(result.rows) == 1
    assert not any("without a file" in note for note in result.notes)


def test_a_plain_list(root: Path) -> None:
    touch(root, "a b/one.mp4", "two.bin", "extra.mp4")
    rows = csv(root, "path,class,split\n./a b//one.mp4, x ,test\ntwo.bin,y,\nabsent.mp4,y,\n")
    assert found("mine", root, rows) == [
        ("a b/one.mp4", "x", "test"),
        ("absent.mp4", "y", ""),
        ("two.bin", "y", ""),
    ]
    notes = find_videos("mine", root, [rows]).notes
    assert notes == ["left out, files without a row in the lists: 1 (extra.mp4)"]


def test_folders_of_a_data_set_of_ones_own_are_its_classes(root: Path) -> None:
    touch(root, "été/a.mp4", "b.d/c.webm", "none/notes.txt")
    assert found("mine", root) == [("b.d/c.webm", "b.d", ""), ("été/a.mp4", "été", "")]
    assert find_videos("mine", root).notes == ["folders without a video: 1 (none)"]


@pytest.mark.parametrize("other", ["jump_rope", "JUMP ROPE", "jump-rope"])
def test_two_spellings_are_not_two_classes(root: Path, other: str) -> None:
    touch(root, "train/Jump Rope/a.mp4", f"test/{other}/b.mp4")
    with pytest.raises(UserError, match=rf"'Jump Rope' and '{other}' are two spellings of one|"
                       rf"'{other}' and 'Jump Rope' are two spellings of one"):  # fmt: skip
        find_videos("mine", root)


def test_a_name_that_is_nearly_a_public_one_is_said(root: Path) -> None:
    touch(root, "Bikng/a.avi")
    note = find_videos("ucf110", root).notes[0]
    assert note.startswith("unknown class list 'ucf110'; did you mean 'ucf101'?")


def test_a_folder_that_no_class_is_called(root: Path) -> None:
    touch(root, "Bikng/a.avi")
    (root / "Empty").mkdir()
    with pytest.raises(UserError, match=r"videos/Bikng holds .* mean 'Biking'\?; rename it"):
        find_videos("ucf101", root)


def test_links_are_followed_where_they_are_found_and_loops_end(root: Path, tmp_path: Path) -> None:
    touch(tmp_path, "else/a.mp4", "else/b.bin")
    (root / "x").symlink_to(tmp_path / "else")
    (root / "x" / "again").symlink_to(root)
    assert ("x/a.mp4", "x", "") in found("mine", root)
    with pytest.raises(UserError, match=r"'x/b\.bin' of a list leads out of"):
        find_videos("mine", root, [csv(root, "path,class\nx/b.bin,1\n")])


def test_names_that_are_not_utf8_are_counted(root: Path) -> None:
    touch(root, "Biking/a.avi")
    Path(os.fsdecode(bytes(root / "Biking") + b"/\xff\n.avi")).write_bytes(b"x")
    result = find_videos("ucf101", root)
    assert len(result.rows) == 1
    assert result.notes[0] == (
        r"left out, file names that are not UTF-8 (rename them): 1 (Biking/\udcff\n.avi)"
    )


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("path,class\n/etc/passwd,Biking\n", "'/etc/passwd' leads out of the root"),
        ("path,class\na/../../b.avi,Biking\n", "leads out of the root"),
        ("path,class\n,Biking\n", "'' leads out of the root"),
        ("path,class\na.avi,Biking\na.avi,Diving\n", "'a.avi' has two classes"),
        ("path,class\na.avi,Bikng\n", "did you mean 'Biking'"),
        ("path,class,split\na.avi,Biking,trian\n", "unknown split 'trian'; did you mean 'train'"),
        ("path,label\na.avi,Biking\n", "columns path, label; it needs path and class, or"),
        ("path,Path,class\na.avi,b.avi,Biking\n", "line 1 has the column 'path' twice"),
        ("path,class,class\na.avi,Biking,Diving\n", "line 1 has the column 'class' twice"),
        (f"{KINETICS}Biking,{ID},5,,train\n", "line 2 has no number of seconds"),
        (f"{KINETICS}Biking,{ID},5,9,\nBiking,{ID},inf,9,\n", "line 3 has no number of seconds"),
        (f"{KINETICS}Biking,{ID},5,1e300,\n", "line 2 has no number of seconds"),
        ("", "cannot be read as CSV"),
        ("path,class\nb.avi,Biking,3,4\n", "cannot be read as CSV"),
        (None, "is missing"),
    ],
)
def test_lists_that_cannot_be_used(root: Path, text: str | None, named: str) -> None:
    touch(root, "Biking/a.avi")
    file = root.parent / "absent.csv" if text is None else csv(root, text)
    with pytest.raises(UserError) as error:
        find_videos("ucf101", root, [file])
    assert named in str(error.value) and file.name in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("head", [KINETICS, "path,class\n"])
def test_a_list_without_a_line(root: Path, head: str) -> None:
    touch(root, "Biking/a.avi")
    with pytest.raises(UserError, match=r"no videos in .*files without a row in the lists: 1"):
        find_videos("ucf101", root, [csv(root, head)])


def test_columns_that_are_not_read_may_stand_twice(root: Path) -> None:
    touch(root, "a.avi")
    assert found("ucf101", root, csv(root, "path,class,,,n,n\na.avi,Biking,,,1,2\n"))


def test_no_videos_and_no_folder(root: Path) -> None:
    touch(root, "flat.mp4")
    with pytest.raises(UserError, match=r"no videos in .*left out, files without a class folder"):
        find_videos("kinetics400", root)
    with pytest.raises(UserError, match=r"folder .*absent is missing .*root in params\.yaml"):
        find_videos("kinetics400", root / "absent")
