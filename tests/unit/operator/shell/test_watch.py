"""The adapter of kopf, where it needs no API server."""

import getpass

import pytest
from kubernetes.aio.client import Configuration

from perennial.kube.cache import Cache
from perennial.kube.watch import Scope, Watch


class Started(Exception):
    """kopf has started, which is all that the test needs."""


async def test_it_runs_as_a_user_without_a_name(monkeypatch: pytest.MonkeyPatch) -> None:
    """OpenShift chooses the id of a pod's user, which is in no /etc/passwd."""

    def nameless() -> str:
        raise KeyError("getpwuid(): uid not found: 1000680000")

    def started() -> None:
        raise Started

    monkeypatch.setattr(getpass, "getuser", nameless)
    nowhere = Configuration(host="http://127.0.0.1:1")
    watch = Watch(Scope(("demo",), "demo", "perennial"), nowhere, Cache(print), print, print, started)
    with pytest.raises(Started):
        await watch.run()
