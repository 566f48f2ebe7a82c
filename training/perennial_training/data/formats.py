"""From a file to examples: plain text (blocks between blank lines), JSON Lines, CSV, TSV, Parquet."""

import csv
import io
import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from perennial_artifact.exits import BAD_DATA, Failure

Columns = Mapping[str, str]
Record = dict[str, Any]
_LONGEST_FIELD = 2**30  # characters; the csv module's own limit is 128 Ki


def read(path: Path, source: str, columns: Columns) -> Iterator[dict[str, str]]:
    """The examples in one file as they stand there: texts by role.

    `source` is what the user calls the file; `columns` says for each role in which column it is. Plain text, which has
    no columns, is all "text". Raises exits.Failure with file and line for what can't be read.
    """
    if reader := READERS.get(path.suffix.lower()):
        for where, record in reader(path, source, columns):
            yield {role: _cell(record, column, where, role) for role, column in columns.items()}
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


def _record(line: str, where: str) -> Record:
    try:
        record = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise Failure("BrokenRecord", f"{where} is not JSON: {error}", BAD_DATA) from None
    if not isinstance(record, dict):
        raise Failure("BrokenRecord", f"{where} is not a JSON object: {line[:40]}", BAD_DATA)
    return record


def _separated(separator: str) -> "Reader":
    """Of RFC 4180: quoted fields may hold separators and line ends; the first row names the columns."""

    def read(path: Path, source: str, columns: Columns) -> Iterator[tuple[str, Record]]:
        csv.field_size_limit(_LONGEST_FIELD)
        rows = csv.reader(io.StringIO(_text(path, source), newline=""), delimiter=separator, strict=True)
        names: list[str] | None = None
        try:
            for row in rows:
                where = f"{source}, line {rows.line_num}"
                if names is None:
                    names = row
                elif row:
                    yield where, _named(names, row, where)
        except csv.Error as error:
            raise Failure("BrokenRecord", f"{source}, line {rows.line_num}: {error}", BAD_DATA) from None

    return read


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
        reason = str(error).strip().splitlines()[0]
        raise Failure("NotParquet", f"{source} can't be read as Parquet: {reason}", BAD_DATA) from None


Reader = Callable[[Path, str, Columns], Iterator[tuple[str, Record]]]
READERS: dict[str, Reader] = {
    ".jsonl": _json_lines,
    ".ndjson": _json_lines,
    ".csv": _separated(","),
    ".tsv": _separated("\t"),
    ".parquet": _parquet,
}


def _cell(record: Record, column: str, where: str, role: str) -> str:
    if column not in record:
        raise _missing(column, record, where, role)
    text = record[column]
    if not isinstance(text, str):
        found = json.dumps(text, default=str)[:40]
        raise Failure("BrokenRecord", f"{where}: {column} is not text but {found}", BAD_DATA)
    return _encodable(text, where)


def _missing(column: str, there: Iterable[str], where: str, role: str) -> Failure:
    columns = ", ".join(sorted(there)) or "none"
    message = f"{where}: no column {column!r}; there are: {columns}. Set data.fields.{role}"
    return Failure("MissingColumn", message, BAD_DATA)


def _encodable(text: str, where: str) -> str:
    """JSON can spell half of a surrogate pair, which is no character."""
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
