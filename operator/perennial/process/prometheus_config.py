"""The file of --prometheus-config. Its errors name keys and lines, never values."""

from pathlib import Path

import yaml
from pydantic import ValidationError
from pydantic_core import ErrorDetails

from perennial.loop.readings.access import Access


class ConfigError(Exception):
    """The file can't be used; the message says why."""


def load(path: Path) -> Access:
    """The configuration; a relative path in it is one beside the file. Raises ConfigError."""
    try:
        document = yaml.safe_load(path.read_text(encoding="utf-8"))
        return Access.model_validate({} if document is None else document, context={"folder": path.parent})
    except OSError as error:
        raise ConfigError(f"the file can't be read: {error.strerror}") from error
    except UnicodeDecodeError:
        raise ConfigError("the file is not text") from None
    except yaml.MarkedYAMLError as error:
        line = f"line {error.problem_mark.line + 1}" if error.problem_mark else "the file"
        raise ConfigError(f"{line} is not YAML: {error.problem}") from None
    except yaml.YAMLError:
        raise ConfigError("the file is not YAML") from None
    except ValidationError as error:
        raise ConfigError("; ".join(map(_problem, error.errors()))) from None


def _problem(error: ErrorDetails) -> str:
    key = ".".join(str(part) for part in error["loc"] if part != "[key]")
    message = "not a known key" if error["type"] == "extra_forbidden" else error["msg"].removeprefix("Value error, ")
    return f"{key}: {message}" if key else message
