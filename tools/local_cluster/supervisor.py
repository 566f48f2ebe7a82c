"""The first process of a cluster's own process namespace: it starts the components and revives them.

Everything of a cluster lives in namespaces of its own (processes, mounts and, with a node, network).
When this process ends, even by SIGKILL, the kernel ends all others in them, containers included, and
drops their mounts, interfaces and rules. So nothing can be left behind, whatever dies.
"""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import addons
import binaries
import health
import network
import node as node_view
from api import UNREACHABLE, Api
from cluster import Cluster, Node
from component import Component
from components import components, of_node
from node_components import HERE
from processes import Process, load

RESTART_SECONDS = 1.0
POLL_SECONDS = 0.1
IDLE_SECONDS = 60.0
SYSTEM_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
NAMESPACES = ("--pid", "--fork", "--kill-child", "--mount", "--propagation", "private", "--mount-proc")


def start(cluster: Cluster) -> Process:
    """Starts a supervisor as a daemon, through `unshare`, which lives as long as it does."""
    namespaces = ("--user", "--map-root-user", *NAMESPACES) if os.geteuid() else NAMESPACES
    if not cluster.control_plane_only:
        namespaces = ("--net", *namespaces)
    with log(cluster, "supervisor").open("ab") as output:
        started = subprocess.Popen(
            ("unshare", *namespaces, sys.executable, HERE, "supervise", "--name", cluster.name),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
    process = Process.of(started.pid)
    process.save(_record(cluster))
    return process


def find(cluster: Cluster) -> Process | None:
    """The `unshare` around the cluster's supervisor, where it lives."""
    return load(_record(cluster))


def kill(cluster: Cluster) -> None:
    """Ends every process of the cluster, and returns when they are gone."""
    if outer := find(cluster):
        for supervisor in outer.children():  # it ends last in its namespace: the kernel sees to that
            supervisor.kill()
        outer.kill()


def log(cluster: Cluster, component: str) -> Path:
    return cluster.path("logs", f"{component}.log")


def run(cluster: Cluster) -> None:
    """Runs the cluster until it is killed. The process has to be the first of its namespace."""
    for first in cluster.nodes[:1]:
        node_view.prepare(first)
    _supervise(cluster, components(cluster), cluster.path("logs"))


def run_node(node: Node) -> None:
    """Runs another node than the first until it is killed. The process has to be the first of its namespace."""
    node_view.prepare(node)
    _supervise(node.cluster, of_node(node), node.cluster.path("logs", node.name))


def _supervise(cluster: Cluster, parts: tuple[Component, ...], logs: Path) -> None:
    """Starts the components, and again when they end."""
    logs.mkdir(exist_ok=True)
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGCHLD})
    due = {component: time.monotonic() for component in parts}  # when each is to be started
    running: dict[int, Component] = {}
    programs, bootstrapped = binaries.folder(), False
    while True:
        bootstrapped = bootstrapped or _bootstrap(cluster)
        for component in [c for c, when in due.items() if when <= time.monotonic()]:
            if bootstrapped or not component.needs_api:
                running[_spawn(component, programs, logs)] = component
                del due[component]
        due |= {component: time.monotonic() + RESTART_SECONDS for component in _ended(running)}
        signal.sigtimedwait({signal.SIGCHLD}, POLL_SECONDS if due else IDLE_SECONDS)


def _bootstrap(cluster: Cluster) -> bool:
    """Creates the addons as soon as the API server is ready; the other components find them there."""
    if not health.api_ready(cluster):
        return False
    try:
        addons.create(Api(cluster.kubeconfig))
    except UNREACHABLE:
        return False
    return True


def _ended(running: dict[int, Component]) -> Iterator[Component]:
    """Buries the dead, orphans of containers included, and yields the components among them."""
    while True:
        try:
            pid, status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return
        if pid == 0:
            return
        if component := running.pop(pid, None):
            print(f"{component.name} ended ({os.waitstatus_to_exitcode(status)}) and starts again", flush=True)
            yield component


def _spawn(component: Component, programs: Path, logs: Path) -> int:
    program = str(programs / component.program)  # an absolute path of a component's own stays as it is
    output = (
        os.POSIX_SPAWN_OPEN,
        1,
        str(logs / f"{component.name}.log"),
        os.O_WRONLY | os.O_CREAT | os.O_APPEND,
        0o644,
    )
    environment = os.environ | {"PATH": SYSTEM_PATH}
    pid = os.posix_spawn(
        program,
        [component.name, *component.arguments],
        environment,
        setsid=True,
        setsigmask=(),
        file_actions=[output, (os.POSIX_SPAWN_DUP2, 1, 2)],
    )
    if component.link:
        _connect(component.link, pid)
    return pid


def _connect(link: network.Link, pid: int) -> None:
    """A process that gets no link ends after a while, and is started again."""
    try:
        network.disconnect(link)  # of one that ended a moment ago
        network.connect(link, pid)
    except (OSError, SystemExit) as error:
        print(error, flush=True)


def _record(cluster: Cluster) -> Path:
    return cluster.path("supervisor.json")
