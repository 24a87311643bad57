"""Texts, tables, the catalogue's command, and the line that describes a set before it is loaded."""

from __future__ import annotations

import hashlib
import re
import zipfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from engine.data import Cancelled, DataError, catalogue, describe_data, kind_of, load_table, load_text, tables
from engine.data.__main__ import main
from engine.data.reading import watched
from engine.data.stories import HEROES, write_stories

RealData = Callable[[str], Path]
PROSE = "The fog lay on the river. " * 40


# ------------------------------------------------------------------ texts


def test_the_bundled_text_is_the_same_everywhere() -> None:
    text = load_text("bundled")
    assert text is load_text("bundled")
    assert 200_000 <= len(text) < 202_000
    digest = hashlib.sha256(text.encode()).hexdigest()
    assert digest == "217f5edd34b5f5923897fad8159da44c8076d867b8475b01383c6a1f90dbdbd1"
    assert write_stories(1000, seed=8) != write_stories(1000, seed=7)


def test_the_bundled_text_is_english_and_varied() -> None:
    text = load_text("bundled")
    stories = text.strip().split("\n\n")
    assert len(set(stories)) == len(stories) > 300
    assert set(text) <= set('\n !",.?ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz')
    assert len(set(re.findall(r"[a-z]+", text.lower()))) > 400
    assert not re.search(r"\b[Aa] [aeiou]|\b[Aa]n (?!hour)[^aeiou]", text)
    assert not re.search(r"[.?!] [a-z]|  | [.,?!]|[{}]|\.\.", text)
    for story in stories:
        assert story[0].isupper()
        assert re.search(r'[.!?]"?$', story)
        assert story.count('"') % 2 == 0
        assert sum(bool(re.search(rf"\b{hero}\b", story)) for hero in HEROES) >= 2  # the hero and the friend


def test_shakespeare_is_the_published_text(real_data: RealData) -> None:
    real_data("tinyshakespeare")
    text = load_text("tinyshakespeare")
    assert text.startswith("First Citizen:\nBefore we proceed any further, hear me speak.")
    assert (len(text), len(set(text))) == (1_115_394, 65)


