"""How a pod ends: exit codes (those of sysexits), and the message it leaves for the operator."""

import json
from pathlib import Path
from typing import Any

from perennial_contract.text import shortened

USAGE = 64
BAD_DATA = 65
MISSING_INPUT = 66
TEMPORARY = 75
PEER_LOST = 76  # "remote error": another pod of the same training is gone; no failure of this one
BAD_CONFIGURATION = 78
TERMINATED = 143  # 128 + SIGTERM

# Reason of a failure that says only that the program was told to stop (SIGTERM), and not why.
STOPPED = "Terminated"

# Another try ends the same way: the Job fails at once.
FINAL = frozenset({USAGE, BAD_DATA, MISSING_INPUT, BAD_CONFIGURATION})
# Ends of a process that follow from the end of another one.
CONSEQUENCES = frozenset({PEER_LOST, TERMINATED})

TERMINATION_LOG = Path("/dev/termination-log")
MAX_MESSAGE_BYTES = 4096  # what the kubelet keeps of a termination message
MAX_QUOTE = 300  # characters of another library's error; some repeat whole objects

# What a pod tells is JSON with its kind under this key, as any program may print or leave something else.
KIND = "perennial"
PROGRESS, RESULT, FAILURE, ARTIFACTS = "progress", "result", "failure", "artifacts"


class Failure(Exception):
    """An end that a person can act on: a CamelCase reason, one sentence, and the exit code."""

    def __init__(self, reason: str, message: str, code: int) -> None:
        super().__init__(message)
        self.reason = reason
        self.message = message
        self.code = code


def report(failure: Failure, path: Path = TERMINATION_LOG) -> None:
    """Leaves the failure as the pod's termination message; a sentence that is too long is cut."""
    message = failure.message
    while not fits(document := _failure(failure.reason, message)):
        message = message[: len(message) * 9 // 10] + "…"
    leave(document, path)


def leave(document: dict[str, Any], path: Path = TERMINATION_LOG) -> None:
    """Writes a JSON document as the pod's termination message; ValueError where the kubelet would cut it."""
    if not fits(document):
        raise ValueError(f"the termination message has more than {MAX_MESSAGE_BYTES} bytes")
    path.write_bytes(_encode(document))


def fits(document: dict[str, Any]) -> bool:
    """Whether the kubelet keeps all of the document as a termination message."""
    return len(_encode(document)) <= MAX_MESSAGE_BYTES


def first_line(error: BaseException) -> str:
    """Of what an error of another library says, cut where it is long; its type, if it says nothing."""
    return shortened((str(error).strip().splitlines() or [type(error).__name__])[0], MAX_QUOTE)


def _failure(reason: str, message: str) -> dict[str, Any]:
    return {KIND: FAILURE, "reason": reason, "message": message}


def _encode(document: dict[str, Any]) -> bytes:
    return json.dumps(document, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode(errors="replace")
