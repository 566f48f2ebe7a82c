"""A node's private view of the machine: made inside its own mount and network namespaces."""

import subprocess
import time
from pathlib import Path

import cgroups
from cluster import Cluster, Node

# What the node's programs write at fixed places is kept from the machine's own folders.
PRIVATE_FOLDERS = ("/run", "/var/log", "/var/lib")
KUBELET_FOLDER = Path("/var/lib/kubelet")  # the usual one: a longer path would be too long for its sockets

# What the kubelet would otherwise set for the whole machine, and nobody would set back.
KUBELET_SYSCTLS = {
    "vm/overcommit_memory": 1,
    "vm/panic_on_oom": 0,
    "kernel/panic": 10,
    "kernel/panic_on_oops": 1,
    "kernel/keys/root_maxkeys": 1000000,
    "kernel/keys/root_maxbytes": 25000000,
}

# Of the node's own network namespace only.
NETWORK_SYSCTLS = {
    "ipv4/ip_forward": 1,
    "ipv4/icmp_ratelimit": 0,  # each attempt of a pod to reach the outside is refused at once
}
LINK_SECONDS = 10


def prepare(node: Node) -> None:
    _wait_for_link()
    for folder in PRIVATE_FOLDERS:
        _mount("-t", "tmpfs", "-o", "mode=755", "perennial", folder)
    _show_at(node.path("kubelet"), KUBELET_FOLDER)
    _pretend_sysctls()
    _mount("--make-rshared", "/")  # the kubelet's mounts have to reach the containers
    for name, value in NETWORK_SYSCTLS.items():
        Path("/proc/sys/net", name).write_text(str(value))
    cgroups.remove(node)
    cgroups.create(node)


def refuse_hidden(cluster: Cluster) -> None:
    """The cluster's own folder must not lie where the node sees an empty one."""
    for folder in PRIVATE_FOLDERS:
        if cluster.folder.resolve().is_relative_to(folder):
            raise SystemExit(
                f"{cluster.folder} lies in {folder}, which the node hides: set XDG_STATE_HOME to a folder elsewhere."
            )


def _show_at(folder: Path, place: Path) -> None:
    for path in (folder, place):
        path.mkdir(parents=True, exist_ok=True)
    _mount("--bind", str(folder), str(place))


def _pretend_sysctls() -> None:
    """Shows the kubelet the values that it wants, without a change of the machine's."""
    for name, value in KUBELET_SYSCTLS.items():
        shown = Path("/run/sysctl", name)
        shown.parent.mkdir(parents=True, exist_ok=True)
        shown.write_text(f"{value}\n")
        _mount("--bind", str(shown), f"/proc/sys/{name}")


def _wait_for_link() -> None:
    """One end of a veth pair is moved into this network namespace and set up, by `up` or by the supervisor."""
    deadline = time.monotonic() + LINK_SECONDS
    while "eth0" not in Path("/proc/net/route").read_text():
        if time.monotonic() > deadline:
            raise SystemExit("no link appeared in time: `up` was interrupted")
        time.sleep(0.05)


def _mount(*arguments: str) -> None:
    subprocess.run(("mount", *arguments), check=True)
