"""Leader election by a Lease, as in client-go.

Not kubernetes.aio's: it measures by the wall clock, takes a Lease without a time from its living holder, and may
keep working for longer than the Lease lasts while the API server does not respond.
"""

import asyncio
import logging
import secrets
import socket
import time
from collections.abc import Awaitable
from datetime import UTC, datetime

import aiohttp
from kubernetes.aio.client import ApiClient, Configuration, CoordinationV1Api, V1Lease, V1LeaseSpec, V1ObjectMeta
from kubernetes.aio.client.exceptions import ApiException

logger = logging.getLogger(__name__)

# A candidate takes the Lease this long after the last change that it observed, ...
LEASE_SECONDS = 15
# ... and the holder exits this long after the start of its last renewal.
RENEW_SECONDS = 10
RETRY_SECONDS = 2
_REQUEST_SECONDS = 4
# Between the release, if there is one, and the replica, in the identity of a holder.
_SEPARATOR = "/"
_UNREACHABLE = (aiohttp.ClientError, TimeoutError, OSError)


class Leadership:
    """Acquires, keeps and releases the Lease.

    Clocks of different machines are never compared: a Lease expires when it has not changed for LEASE_SECONDS of
    our own monotonic time. The times in it are for people.
    """

    def __init__(self, configuration: Configuration, namespace: str, name: str, release: str, user_agent: str) -> None:
        self._release = release
        self._identity = _SEPARATOR.join(filter(None, (release, f"{socket.gethostname()}-{secrets.token_hex(4)}")))
        self._namespace, self._name = namespace, name
        self._client = ApiClient(configuration)
        self._client.user_agent = user_agent
        self._api = CoordinationV1Api(self._client)
        self._stored: V1Lease | None = None
        self._observed: V1LeaseSpec | None = None
        self._observed_at = 0.0
        self._until = 0.0
        self._trouble = ""
        self._holder = ""

    @property
    def is_held(self) -> bool:
        """Whether no other replica can have acquired the Lease."""
        return time.monotonic() < self._until

    async def acquire(self) -> None:
        """Returns once this replica is the leader."""
        logger.info("waiting for the Lease %s/%s as %s", self._namespace, self._name, self._identity)
        while not await self._try():  # noqa: ASYNC110  # each attempt is a request
            await asyncio.sleep(RETRY_SECONDS)
        logger.info("this replica leads")

    async def keep(self) -> None:
        """Renews the Lease; returns once it is lost: another replica holds it, or no renewal succeeded in time."""
        while self.is_held and not self._is_held_by_another():
            try:
                async with asyncio.timeout(self._until - time.monotonic()):
                    await asyncio.sleep(RETRY_SECONDS)
                    await self._try()
            except TimeoutError:
                return

    async def release(self) -> None:
        """Releases the Lease, so that another replica need not wait for its expiry."""
        try:
            async with asyncio.timeout(_REQUEST_SECONDS):
                await self._clear_holder()
        except (ApiException, *_UNREACHABLE) as error:
            logger.warning("failed to release the Lease, which expires in %d s: %s", LEASE_SECONDS, _message(error))

    async def close(self) -> None:
        """Closes the connection."""
        await self._client.close()  # type: ignore[no-untyped-call]  # the library has no annotations

    async def _try(self) -> bool:
        started = time.monotonic()
        try:
            if self._stored is None:
                self._stored = await _in_time(self._read())
            if self._stored and not self._is_free(self._stored):
                self._stored = None
                self._stand_by()
                return False
            self._stored = await _in_time(self._write(self._stored))
        except (ApiException, *_UNREACHABLE) as error:
            self._stored = None
            if getattr(error, "status", None) != 409:  # else another replica was faster, or somebody edited it
                self._warn(_message(error))
            return False
        self._warn("")
        self._until = started + RENEW_SECONDS
        return True

    def _warn(self, trouble: str) -> None:
        """Logs a new trouble once, not at every attempt."""
        if trouble and trouble != self._trouble:
            logger.warning("failed to read or write the Lease: %s", trouble)
        self._trouble = trouble

    def _stand_by(self) -> None:
        """Logs once who holds the Lease."""
        holder = (self._observed.holder_identity if self._observed else None) or ""
        if holder == self._holder:
            return
        self._holder = holder
        release = holder.rpartition(_SEPARATOR)[0]
        lease = f"the Lease {self._namespace}/{self._name}"
        if release == self._release:
            logger.info("%s is held by %s; this replica stands by", lease, holder)
        else:
            logger.warning(
                "%s is held by %s, a replica of another release, %s: this one keeps off all objects, and takes them "
                "over when no replica of the other one runs; uninstall one of the two",
                lease, holder, release or "without a name",
            )  # fmt: skip

    def _is_free(self, lease: V1Lease) -> bool:
        if lease.spec != self._observed:
            self._observed, self._observed_at = lease.spec, time.monotonic()
        return not self._is_held_by_another() or time.monotonic() - self._observed_at > LEASE_SECONDS

    def _is_held_by_another(self) -> bool:
        holder = self._observed.holder_identity if self._observed else None
        return bool(holder) and holder != self._identity

    async def _read(self) -> V1Lease | None:
        try:
            return await self._api.read_namespaced_lease(self._name, self._namespace)
        except ApiException as error:
            if error.status == 404:
                return None
            raise

    async def _write(self, old: V1Lease | None) -> V1Lease:
        now = datetime.now(UTC).isoformat(timespec="microseconds")
        before = (old.spec if old else None) or V1LeaseSpec()
        renewed = before.holder_identity == self._identity
        spec = V1LeaseSpec(
            holder_identity=self._identity,
            lease_duration_seconds=LEASE_SECONDS,
            renew_time=now,
            acquire_time=before.acquire_time if renewed and before.acquire_time else now,
            lease_transitions=(before.lease_transitions or 0) + (old is not None and not renewed),
        )
        lease: V1Lease
        if old:
            body = V1Lease(metadata=old.metadata, spec=spec)
            lease = await self._api.replace_namespaced_lease(self._name, self._namespace, body)
        else:
            body = V1Lease(metadata=V1ObjectMeta(name=self._name), spec=spec)
            lease = await self._api.create_namespaced_lease(self._namespace, body)
        self._observed, self._observed_at = lease.spec, time.monotonic()
        return lease

    async def _clear_holder(self) -> None:
        lease = await self._read()
        if lease is None or lease.spec is None or lease.spec.holder_identity != self._identity:
            return
        lease.spec.holder_identity = ""
        await self._api.replace_namespaced_lease(self._name, self._namespace, lease)
        self._until = 0.0
        logger.info("released the Lease")


async def _in_time(request: Awaitable[V1Lease | None]) -> V1Lease | None:
    async with asyncio.timeout(_REQUEST_SECONDS):
        return await request


def _message(error: Exception) -> str:
    if isinstance(error, ApiException):
        return f"HTTP {error.status} {error.reason}"
    return str(error) or type(error).__name__
