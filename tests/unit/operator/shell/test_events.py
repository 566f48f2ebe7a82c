"""Kubernetes Events: the same event about the same version of an object is one Event."""

from datetime import UTC, datetime
from typing import Any

import pytest

from perennial.decide.outcome import Event
from perennial.loop.events import manifest

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
EVENT = Event("VersionPromoted", "v2 replaces v1")


def stored(name: str = "writer", version: str = "7") -> dict[str, Any]:
    at = {"name": name, "namespace": "demo", "uid": "u", "resourceVersion": version}
    return {"apiVersion": "perennial.dev/v1alpha1", "kind": "LanguageModel", "metadata": at}


def name_of(regarding: dict[str, Any], event: Event, now: datetime = NOW) -> str:
    return str(manifest(regarding, event, now)["metadata"]["name"])


def test_an_event_names_the_object_and_its_severity() -> None:
    event = manifest(stored(), EVENT, NOW)
    assert (event["type"], event["reason"], event["note"]) == ("Normal", "VersionPromoted", "v2 replaces v1")
    assert event["regarding"]["uid"] == "u"
    assert event["eventTime"] == "2026-03-01T12:00:00.000000Z"


def test_a_repetition_has_the_same_name_at_any_time() -> None:
    assert name_of(stored(), EVENT) == name_of(stored(), EVENT, datetime.now(UTC))


@pytest.mark.parametrize(
    ("regarding", "event"),
    [
        pytest.param(stored(version="8"), EVENT, id="another version of the object"),
        pytest.param(stored(), Event("VersionRolledBack", EVENT.message), id="another reason"),
        pytest.param(stored(), Event(EVENT.reason, "v3 replaces v1"), id="another message"),
    ],
)
def test_another_event_has_another_name(regarding: dict[str, Any], event: Event) -> None:
    assert name_of(regarding, event) != name_of(stored(), EVENT)


def test_name_and_note_keep_the_limits_of_kubernetes() -> None:
    event = manifest(stored(name="n" * 253), Event(EVENT.reason, "m" * 5000), NOW)
    assert len(event["metadata"]["name"]) <= 253
    assert len(event["note"]) == 1024
