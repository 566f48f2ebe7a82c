"""Formats of data files: plain text (blocks between blank lines), JSON, JSON Lines, CSV, TSV, Parquet."""

import csv
import io
import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from perennial_contract.exits import BAD_DATA, Failure, first_line

Columns = Mapping[str, str]
Record = dict[str, Any]
_LONGEST_FIELD = 2**30  # characters; the csv module's own limit is 128 Ki


def read(path: Path, source: str, columns: Columns) -> Iterator[dict[str, str]]:
    """The unprocessed examples of a file: texts by role.

    `source` names the file in messages; `columns` has the column of each role. Plain text has no columns, only the role
    "text". Raises exits.Failure, which names file and line.
    """
    if reader := READERS.get(path.suffix.lower()):
        for where, record in reader(path, source, columns):
            yield {role: _cell(record, column, where, role) for role, column in columns.items()}
    elif [*columns] != ["text"]:
        raise Failure(
            "MissingColumn",
            f"{source} is plain text and has no columns; give a file with the columns {', '.join(columns.values())} "
            f"({', '.join(READERS)})",
            BAD_DATA,
        )
    else:
        for block in _blocks(_text(path, source)):
            yield {"text": block}


def _blocks(text: str) -> Iterator[str]:
    block: list[str] = []
    for line in text.splitlines():
        if line.strip():
            block.append(line)
        elif block:
            yield "\n".join(block)
            block = []
    if block:
        yield "\n".join(block)


def _json_lines(path: Path, source: str, columns: Columns) -> Iterator[tuple[str, Record]]:
    for number, line in enumerate(_text(path, source).split("\n"), start=1):
        if line.strip():
            where = f"{source}, line {number}"
            yield where, _record(line, where)


def _json(path: Path, source: str, columns: Columns) -> Iterator[tuple[str, Record]]:
    """An array of objects, or JSON Lines with the suffix .json."""
    text = _text(path, source)
    if not text.lstrip().startswith("["):
        yield from _json_lines(path, source, columns)
        return
    try:
        records = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise Failure("BrokenRecord", f"{source} is not JSON: {error}", BAD_DATA) from None
    for number, record in enumerate(records, start=1):
        where = f"{source}, record {number}"
        yield where, _object(record, where)


def _record(line: str, where: str) -> Record:
    try:
        record = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise Failure("BrokenRecord", f"{where} is not JSON: {error}", BAD_DATA) from None
    return _object(record, where)


def _object(record: object, where: str) -> Record:
    if not isinstance(record, dict):
        raise Failure("BrokenRecord", f"{where} is not a JSON object: {json.dumps(record)[:40]}", BAD_DATA)
    return record


def _separated(separator: str) -> "Reader":
    """A reader by RFC 4180: quoted fields may contain separators and line ends; the first row has the column names."""

    def read(path: Path, source: str, columns: Columns) -> Iterator[tuple[str, Record]]:
        csv.field_size_limit(_LONGEST_FIELD)
        rows = csv.reader(io.StringIO(_text(path, source), newline=""), delimiter=separator, strict=True)
        names: list[str] | None = None
        try:
            for row in rows:
                where = f"{source}, line {rows.line_num}"
                if names is None:
                    names = _unique(row, where)
                elif row:
                    yield where, _named(names, row, where)
        except csv.Error as error:
            raise Failure("BrokenRecord", f"{source}, line {rows.line_num}: {error}", BAD_DATA) from None

    return read


def _unique(names: list[str], where: str) -> list[str]:
    repeated = sorted({name for name in names if names.count(name) > 1})
    if repeated:
        raise Failure("BrokenRecord", f"{where} names columns twice: {', '.join(repeated)}", BAD_DATA)
    return names


def _named(names: list[str], row: list[str], where: str) -> Record:
    if len(row) != len(names):
        raise Failure("BrokenRecord", f"{where} has {len(row)} fields, but the first row {len(names)}", BAD_DATA)
    return dict(zip(names, row, strict=True))


def _parquet(path: Path, source: str, columns: Columns) -> Iterator[tuple[str, Record]]:
    from pyarrow import ArrowException
    from pyarrow.parquet import ParquetFile

    try:
        with ParquetFile(path) as file:
            for role, column in columns.items():
                if column not in file.schema_arrow.names:
                    raise _missing(column, file.schema_arrow.names, source, role)
            rows = (row for batch in file.iter_batches(columns=[*columns.values()]) for row in batch.to_pylist())
            for number, row in enumerate(rows, start=1):
                yield f"{source}, row {number}", row
    except (ArrowException, OSError) as error:
        reason = first_line(error)
        raise Failure("NotParquet", f"{source} can't be read as Parquet: {reason}", BAD_DATA) from None


Reader = Callable[[Path, str, Columns], Iterator[tuple[str, Record]]]
READERS: dict[str, Reader] = {
    ".jsonl": _json_lines,
    ".ndjson": _json_lines,
    ".json": _json,
    ".csv": _separated(","),
    ".tsv": _separated("\t"),
    ".parquet": _parquet,
}


def _cell(record: Record, column: str, where: str, role: str) -> str:
    if column not in record:
        raise _missing(column, record, where, role)
    value = record[column]
    text = _PARSERS.get(role, _prose)(value)
    if text is None:
        actual, expected = json.dumps(value, default=str)[:40], _EXPECTED.get(role, "text")
        raise Failure("BrokenRecord", f"{where}: {column} is not {expected} but {actual}", BAD_DATA)
    return _encodable(text, where)


def _prose(value: object) -> str | None:
    return value if isinstance(value, str) else None


def _label(value: object) -> str | None:
    """The name of a class: text, or the digits of a whole number."""
    return str(value) if isinstance(value, str | int) and not isinstance(value, bool) else None


def _answer(value: object) -> str | None:
    """The answer: text, the first of several, or the first of SQuAD's {"text": [...], "answer_start": [...]}."""
    if isinstance(value, dict):
        value = value.get("text")
    if isinstance(value, list):
        value = value[0] if value else ""
    return _prose(value)


_PARSERS: dict[str, Callable[[object], str | None]] = {"label": _label, "answer": _answer}
_EXPECTED = {"label": "text or a whole number", "answer": "text, a list of texts, or SQuAD's {text, answer_start}"}


def _missing(column: str, columns: Iterable[str], where: str, role: str) -> Failure:
    names = ", ".join(sorted(columns)) or "none"
    message = f"{where}: no column {column!r}; there are: {names}. Set data.fields.{role}"
    return Failure("MissingColumn", message, BAD_DATA)


def _encodable(text: str, where: str) -> str:
    """The text, if it can be encoded: JSON can contain half of a surrogate pair, which is not a character."""
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise Failure("BrokenRecord", f"{where}: {error.reason}", BAD_DATA) from None
    return text


def _text(path: Path, source: str) -> str:
    try:
        return path.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise Failure(
            "UnreadableEncoding",
            f"{source} is not UTF-8: byte {error.start} is 0x{error.object[error.start]:02x}; "
            "convert it, for example with iconv -f LATIN1 -t UTF-8",
            BAD_DATA,
        ) from None
