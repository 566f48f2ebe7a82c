"""The file of --pod-defaults."""

import argparse
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from perennial.decide.defaults import PodDefaults


def pod_defaults(path: str) -> PodDefaults:
    """Reads the file, none if the path is empty; raises ArgumentTypeError, which names each wrong field."""
    if not path:
        return PodDefaults()
    try:
        document = yaml.safe_load(Path(path).read_text()) or {}
        found = PodDefaults.model_validate(document)
    except OSError as error:
        raise argparse.ArgumentTypeError(f"{path} can't be read: {error.strerror}") from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise argparse.ArgumentTypeError(f"{path} is not YAML: {error}") from None
    except ValidationError as error:
        complaints = (f"{'.'.join(map(str, each['loc'])) or 'the file'}: {each['msg']}" for each in error.errors())
        raise argparse.ArgumentTypeError(f"{path}: {'; '.join(complaints)}") from None
    if unknown := ", ".join(_unknown(document, found.document())):
        raise argparse.ArgumentTypeError(f"{path}: {unknown}: no such field")
    return found


def _unknown(given: Any, understood: Any, path: str = "") -> Iterator[str]:
    """Fields that are not understood. The API types ignore them, and have blocks in which any field is allowed."""
    if isinstance(given, dict):
        for name, value in given.items():
            if name not in understood:
                yield f"{path}{name}"
            else:
                yield from _unknown(value, understood[name], f"{path}{name}.")
    elif isinstance(given, list):
        for index, pair in enumerate(zip(given, understood, strict=True)):
            yield from _unknown(*pair, f"{path}{index}.")
