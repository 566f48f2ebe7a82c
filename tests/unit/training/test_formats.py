"""Files as rows by role: every format says the same of the same texts, and where it can't be read."""

import json
from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from perennial_contract.exits import BAD_DATA, Failure
from perennial_training.data import formats

TEXTS = st.lists(st.text(st.characters(codec="utf-8"), max_size=20), min_size=1, max_size=8)


def write_jsonl(path, rows):
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))


def write_separated(separator):
    def write(path, rows):
        import csv

        with path.open("w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, rows[0], delimiter=separator, quoting=csv.QUOTE_ALL)
            writer.writeheader()
            writer.writerows(rows)

    return write


def write_parquet(path, rows):
    import pyarrow
    import pyarrow.parquet

    pyarrow.parquet.write_table(pyarrow.Table.from_pylist(rows), path)


WRITERS = {
    "a.jsonl": write_jsonl,
    "a.ndjson": write_jsonl,
    "b.json": write_jsonl,
    "a.json": lambda path, rows: path.write_text(json.dumps(rows, indent=1)),
    "a.csv": write_separated(","),
    "a.TSV": write_separated("\t"),
    "a.parquet": write_parquet,
}


@pytest.mark.parametrize("name", WRITERS)
@given(texts=TEXTS)
def test_what_was_written_is_read(tmp_path_factory, name, texts):
    path = tmp_path_factory.mktemp("formats") / name
    WRITERS[name](path, [{"id": str(number), "body": text} for number, text in enumerate(texts)])
    assert list(formats.read(path, "it", {"text": "body"})) == [{"text": text} for text in texts]


def test_plain_text_is_cut_at_blank_lines(tmp_path):
    (tmp_path / "a.txt").write_bytes(b"\xef\xbb\xbfa\nb\n\n \nc\r\n\r\nd")
    assert list(formats.read(tmp_path / "a.txt", "it", {"text": "text"})) == [
        {"text": "a\nb"},
        {"text": "c"},
        {"text": "d"},
    ]


@dataclass(frozen=True)
class UnreadableFile:
    """A file, and the reason and a part of the message of its refusal."""

    name: str
    content: bytes
    reason: str
    message: str


UNREADABLE = {
    "a column is missing": UnreadableFile(
        "a.csv",
        b"id,body\n1,b\n",
        reason="MissingColumn",
        message="it, line 2: no column 'text'; there are: body, id. Set data",
    ),
    "a line is too short": UnreadableFile(
        "a.tsv", b"text\tid\na\n", reason="BrokenRecord", message="it, line 2 has 1 fields, but the first row 2"
    ),
    "a line is too long": UnreadableFile(
        "a.csv", b"text,id\na,b,c\n", reason="BrokenRecord", message="it, line 2 has 3 fields, but the first row 2"
    ),
    "a quote is not closed": UnreadableFile(
        "a.csv", b'text\n"a\nb', reason="BrokenRecord", message="it, line 3: unexpected end of data"
    ),
    "another encoding": UnreadableFile(
        "a.csv", "text\ndéjà".encode("latin-1"), reason="UnreadableEncoding", message="it is not UTF-8: byte 6 is 0xe9"
    ),
    "a column has its name twice": UnreadableFile(
        "a.csv", b"text,id,text\na,1,b\n", reason="BrokenRecord", message="it, line 1 names columns twice: text"
    ),
    "a record is no object": UnreadableFile(
        "a.json", b'[{"text": "a"}, 7]', reason="BrokenRecord", message="it, record 2 is not a JSON object: 7"
    ),
    "JSON that is cut": UnreadableFile("a.json", b'[{"text": "a"}', reason="BrokenRecord", message="it is not JSON: "),
    "text instead of Parquet": UnreadableFile(
        "a.parquet", b"text", reason="NotParquet", message="it can't be read as Parquet: "
    ),
    "nothing instead of Parquet": UnreadableFile(
        "a.parquet", b"", reason="NotParquet", message="it can't be read as Parquet: "
    ),
    "half a character": UnreadableFile(
        "a.jsonl", b'{"text": "\\ud800"}', reason="BrokenRecord", message="it, line 1: surrogates not allowed"
    ),
    "null instead of text": UnreadableFile(
        "a.jsonl", b'{"text": null}', reason="BrokenRecord", message="it, line 1: text is not text but null"
    ),
}


@pytest.mark.parametrize("case", UNREADABLE.values(), ids=UNREADABLE)
def test_what_can_not_be_read_is_told(tmp_path, case):
    (tmp_path / case.name).write_bytes(case.content)
    with pytest.raises(Failure) as caught:
        list(formats.read(tmp_path / case.name, "it", {"text": "text"}))
    assert (caught.value.reason, caught.value.code) == (case.reason, BAD_DATA)
    assert case.message in caught.value.message


@pytest.mark.parametrize(
    ("row", "reason", "message"),
    [
        pytest.param(
            {"body": "a"},
            "MissingColumn",
            "it: no column 'text'; there are: body. Set data.fields.text",
            id="a column is missing",
        ),
        pytest.param({"text": 7}, "BrokenRecord", "it, row 1: text is not text but 7", id="a number instead of text"),
        pytest.param({"text": None}, "BrokenRecord", "it, row 1: text is not text but null", id="null instead of text"),
    ],
)
def test_what_a_parquet_file_lacks_is_told(tmp_path, row, reason, message):
    write_parquet(tmp_path / "a.parquet", [row])
    with pytest.raises(Failure) as caught:
        list(formats.read(tmp_path / "a.parquet", "it", {"text": "text"}))
    assert (caught.value.reason, caught.value.message) == (reason, message)


def test_a_parquet_file_that_was_cut_is_told(tmp_path):
    path = tmp_path / "a.parquet"
    write_parquet(path, [{"text": "a" * 1000 + str(number)} for number in range(1000)])
    content = bytearray(path.read_bytes())
    content[100:400] = bytes(300)
    path.write_bytes(content)
    with pytest.raises(Failure, match="can't be read as Parquet"):
        list(formats.read(path, "it", {"text": "text"}))
