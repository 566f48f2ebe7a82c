"""The election of the one replica that works, by a Lease."""

import asyncio
import logging
import secrets
import socket
from datetime import datetime
from typing import Any

import aiohttp
from kubernetes.aio.client import ApiClient, Configuration, V1Lease, V1ObjectMeta
from kubernetes.aio.client.exceptions import ApiException
from kubernetes.aio.leaderelection.electionconfig import Config
from kubernetes.aio.leaderelection.leaderelection import LeaderElection
from kubernetes.aio.leaderelection.leaderelectionrecord import LeaderElectionRecord
from kubernetes.aio.leaderelection.resourcelock.leaselock import LeaseLock

logger = logging.getLogger(__name__)

LEASE_SECONDS = 15
RENEW_SECONDS = 10
RETRY_SECONDS = 2
_REQUEST_SECONDS = 4


class _Lock(LeaseLock):
    """The library's lock, which here survives an API server that does not answer.

    The library takes the local time and writes it as UTC; the process therefore runs in UTC (see __main__).
    """

    def __init__(self, name: str, namespace: str, identity: str, api_client: ApiClient) -> None:
        super().__init__(name, namespace, identity, api_client)
        self.held_by_another = asyncio.Event()

    async def get(self, name: str, namespace: str) -> Any:
        try:
            async with asyncio.timeout(_REQUEST_SECONDS):
                found, record = await super().get(name, namespace)
            if isinstance(record, LeaderElectionRecord) and record.holder_identity not in (None, self.identity):
                self.held_by_another.set()
            return found, record
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            return False, ApiException(status=0, reason=str(error) or type(error).__name__)

    async def create(self, name: str, namespace: str, election_record: Any) -> bool:
        # Not the library's own, which passes an argument that the library's client refuses (37.0.2).
        lease = V1Lease(metadata=V1ObjectMeta(name=name), spec=self.update_lease(election_record))
        return await self._written(self.api_instance.create_namespaced_lease(namespace, lease))

    async def update(self, name: str, namespace: str, updated_record: Any) -> bool:
        return await self._written(super().update(name, namespace, updated_record))

    async def _written(self, write: Any) -> bool:
        try:
            async with asyncio.timeout(_REQUEST_SECONDS):
                return bool(await write)
        except (ApiException, aiohttp.ClientError, TimeoutError, OSError) as error:
            logger.warning("the Lease could not be written: %s", error or type(error).__name__)
            return False

    def time_str_to_iso(self, str_time: str) -> str:
        """As the library's, but for times at a full second too."""
        return datetime.fromisoformat(str_time).isoformat(timespec="microseconds") + "Z"


class Leadership:
    """Waits for the Lease, keeps it, and gives it back."""

    def __init__(self, configuration: Configuration, namespace: str, name: str, user_agent: str) -> None:
        identity = f"{socket.gethostname()}-{secrets.token_hex(4)}"
        self._client = ApiClient(configuration)
        self._client.user_agent = user_agent
        self._lock = _Lock(name, namespace, identity, self._client)
        self._election = LeaderElection(
            Config(self._lock, LEASE_SECONDS, RENEW_SECONDS, RETRY_SECONDS, _nothing, _nothing)
        )

    async def acquire(self) -> None:
        """Returns once this replica is the one that works."""
        lock = self._lock
        logger.info("waiting for the Lease %s/%s as %s", lock.namespace, lock.name, lock.identity)
        await self._election.acquire()
        lock.held_by_another.clear()
        logger.info("this replica leads")

    async def keep(self) -> None:
        """Renews the Lease; returns when it is lost: at once if another replica has it, which the library overlooks."""
        renewing = asyncio.create_task(self._election.renew_loop())
        taken = asyncio.create_task(self._lock.held_by_another.wait())
        try:
            await asyncio.wait({renewing, taken}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            renewing.cancel()
            taken.cancel()

    async def release(self) -> None:
        """Gives the Lease back, so that another replica need not wait until it expires."""
        lock = self._lock
        found, _ = await lock.get(lock.name, lock.namespace)
        lease = lock.lease_reference
        if not found or lease is None or lease.spec is None or lease.spec.holder_identity != lock.identity:
            return
        lease.spec.holder_identity = ""
        try:
            async with asyncio.timeout(_REQUEST_SECONDS):
                await lock.api_instance.replace_namespaced_lease(lock.name, lock.namespace, lease)
            logger.info("the Lease is released")
        except (ApiException, aiohttp.ClientError, TimeoutError, OSError) as error:
            logger.warning("the Lease could not be released and expires in %d s: %s", LEASE_SECONDS, error)

    async def close(self) -> None:
        """Closes the connection."""
        await self._client.close()  # type: ignore[no-untyped-call]  # the library has no annotations


async def _nothing() -> None:
    """The library asks for callbacks; acquire() and keep() return instead."""