@pytest.mark.parametrize("name", ["alice.txt", "alice.md", "no suffix"])
def test_a_text_of_ones_own(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    path.write_bytes(b"\xef\xbb\xbf" + ("Grüße, 世界\r\n" + PROSE).encode())
    text = load_text(str(path))
    assert text == "Grüße, 世界\n" + PROSE
    assert load_text(str(path)) is text
    path.write_text(PROSE + "And then it was gone.")
    assert load_text(str(path)).endswith("gone.")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "has 0 characters, 0 different; at least 500"),
        (b"Short.", "has 6 characters"),
        (b"a" * 1000, "1 different"),
        (PROSE.encode("utf-16"), "is UTF-16; save it as UTF-8"),
        (b"\x7fELF" + bytes(1000), "is not text: it holds control character 0x00 at position 4"),
        (b"PK\x03\x04" + b"abc" * 1000, "control character 0x03"),
    ],
)
def test_what_is_no_text_is_explained(tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / "mine.txt"
    path.write_bytes(content)
    with pytest.raises(DataError, match=message):
        load_text(str(path))


def test_a_text_in_latin_1_is_read_and_what_is_not_utf_8_is_counted(tmp_path: Path) -> None:
    path = tmp_path / "mine.txt"
    path.write_bytes(("Grüße, naïve Welt\r\n" * 60_000).encode("latin-1"))  # longer than a piece
    with watched(lambda _done, _total: None) as found:
        text = load_text(str(path))
    assert text == "Grüße, naïve Welt\n" * 60_000
    assert found == {"not UTF-8": "180,000 bytes, read as Latin-1"}


def test_a_text_may_not_be_missing_or_a_folder_or_too_large(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="there is no text 'gone'; known are bundled and tinyshakespeare"):
        load_text("gone")
    with pytest.raises(DataError, match="is a folder; a text file is wanted"):
        load_text(str(tmp_path))
    with pytest.raises(DataError, match="MNIST is a set of images; a text is wanted"):
        load_text("mnist")
    with (tmp_path / "huge.txt").open("wb") as file:
        file.truncate(1_000_000_000)  # sparse: takes no room
    for look in (load_text, describe_data):
        with pytest.raises(DataError, match=r"huge\.txt is 1\.0 GB large; at most 50\.0 MB of text"):
            look(str(tmp_path / "huge.txt"))


# ------------------------------------------------------------------ tables


def write(tmp_path: Path, text: str, name: str = "mine.csv") -> Path:
    path = tmp_path / name
    path.write_bytes(text.encode())
    return path


def test_penguins(real_data: RealData) -> None:
    table = load_table(real_data("penguins") / "penguins.csv")
    assert (table.rows, table.bad_rows, len(table.columns)) == (344, 0, 8)
    assert table.columns[:3] == ("species", "island", "bill_length_mm")
    assert set(table.texts) == {"species", "island", "sex"}
    assert set(table.texts["species"]) == {"Adelie", "Gentoo", "Chinstrap"}
    mass = table.numbers["body_mass_g"]
    assert mass.dtype == np.float64
    assert np.isnan(mass[3])
    assert np.nanmean(mass) == pytest.approx(4201.754, abs=1e-3)
    assert table.complete("bill_length_mm", "body_mass_g").sum() == 342
    assert table.complete(*table.columns).sum() == 333
    assert table.notes == ("11 of 344 rows lack a value in some column",)
    assert load_table(real_data("penguins") / "penguins.csv") is table


@pytest.mark.parametrize(
    "text",
    [
        "x,y,label\n1,2.5,a\n-3,4e2,b\n",
        "x;y;label\n1;2,5;a\n-3;400,0;b\n",
        "x\ty\tlabel\n1\t2.5\ta\n-3\t400\tb\n",
        "x\ty\tlabel\n1,0\t2,5\ta\n-3,0\t400,0\tb\n",
        "x|y|label\r\n1|2.5|a\r\n\r\n-3|400|b\r\n",
        "x, y, label\n1, 2.5, a\n-3, 400, b\n",
        '\ufeff"x","y","label"\n"1","2.5","a"\n"-3","400","b"',
    ],
)
def test_the_usual_dialects(tmp_path: Path, text: str) -> None:
    table = load_table(write(tmp_path, text))
    assert table.columns == ("x", "y", "label")
    assert table.numbers["x"].tolist() == [1, -3]
    assert table.numbers["y"].tolist() == [2.5, 400]
    assert table.texts == {"label": ("a", "b")}
    assert (table.rows, table.bad_rows, table.notes) == (2, 0, ())


def test_a_comma_in_a_quoted_number_is_not_taken_for_a_decimal_one(tmp_path: Path) -> None:
    table = load_table(write(tmp_path, 'people,area\n"1,234",5\n"5,678",6\n'))
    assert table.texts["people"] == ("1,234", "5,678")


def test_thousands_between_tabs_are_not_taken_for_fractions(tmp_path: Path) -> None:
    table = load_table(write(tmp_path, "people\tarea\n1,234\t5,5\n5,678\t6\n"))
    assert table.texts["people"] == ("1,234", "5,678")
    assert table.numbers["area"].tolist() == [5.5, 6]
    assert load_table(write(tmp_path, "people;area\n1,234;5,5\n5,678;6\n")).numbers["people"].tolist() == [1.234, 5.678]


def test_without_headings_the_columns_are_numbered(tmp_path: Path) -> None:
    table = load_table(write(tmp_path, "1,2,a\n3,4,b\n"))
    assert table.columns == ("column 1", "column 2", "column 3")
    assert table.rows == 2
    assert load_table(write(tmp_path, "x,,x\n1,2,3\n4,5,6\n")).columns == ("x", "column 2", "x'")


def test_broken_rows_are_counted_and_named(tmp_path: Path) -> None:
    rows = [f"{i},{i * i},{'ab'[i % 2]}" for i in range(40)]
    rows[3] = "1,2"
    rows[7] = "1,2,3,4"
    rows[9] = ",,"
    rows[20] = '"a" b,1,2'
    rows[21] = "5,25,b,"  # a separator too many, but nothing behind it
    rows[30] = 'abc,900,"many\nlines"'
    rows.append('"never closed,1,2')
    table = load_table(write(tmp_path, "x,square,label\n" + "\n".join(rows)))
    assert (table.rows, table.bad_rows) == (36, 5)
    assert table.notes[0] == "5 of 41 rows do not have 3 cells and were left out: line 5, line 9, line 11 …"
    assert table.notes[1] == "x: 1 cells are no numbers and count as missing: 'abc'"
    assert table.notes[2] == "1 of 36 rows lack a value in some column"
    assert np.isnan(table.numbers["x"]).sum() == 1
    assert table.numbers["x"][17] == 5  # the row of line 23
    assert "many\nlines" in table.texts["label"]


def test_lines_swallowed_by_a_quote_are_counted(tmp_path: Path) -> None:
    rows = [f"{i},{i}" for i in range(30)]
    rows[20] = '20,"20'
    table = load_table(write(tmp_path, "x,y\n" + "\n".join(rows) + "\n"))
    assert (table.rows, table.bad_rows) == (20, 1)
    assert table.notes[0].startswith("1 of 21 rows (10 lines) do not have 2 cells")


def test_infinite_and_odd_numbers_count_as_missing(tmp_path: Path) -> None:
    cells = [str(i) for i in range(50)] + ["inf", "1e999", "1_000", "NaN", "?"]
    table = load_table(write(tmp_path, "x\n" + "\n".join(cells) + "\n"))
    assert np.isnan(table.numbers["x"][50:]).all()
    assert "x: 3 cells are no numbers and count as missing: 'inf', '1e999', '1_000'" in table.notes


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is empty; a line of headings"),
        (b"  \n \n", "is empty"),
        (b"x,y\n", "has 0 rows"),
        (b"x,y\n1,2\n", "has 1 rows"),
        (b"a title\nx,y\n1,2\n3,4\n", "0 rows with 1 cell, as its first line has, and 3 with more or fewer"),
        (b"a,b\nc,d\ne,f\n", "has no column of numbers among a, b"),
        ("x,y\n1,2\n3,4\n".encode("utf-16"), "is UTF-16"),
        (b"PK\x03\x04\0\0\0", "is not a text file"),
        (b"x,y\n" + b'1,"' + b"a" * 200_000, "1 with more or fewer"),
        (",".join(map(str, range(1500))).encode() + b"\n" + b"1," * 1499 + b"1\n", "1,500 columns; at most 1,000"),
    ],
    ids=range(10),
)
def test_an_unusable_table_is_explained(tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / "mine.csv"
    path.write_bytes(content)
    with pytest.raises(DataError, match=message):
        load_table(path)


def test_progress_is_told_and_may_cancel(tmp_path: Path) -> None:
    path = write(tmp_path, "x,y\n" + "1,2\n" * 45_000)
    seen: list[tuple[int, int]] = []

    def stop(done: int, total: int) -> None:
        seen.append((done, total))
        if len(seen) == 3:
            raise Cancelled("enough")

    with pytest.raises(Cancelled):
        load_table(path, stop)
    assert len(seen) == 3
    seen.clear()
    load_table(path, lambda done, total: seen.append((done, total)))
    size = path.stat().st_size
    assert len(seen) >= 5
    assert seen[-1] == (size, size)
    assert [done for done, _ in seen] == sorted(done for done, _ in seen)


def test_a_table_in_latin_1_is_read_and_what_is_not_utf_8_is_counted(tmp_path: Path) -> None:
    path = tmp_path / "mine.csv"
    path.write_bytes("größe;y\n1,5;2\n3;4\n".encode("latin-1"))
    table = load_table(path)
    assert table.numbers["größe"].tolist() == [1.5, 3]
    assert table.facts == (("not UTF-8", "2 bytes, read as Latin-1"),)


@pytest.mark.parametrize("heading", ["x,y\n", ""])
def test_of_a_long_table_an_even_sample_is_drawn(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, heading: str) -> None:
    monkeypatch.setattr(tables, "MOST_ROWS", 1000)
    rows = [f"{i},{i % 7}" if i % 50 else f"{i}" for i in range(1, 20_001)]
    path = write(tmp_path, heading + "\n".join(rows))
    table = load_table(path)
    assert (table.rows, table.bad_rows) == (1000, 400)
    assert table.notes[0] == "19,600 rows: 1,000 of them, drawn evenly"
    assert dict(table.facts) == {"drawn evenly": "1,000 of 19,600 rows", "broken rows": "400 of 20,000"}
    drawn = next(iter(table.numbers.values()))
    assert (np.diff(drawn) > 0).all()  # each row once, in the order of the file
    assert np.array_equal(np.array(table.lines) - bool(heading), drawn)
    assert np.histogram(drawn, 5, (0, 20_000))[0].min() > 140  # 200 are expected, give or take 13
    tables._kept.clear()
    assert np.array_equal(next(iter(load_table(path).numbers.values())), drawn)
    monkeypatch.setattr(tables, "MOST_CELLS", 200)
    tables._kept.clear()
    assert load_table(path).rows == 100


def test_broken_rows_are_kept_to_be_shown(tmp_path: Path) -> None:
    table = load_table(write(tmp_path, 'x,y\n1,2\n3\n"a" b,1\n5,6,7\n,\n8,9\n10,11\n12,13\n'))
    assert [(row.line, row.why, row.text) for row in table.broken] == [
        (3, "1 cell instead of 2", "3"),
        (4, "its quotes are wrong", ""),
        (5, "3 cells instead of 2", "5,6,7"),
        (6, "empty cells alone", ","),
    ]
    assert table.lines == (2, 7, 8, 9)
    assert table.first[0] == ("1", "2")


def test_no_table(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"there is no table 'gone\.csv'"):
        load_table("gone.csv")
    with pytest.raises(DataError, match="is a folder"):
        load_table(tmp_path)


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.one_of(st.binary(max_size=200), st.text('0123456789.,;\t|"\n\r x-', max_size=200).map(str.encode)))
def test_any_bytes_give_a_table_or_a_data_error(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "mine.csv"
    path.write_bytes(content)
    with suppress(DataError):  # and nothing else
        describe_data(str(path))
    with suppress(DataError):
        tables._kept.clear()
        table = load_table(path)
        assert table.rows >= 2
        assert set(table.columns) == set(table.numbers) | set(table.texts)
        assert all(len(column) == table.rows for column in (*table.numbers.values(), *table.texts.values()))


# ------------------------------------------------------------------ descriptions and the command


def test_the_catalogue_is_described(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("DEEPSCOPE_DATA", raising=False)
    monkeypatch.setattr(catalogue, "cache_folder", lambda: tmp_path)
    assert describe_data("digits") == "1,797 digits of 8×8 pixels: 1,437 to train, 360 to test; 10 classes; CC BY 4.0"
    assert describe_data("mnist").endswith("CC BY-SA 3.0; to be downloaded: 11.6 MB")
    assert describe_data("tinyshakespeare").endswith("public domain; to be downloaded: 1.1 MB")


def test_files_of_ones_own_are_described(tmp_path: Path) -> None:
    np.savez(
        tmp_path / "mine.npz",
        x_train=np.zeros((50, 8, 8)),
        y_train=np.zeros(50),
        x_test=np.zeros((9, 8, 8)),
        y_test=np.zeros(9),
    )
    assert describe_data(str(tmp_path / "mine.npz")) == "50 pictures to train, 9 to test, 8×8 values each"
    (tmp_path / "alice.txt").write_text("\n  Alice was beginning\n" + PROSE)
    assert describe_data(str(tmp_path / "alice.txt")) == "text, 1 kB, begins “Alice was beginning”"
    write(tmp_path, "x;y;label\n1;2;a\n\n3;4;b\n")
    assert describe_data(str(tmp_path / "mine.csv")) == "3 lines, 3 columns: x, y, label"
    for name, count in (("cat", 3), ("dog", 2)):
        (tmp_path / "animals" / name).mkdir(parents=True)
        for i in range(count):
            Image.new("L", (4, 4)).save(tmp_path / "animals" / name / f"{i}.png")
    assert describe_data(str(tmp_path / "animals")) == "5 pictures in 2 classes: cat 3, dog 2"


def test_idx_folders_are_described(real_data: RealData) -> None:
    assert describe_data(str(real_data("mnist"))) == "60,000 pictures to train, 10,000 to test, 28×28 pixels each"


def test_kinds(tmp_path: Path) -> None:
    assert kind_of("digits") == kind_of("fashion-mnist") == kind_of(str(tmp_path)) == "images"
    assert kind_of("bundled") == kind_of("tinyshakespeare") == "text"
    for name, kind in (("a.NPZ", "images"), ("a.txt", "text"), ("a.csv", "table"), ("a.tsv", "table")):
        (tmp_path / name).touch()
        assert kind_of(str(tmp_path / name)) == kind
    (tmp_path / "a.docx").touch()
    with pytest.raises(DataError, match=r"a\.docx is no kind of data that is known here: pictures come as"):
        kind_of(str(tmp_path / "a.docx"))
    with pytest.raises(DataError, match="there is no data set and no file 'gone'; sets are: digits, mnist"):
        kind_of("gone")


def test_undescribable_data_is_explained(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "mine.npz", "w") as archive:
        archive.writestr("readme", "nothing")
    with pytest.raises(DataError, match=r"mine\.npz is not an \.npz archive, or it is damaged"):
        describe_data(str(tmp_path / "mine.npz"))
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match="has no pictures in subfolders"):
        describe_data(str(tmp_path / "empty"))
    (tmp_path / "a.txt").write_bytes(b"abc\0")
    with pytest.raises(DataError, match="is not text"):
        describe_data(str(tmp_path / "a.txt"))


def test_the_command_lists_and_refuses(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 0
    listed = capsys.readouterr().out
    assert all(name in listed for name in catalogue.CATALOGUE)
    with pytest.raises(SystemExit):
        main(["download", "digits"])
    assert "invalid choice" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a,b\n", "has 0 rows with 2 cells"),
        (",,,\n", "has no row that can be read; a line of headings and at least two rows are wanted"),
        ('"a,b\n', "has no row that can be read"),
    ],
)
def test_a_table_of_one_line_is_told(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "one.csv").write_text(text)
    with pytest.raises(DataError, match=message):
        load_table(tmp_path / "one.csv")
