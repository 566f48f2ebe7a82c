"""Lines of the log: their fields, and the levels of what libraries say."""

import json
import logging
from collections.abc import Iterator

import pytest

from perennial.kube.keys import Key
from perennial.loop import logs


@pytest.fixture
def as_before() -> Iterator[None]:
    """Setting up replaces the handlers of the process."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:], root.level = handlers, level


def line(capsys: pytest.CaptureFixture[str]) -> dict[str, str]:
    parsed: dict[str, str] = json.loads(capsys.readouterr().err)
    return parsed


@pytest.mark.parametrize(
    ("about", "fields"),
    [
        pytest.param(
            Key("LanguageModel", "demo", "writer"),
            {"kind": "LanguageModel", "namespace": "demo", "name": "writer"},
            id="an object",
        ),
        pytest.param("query up", {"object": "query up"}, id="something else"),
    ],
)
def test_a_line_has_its_object_in_fields(
    about: object, fields: dict[str, str], as_before: None, capsys: pytest.CaptureFixture[str]
) -> None:
    logs.set_up("info", "json")
    logs.of(logging.getLogger("perennial.test"), about).warning("stalled")
    written = line(capsys)
    assert {name: written[name] for name in fields} == fields
    assert (written["message"], written["level"]) == ("stalled", "warning")


def test_a_time_is_in_utc_and_has_milliseconds(as_before: None, capsys: pytest.CaptureFixture[str]) -> None:
    logs.set_up("info", "json")
    record = logging.makeLogRecord({"name": "perennial.test", "levelno": logging.INFO, "created": 1772366400.25})
    logging.getLogger().handle(record)
    assert line(capsys)["time"] == "2026-03-01T12:00:00.250+00:00"


@pytest.mark.parametrize(
    ("message", "level"),
    [
        pytest.param("Request attempt #1/9 failed; will retry: GET /api -> ClientOSError()", "warning", id="a retry"),
        pytest.param(
            "Request attempt #9/9 failed; escalating: GET /api -> ClientOSError()", "error", id="the last one"
        ),
    ],
)
def test_a_request_of_the_watch_that_is_sent_again_is_no_error(
    message: str, level: str, as_before: None, capsys: pytest.CaptureFixture[str]
) -> None:
    logs.set_up("info", "json")
    logging.getLogger("kopf.clients.api").error(message)
    assert line(capsys)["level"] == level
