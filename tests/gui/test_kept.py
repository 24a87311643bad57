"""The folder of networks that are kept when their lab is closed: names, listing, and what is removed when."""

from __future__ import annotations

import os
from pathlib import Path

from gui import kept
from gui.settings import Settings

DAY = 86_400


def put(folder: Path, lab: str, step: int, size: int, age: float) -> Path:
    path = kept.place_for(folder, lab, step)
    path.write_bytes(bytes(size))
    os.utime(path, (1e9 - age, 1e9 - age))
    return path


def test_every_file_has_a_name_of_its_own_that_says_lab_and_step(tmp_path: Path) -> None:
    folder = tmp_path / "not" / "there" / "yet"
    places = {kept.place_for(folder, "my-own_lab", 1030) for _ in range(50)}
    assert len(places) == 50
    for path in places:
        path.write_bytes(b"12345")
    found = kept.listing(folder)
    assert {file.path for file in found} == places
    assert {(file.lab_id, file.step, file.size) for file in found} == {("my-own_lab", 1030, 5)}


def test_the_latest_comes_first_and_other_files_are_left_alone(tmp_path: Path) -> None:
    assert kept.listing(tmp_path / "absent") == ()
    (tmp_path / "mine.deepscope").write_bytes(b"precious")
    (tmp_path / ".gpt-step1-20260101-000000-abcdef.deepscope.part").write_bytes(b"half")
    old, new = put(tmp_path, "gpt", 5, 10, 2 * DAY), put(tmp_path, "lenet", 7, 10, DAY)
    assert [file.path for file in kept.listing(tmp_path)] == [new, old]
    kept.expire(tmp_path, now=1e9 + 10_000 * DAY)
    assert sorted(path.name[:5] for path in tmp_path.iterdir()) == [".gpt-", "mine."]


def test_only_what_is_older_than_the_stated_time_expires(tmp_path: Path) -> None:
    young = put(tmp_path, "gpt", 1, 1, (kept.KEEP_DAYS - 1) * DAY)
    old = put(tmp_path, "gpt", 2, 1, (kept.KEEP_DAYS + 1) * DAY)
    kept.expire(tmp_path, now=1e9)
    assert young.exists()
    assert not old.exists()


def test_beyond_the_limit_the_oldest_are_named_and_nothing_is_removed_by_itself(tmp_path: Path) -> None:
    paths = [put(tmp_path, "gpt", step, 100, age) for step, age in ((1, 30), (2, 20), (3, 10))]
    files = kept.listing(tmp_path)
    assert kept.beyond(files, 300) == ()
    assert [file.step for file in kept.beyond(files, 299)] == [1]
    assert {file.step for file in kept.beyond(files, 10)} == {1, 2}  # the latest stays, however large
    assert all(path.exists() for path in paths)
    kept.remove(kept.beyond(files, 200))
    assert [path.exists() for path in paths] == [False, True, True]


def test_the_folder_lies_beside_the_autosaves(settings: Settings) -> None:
    assert settings.kept_folder == settings.autosave_folder.with_name("kept")
    assert settings.kept_limit == 2048
    settings.kept_limit = 700
    assert settings.kept_limit == 512
    assert not settings.train_in_background
    settings.train_in_background = True
    assert settings.train_in_background
