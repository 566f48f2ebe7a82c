"""Logs: one line each, as text or as JSON."""

import json
import logging
import sys
from datetime import UTC, datetime
from typing import Any

from perennial.kube.keys import Key


class Json(logging.Formatter):
    """One JSON object per line, with the fields of the object that it is about."""

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        about = getattr(record, "object", None)
        line |= about._asdict() if isinstance(about, Key) else {"object": str(about)} if about else {}
        if record.exc_info:
            line["traceback"] = self.formatException(record.exc_info)
        return json.dumps(line, ensure_ascii=False)


class _Text(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        about = f"{record.object}: " if hasattr(record, "object") else ""
        text = f"{self.formatTime(record, '%H:%M:%S')} {record.levelname:7} {about}{record.getMessage()}"
        return f"{text}\n{self.formatException(record.exc_info)}" if record.exc_info else text


def _of_kopf(record: logging.LogRecord) -> bool:
    """An error of kopf ends the process, which logs it in one line; a request that it sends again is no error."""
    if record.name.startswith("kopf"):
        record.exc_info = record.exc_text = None
        if "will retry" in record.getMessage():
            record.levelno, record.levelname = logging.WARNING, "WARNING"
    return True


def set_up(level: str, form: str) -> None:
    """Logs to stderr; messages of libraries below warning only at level debug."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(Json() if form == "json" else _Text())
    logging.basicConfig(level=level.upper(), handlers=[handler], force=True)
    if level != "debug":
        handler.addFilter(_of_kopf)
        for library in ("kopf", "asyncio", "aiohttp.access"):
            logging.getLogger(library).setLevel(logging.WARNING)


def of(logger: logging.Logger, key: object) -> "logging.LoggerAdapter[logging.Logger]":
    """The logger with this object as context."""
    return logging.LoggerAdapter(logger, {"object": key})
