"""The reader of Prometheus: a queue of queries beside the queue of objects."""

import logging
import time
from collections import defaultdict
from collections.abc import Awaitable, Callable, Mapping

from perennial.decide.readings import Reading
from perennial.kube.keys import Key
from perennial.loop.queue import Queue
from perennial.loop.readings import isolation, limits
from perennial.loop.readings.access import Access
from perennial.loop.readings.breaker import Breaker
from perennial.loop.readings.note import Answer, Note
from perennial.loop.readings.prometheus import NoAnswer, Query, excerpt

logger = logging.getLogger(__name__)

_Client = tuple[str, str]  # a server, and the namespace that asks it


class Reader:
    """Asks what objects want to know, each query once per REFRESH, however many objects of a namespace want it.

    Each namespace has a breaker of its own: slow queries of one take nothing from the others, and a server that answers
    nobody opens all of them.

    server: the one of the flags, if there is one.
    access: how far an object's queries may reach.
    ask: asks one query; raises NoAnswer.
    changed: called with each object whose reading is another one than before.
    """

    def __init__(
        self,
        server: str | None,
        access: Access,
        ask: Callable[[Query], Awaitable[Reading]],
        changed: Callable[[Key], None],
    ) -> None:
        self._server = server
        self._access = access
        self._ask = ask
        self._changed = changed
        self._notes: dict[Query, Note] = {}
        self._breakers: defaultdict[_Client, Breaker] = defaultdict(Breaker)
        # One place per worker. Queries that failed yield: slow ones don't keep the others waiting.
        self._queue: Queue[Query] = Queue(self._work, lambda query: self._notes[query].failure is not None)

    def start(self) -> None:
        """Starts to ask."""
        self._queue.start(limits.PLACES)

    async def stop(self) -> None:
        """Cancels what is being asked."""
        await self._queue.stop(0)

    def readings(self, queries: Mapping[str, str], key: Key) -> dict[str, Reading]:
        """What is known now of an object's queries, by name; those that have not been read yet are absent."""
        if self._server is None:
            return dict.fromkeys(queries, "the operator has no Prometheus; set --prometheus-url")
        readings = {name: self._permitted(self._server, promql, key) for name, promql in queries.items()}
        return {name: reading for name, reading in readings.items() if reading is not None}

    def _permitted(self, server: str, promql: str, key: Key) -> Reading | None:
        """What is known of a query, or why this object must not ask it."""
        if self._access.enforce_namespace and (objection := isolation.objection(promql, key.namespace)):
            return excerpt(objection)
        return self.want(Query(server, promql, key.namespace), key)

    def want(self, query: Query, key: Key) -> Reading | None:
        """What is known now of a query, which is read from now on for this object."""
        if query not in self._notes:
            self._notes[query] = Note()
            self._queue.add(query)
        self._notes[query].wanted[key] = time.monotonic()
        return self._reading(query)

    def _reading(self, query: Query) -> Reading | None:
        return self._notes[query].reading(self._breakers[_client(query)], time.monotonic())

    async def _work(self, query: Query) -> float | None:
        """Asks a query if it is wanted and its server may be asked; returns the seconds until the next time."""
        note, now = self._notes[query], time.monotonic()
        note.forget(now)
        if not note.wanted:
            del self._notes[query]
            return None
        breaker = self._breakers[_client(query)]
        if wait := breaker.wait(now, failed=note.failure is not None):
            return wait
        self._breakers[_client(query)] = breaker.after_asking(now)
        await self._read(query, note, now)
        return limits.REFRESH

    async def _read(self, query: Query, note: Note, now: float) -> None:
        try:
            reading = await self._ask(query)
        except NoAnswer as error:
            before = self._reading(query)
            note.failure = str(error)
            self._failed(_client(query), str(error))
        else:
            before = self._reading(query)
            note.answer, note.failure = Answer(reading, now), None
            self._answered(query)
        if self._reading(query) != before:
            for key in note.wanted:
                self._changed(key)

    def _failed(self, client: _Client, reason: str) -> None:
        before = self._breakers[client]
        self._breakers[client] = before.after_failure(reason, time.monotonic())
        if self._breakers[client].is_open and not before.is_open:
            message = "%s fails for namespace %s: %s; asking it one query every %.0f s until it responds"
            logger.warning(message, *client, reason, limits.PAUSE)

    def _answered(self, query: Query) -> None:
        client = _client(query)
        before = self._breakers[client]
        self._breakers[client] = before.after_answer()
        if before.is_open:
            logger.info("%s responds again for namespace %s", *client)
            for other in self._notes:
                if _client(other) == client and other != query:
                    self._queue.add(other)


def _client(query: Query) -> _Client:
    return query.server, query.namespace
