"""The YAML files that flags name: --prometheus-config and --pod-defaults. Errors name keys and lines, never values."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from perennial.decide.defaults import PodDefaults
from perennial.loop.readings.access import Access

B = TypeVar("B", bound=BaseModel)


class ConfigError(Exception):
    """The file can't be used; the message says why."""


def access(path: Path) -> Access:
    """The access to Prometheus; a relative path in it is one beside the file. Raises ConfigError."""
    return _validated(Access, _document(path), path)


def pod_defaults(path: Path) -> PodDefaults:
    """The defaults of all pods. Raises ConfigError."""
    document = _document(path)
    found = _validated(PodDefaults, document, path)
    if unknown := list(_unknown(document, found.document())):
        raise ConfigError("; ".join(f"{key}: not a known key" for key in unknown))
    return found


def _document(path: Path) -> Any:
    try:
        document = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(f"the file can't be read: {error.strerror}") from error
    except UnicodeDecodeError:
        raise ConfigError("the file is not text") from None
    except yaml.MarkedYAMLError as error:
        line = f"line {error.problem_mark.line + 1}" if error.problem_mark else "the file"
        raise ConfigError(f"{line} is not YAML: {error.problem}") from None
    except yaml.YAMLError:
        raise ConfigError("the file is not YAML") from None
    return {} if document is None else document


def _validated(model: type[B], document: Any, path: Path) -> B:
    try:
        return model.model_validate(document, context={"folder": path.parent})
    except ValidationError as error:
        raise ConfigError("; ".join(map(_problem, error.errors()))) from None


def _problem(error: ErrorDetails) -> str:
    key = ".".join(str(part) for part in error["loc"] if part != "[key]")
    message = "not a known key" if error["type"] == "extra_forbidden" else error["msg"].removeprefix("Value error, ")
    return f"{key}: {message}" if key else message


def _unknown(given: Any, understood: Any, path: str = "") -> Iterator[str]:
    """Keys that are not understood. The API types ignore them, and have blocks in which any key is allowed."""
    if isinstance(given, dict):
        for name, value in given.items():
            if name not in understood:
                yield f"{path}{name}"
            else:
                yield from _unknown(value, understood[name], f"{path}{name}.")
    elif isinstance(given, list):
        for index, pair in enumerate(zip(given, understood, strict=True)):
            yield from _unknown(*pair, f"{path}{index}.")
