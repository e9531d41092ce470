"""Expected links: what a CSV says, whatever program wrote it, and what is not taken."""

import tracemalloc
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runbook.errors import UsageError
from runbook.remotelinks.expected import BadRow, ExpectedRow, read_expected

HEADER = "source_key,destination_key,link_type,direction"
GOOD = ("ENG-1", "OPS-2", "blocks", "outward")


def written(folder: Path, data: str | bytes, encoding: str = "utf-8") -> Path:
    path = folder / "links.csv"
    path.write_bytes(data if isinstance(data, bytes) else data.encode(encoding))
    return path


READ_ALIKE = {
    "plain commas": f"{HEADER}\nENG-1,OPS-2,blocks,outward\n".encode(),
    "a byte order mark": f"\ufeff{HEADER}\nENG-1,OPS-2,blocks,outward\n".encode(),
    "semicolons": f"{HEADER.replace(',', ';')}\r\nENG-1;OPS-2;blocks;outward\r\n".encode(),
    "tabs": f"{HEADER}\nENG-1,OPS-2,blocks,outward\n".replace(",", "\t").encode(),
    "bars": f"{HEADER}\nENG-1,OPS-2,blocks,outward\n".replace(",", "|").encode(),
    "a spreadsheet's sep line": f"sep=;\n{HEADER.replace(',', ';')}\nENG-1;OPS-2;blocks;outward".encode(),
    "quotes around everything": b'"source_key","destination_key","link_type","direction"\n"ENG-1","OPS-2","blocks","outward"\n',
    "another order and other columns": b"direction,id,link_type,destination_key,source_key\noutward,7,blocks,OPS-2,ENG-1\n",
    "a header in another case with spaces": b"Source Key, Destination-Key ,LINK_TYPE,Direction\nENG-1,OPS-2,blocks,outward\n",
    "lower-case keys and an upper-case direction": f"{HEADER}\neng-1,ops-2,blocks,OUTWARD\n".encode(),
    "keys that a spreadsheet wrote as text": f'{HEADER}\n"=""ENG-1""","=""OPS-2""",blocks,outward\n'.encode(),
    "UTF-16 with a mark": f"{HEADER}\nENG-1,OPS-2,blocks,outward\n".encode("utf-16"),
    "UTF-16 big-endian without a mark": f"{HEADER}\nENG-1,OPS-2,blocks,outward\n".encode(
        "utf-16-be"
    ),
    "UTF-16 little-endian without a mark": f"{HEADER}\nENG-1,OPS-2,blocks,outward\n".encode(
        "utf-16-le"
    ),
    "empty lines between": f"{HEADER}\n\nENG-1,OPS-2,blocks,outward\n\n\n".encode(),
    "old Macintosh line ends": f"{HEADER}\rENG-1,OPS-2,blocks,outward\r".encode(),
}


@pytest.mark.parametrize("data", READ_ALIKE.values(), ids=READ_ALIKE.keys())
def test_one_row_is_read_from(data: bytes, tmp_path: Path) -> None:
    rows = list(read_expected(written(tmp_path, data)))
    assert [row[:4] for row in rows if isinstance(row, ExpectedRow)] == [GOOD]
    assert not [row for row in rows if isinstance(row, BadRow)]


BAD = {
    "a missing column": ("ENG-1,OPS-2,blocks", "3 columns where the header has 4"),
    "no source": (",OPS-2,blocks,outward", "`source_key` is empty"),
    "no target": ("ENG-1,,blocks,outward", "`destination_key` is empty"),
    "no key": ("ENG,OPS-2,blocks,outward", "`source_key` is no issue key: `ENG`"),
    "a leading zero": ("ENG-07,OPS-2,blocks,outward", "`source_key` is no issue key: `ENG-07`"),
    "a formula": ("=cmd|'/c calc'!A1,OPS-2,blocks,outward", "begins with `=`: a formula"),
    "a formula that begins with a sign": ("ENG-1,+1+1,blocks,outward", "begins with `+`"),
    "no label": ("ENG-1,OPS-2,,outward", "`link_type` is empty"),
    "a label that Jira does not take": (f"ENG-1,OPS-2,{'x' * 256},outward", "256 characters"),
    "another direction": ("ENG-1,OPS-2,blocks,sideways", "`direction` is `sideways`"),
    "an issue linked to itself": ("ENG-1,eng-1,blocks,outward", "`ENG-1` is linked to itself"),
    "text after a closing quote": ('"ENG-1"x,OPS-2,blocks,outward', "not readable as CSV"),
    "control characters": ("EN\x1bG-1,OPS-2,blocks,outward", "is no issue key"),
}


