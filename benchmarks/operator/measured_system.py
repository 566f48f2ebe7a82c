"""The interface of a measured system; perennial_operator, direct_writes and kubeflow_trainer implement it."""

from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from typing import Protocol

from api_client import Api, Manifest
from fresh_control_plane import ControlPlane
from measured_process import Process

NAMESPACE = "bench"


class System(Protocol):
    """A way to make a child and a status for each of many objects.

    owners, children: the paths of the collections. A child has its owner's name.
    agents: how the names of its clients begin, as the audit log knows them.
    gives_status: whether an object gets a status before anything happens to its child.
    """

    name: str
    owners: str
    children: str
    agents: tuple[str, ...]
    version: str
    gives_status: bool

    async def prepare(self, api: Api, control_plane: ControlPlane) -> None:
        """Makes what its objects need."""

    @contextmanager
    def run(self, control_plane: ControlPlane) -> Iterator[Process | None]:
        """Its process, ready for work; None if the load itself does it."""

    async def create(self, api: Api, name: str) -> None:
        """Creates one object."""

    def has_status(self, owner: Manifest) -> bool: ...

    def shows_change(self, owner: Manifest) -> bool:
        """Whether the status tells what change_child did."""

    def changeable(self, api: Api) -> AsyncIterator[str]:
        """Names whose child can be changed; none where nobody would look."""

    async def change_child(self, api: Api, name: str) -> None: ...
