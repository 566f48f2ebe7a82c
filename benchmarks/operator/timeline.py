"""When each object and its child were seen in which state, by a client that watches."""

import asyncio
import time
from collections.abc import Callable

from api_client import Api, Manifest

Clock = dict[str, float]
_Look = Callable[[Manifest], bool]


class Timeline:
    """First sightings by name, in seconds of the monotonic clock. Use as an asynchronous context manager."""

    def __init__(self, api: Api, owners: str, children: str, has_status: _Look, shows_change: _Look) -> None:
        self._api = api
        self._watches = ((owners, self._owner), (children, self._child))
        self._has_status = has_status
        self._shows_change = shows_change
        self.created: Clock = {}
        self.child: Clock = {}
        self.status: Clock = {}
        self.shown: Clock = {}

    async def __aenter__(self) -> "Timeline":
        versions = [(await self._api.get(path))["metadata"]["resourceVersion"] for path, _ in self._watches]
        self._tasks = [
            asyncio.create_task(self._follow(path, version, seen))
            for (path, seen), version in zip(self._watches, versions, strict=True)
        ]
        return self

    async def __aexit__(self, *_: object) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def check(self) -> None:
        """Raises what has ended a watch."""
        for task in self._tasks:
            if task.done():
                task.result()

    async def _follow(self, path: str, version: str, seen: Callable[[str, Manifest], None]) -> None:
        while True:  # the server ends a watch after some minutes
            async for event in self._api.watch(path, version):
                if event["type"] == "ERROR":
                    raise SystemExit(f"The watch of {path} was broken off: {event['object'].get('message')}")
                at = event["object"]["metadata"]
                version = at["resourceVersion"]
                seen(at["name"], event["object"])

    def _owner(self, name: str, owner: Manifest) -> None:
        now = time.monotonic()
        if name not in self.status and self._has_status(owner):
            self.status[name] = now
        if name not in self.shown and self._shows_change(owner):
            self.shown[name] = now

    def _child(self, name: str, _: Manifest) -> None:
        self.child.setdefault(name, time.monotonic())