@pytest.mark.parametrize(("row", "reason"), BAD.values(), ids=BAD.keys())
def test_a_row_is_not_taken_and_listed_with_its_line_for(
    row: str, reason: str, tmp_path: Path
) -> None:
    text = f'{HEADER}\nENG-1,OPS-2,"two\nlines",outward\n{row}\nENG-3,OPS-4,blocks,inward\n'
    rows = list(read_expected(written(tmp_path, text)))
    bad = [row for row in rows if isinstance(row, BadRow)]
    assert len(rows) == 3
    assert [row.line for row in bad] == [4]
    assert reason in bad[0].reason
    assert bad[0].reason.isprintable()
    assert rows[-1] == ("ENG-3", "OPS-4", "blocks", "inward", 5)


def test_a_label_with_line_breaks_quotes_and_delimiters_is_kept(tmp_path: Path) -> None:
    text = f'{HEADER}\nENG-1,OPS-2,"is ""blocked"", by\nnobody",outward\n'
    (row,) = read_expected(written(tmp_path, text)).rows()
    assert row.link_type == 'is "blocked", by\nnobody'


def test_latin_1_is_read_and_said(tmp_path: Path) -> None:
    file = read_expected(written(tmp_path, f"{HEADER}\nA-1,B-2,hängt ab von,outward\n", "latin-1"))
    assert [row.link_type for row in file.rows()] == ["hängt ab von"]
    assert file.notes == ("line 2 is not UTF-8: read as Windows-1252 (Latin-1)",)


REFUSED = {
    "an empty file": (b"", "the file is empty"),
    "a header without a column": (b"source_key,destination_key,link_type\n", "lacks `direction`"),
    "no header": (b"ENG-1,OPS-2,blocks,outward\n", "no header, but `ENG-1,OPS-2,blocks,outward`"),
    "a column that is there twice": (
        f"{HEADER},Link Type\n".encode(),
        "`link_type` is there twice",
    ),
    "a picture": (b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR" * 40, "is no text"),
    "UTF-32": (f"{HEADER}\n".encode("utf-32"), "UTF-32"),
    "UTF-16 that breaks off": (
        f"{HEADER}\nENG-1,OPS-2,blocks,outward\n".encode("utf-16")[:-1],
        "near line 2",
    ),
    "a quote that is never closed": (
        f'{HEADER}\nA-1,B-1,blocks,outward\nA-2,"B-2,blocks,outward\n'.encode() + b"x\n" * 90_000,
        "line 3: a quote is opened and not closed",
    ),
}


@pytest.mark.parametrize(("data", "message"), REFUSED.values(), ids=REFUSED.keys())
def test_the_whole_file_is_refused_for(data: bytes, message: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError) as refused:
        list(read_expected(written(tmp_path, data)))
    assert message in str(refused.value)
    assert refused.value.hint


def test_a_folder_and_a_missing_file_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="is a folder"):
        read_expected(tmp_path)
    with pytest.raises(UsageError, match="No such file"):
        read_expected(tmp_path / "absent.csv")


def test_many_rows_are_read_in_constant_memory(tmp_path: Path) -> None:
    path = written(tmp_path, f"{HEADER}\n" + "ENG-1,OPS-2,blocks,outward\n" * 60_000)
    tracemalloc.start()
    assert sum(1 for _ in read_expected(path)) == 60_000
    _, peak_bytes = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak_bytes < 4 * 1024 * 1024


@given(data=st.binary(max_size=400), header=st.booleans())
def test_any_bytes_are_read_or_refused(data: bytes, header: bool, tmp_path_factory) -> None:
    path = tmp_path_factory.mktemp("any") / "links.csv"
    path.write_bytes(f"{HEADER}\n".encode() * header + data)
    try:
        rows = list(read_expected(path))
    except UsageError:
        return
    assert all(isinstance(row, ExpectedRow | BadRow) and row.line >= 1 for row in rows)


def test_a_file_whose_last_byte_alone_is_not_utf_8_is_read_as_latin_1(tmp_path: Path) -> None:
    path = tmp_path / "links.csv"
    path.write_bytes(b"source_key,destination_key,direction,link_type\nENG-1,OPS-1,outward,cr\xe9")
    read = read_expected(path)
    assert read.encoding == "cp1252"
    assert read.notes == ("line 2 is not UTF-8: read as Windows-1252 (Latin-1)",)
    assert [row.link_type for row in read] == ["cr\xe9"]
