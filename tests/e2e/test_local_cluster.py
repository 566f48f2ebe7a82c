"""The local cluster itself: it comes up with two nodes, repairs itself, runs restricted pods, and leaves nothing."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

TOOL = Path(__file__).parents[2] / "tools/local_cluster"
pytestmark = [
    pytest.mark.e2e,
    pytest.mark.timeout(900),
    pytest.mark.skipif(
        os.geteuid() != 0 or not Path("/etc/debian_version").exists(),
        reason="the local cluster's node needs root on Debian",
    ),
]

RESTRICTED = {
    "runAsNonRoot": True,
    "runAsUser": 10001,
    "seccompProfile": {"type": "RuntimeDefault"},
    "allowPrivilegeEscalation": False,
    "capabilities": {"drop": ["ALL"]},
}
OBJECTS = [
    {
        "apiVersion": "v1",
        "kind": "Namespace",
        "metadata": {"name": "team", "labels": {"pod-security.kubernetes.io/enforce": "restricted"}},
    },
    {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": {"name": "models", "namespace": "team"},
        "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}},
    },
]


def pod(security: dict[str, object], name: str = "idle", **spec: object) -> dict[str, object]:
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "namespace": "team"},
        "spec": spec
        | {
            "containers": [
                {
                    "name": "idle",
                    "image": "localhost/perennial/pause:1",
                    "securityContext": security,
                    "volumeMounts": [{"name": "models", "mountPath": "/models"}],
                }
            ],
            "volumes": [{"name": "models", "persistentVolumeClaim": {"claimName": "models"}}],
        },
    }


def tool(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run((sys.executable, TOOL, *arguments), capture_output=True, text=True)


def kubectl(name: str, *arguments: str, given: object = None) -> subprocess.CompletedProcess[str]:
    kubeconfig = tool("kubeconfig", "--name", name).stdout.strip()
    return subprocess.run(
        (tool("kubectl-path").stdout.strip(), "--kubeconfig", kubeconfig, *arguments),
        input=json.dumps(given),
        capture_output=True,
        text=True,
    )


def process(name: str, component: str) -> int:
    """The pid of a component, as `status` tells it."""
    described = tool("status").stdout.split(f"{name}: ")[1].splitlines()
    return next(int(line.split()[-1]) for line in described if line.split()[0] == component)


def eventually(check: Callable[[], bool], seconds: float = 30) -> bool:
    deadline = time.monotonic() + seconds
    while not check():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.2)
    return True


def traces(name: str) -> list[str]:
    """What is left of a cluster on the machine: processes, mounts, interfaces, routes, rules, cgroups, files."""
    commands = (("ps", "-eo", "args"), ("mount",), ("ip", "link"), ("ip", "route"), ("nft", "list", "tables"))
    lines = [
        line
        for command in commands
        for line in subprocess.run(command, capture_output=True, text=True).stdout.splitlines()
    ]
    signs = (f"perennial/{name}/", f"pl-{name}", "table ip kube-proxy")
    found = [line for line in lines if any(sign in line for sign in signs)]
    return found + [str(path) for path in Path("/sys/fs/cgroup").glob(f"**/perennial-{name}.*")]


@pytest.fixture(scope="module")
def own_state(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder of clusters that holds no other than the tests'."""
    folder = tmp_path_factory.mktemp("state")
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("XDG_STATE_HOME", str(folder))
        yield folder / "perennial"


@pytest.fixture(scope="module")
def node(own_state: Path) -> Iterator[str]:
    """One for all tests: the last of them takes it down."""
    name = "lctest"
    try:
        done = tool("up", "--name", name, "--nodes", "2")
        assert done.returncode == 0, done.stdout + done.stderr
        yield name
    finally:
        tool("down", "--name", name)


def test_a_restricted_pod_runs_with_a_volume_and_an_unrestricted_one_is_refused(node: str) -> None:
    kubectl(node, "apply", "-f", "-", given={"apiVersion": "v1", "kind": "List", "items": OBJECTS})
    refused = kubectl(node, "apply", "-f", "-", given=pod({"privileged": True}))
    assert 'violates PodSecurity "restricted' in refused.stderr
    kubectl(node, "apply", "-f", "-", given=pod(RESTRICTED))
    ready = kubectl(node, "-n", "team", "wait", "--for=condition=Ready", "pod/idle", "--timeout=60s")
    assert ready.returncode == 0, ready.stderr


def test_pods_of_two_nodes_reach_each_other(node: str) -> None:
    """The pods have the same volume, too. A port at which nobody listens refuses: so the packets arrive."""
    names = [node, f"{node}-2"]
    kubectl(node, "apply", "-f", "-", given={"apiVersion": "v1", "kind": "List", "items": OBJECTS})
    for each in names:
        kubectl(node, "apply", "-f", "-", given=pod(RESTRICTED, f"on-{each}", nodeName=each))
        ready = kubectl(node, "-n", "team", "wait", "--for=condition=Ready", f"pod/on-{each}", "--timeout=60s")
        assert ready.returncode == 0, ready.stderr
    addresses = {each: field(node, f"on-{each}", "{.status.podIP}") for each in names}
    assert len({address.split(".")[2] for address in addresses.values()}) == 2
    for here, there in (names, names[::-1]):
        assert reaches(process_of_pod(field(node, f"on-{here}", "{.metadata.uid}")), addresses[there])


def field(name: str, of: str, path: str) -> str:
    return kubectl(name, "-n", "team", "get", "pod", of, "-o", f"jsonpath={path}").stdout


def process_of_pod(uid: str) -> int:
    """The pid of one of its processes, by its cgroup."""
    return next(
        int(path.parent.name)
        for path in Path("/proc").glob("[0-9]*/cgroup")
        if path.exists() and uid in path.read_text() and path.with_name("exe").readlink().name == "pause"
    )


def reaches(pid: int, address: str) -> bool:
    connect = f"import socket; socket.create_connection(({address!r}, 9), 5)"
    command = ("nsenter", f"--net=/proc/{pid}/ns/net", sys.executable, "-c", connect)
    return "ConnectionRefusedError" in subprocess.run(command, capture_output=True, text=True).stderr


def test_deleting_a_claim_deletes_its_folder(node: str, own_state: Path) -> None:
    kubectl(node, "apply", "-f", "-", given={"apiVersion": "v1", "kind": "List", "items": OBJECTS})
    kubectl(node, "-n", "team", "delete", "pod", "--all", "--grace-period=0", "--force")  # a claim in use stays
    volumes = own_state / node / "volumes"
    assert eventually(lambda: volumes.is_dir() and len(list(volumes.iterdir())) == 1)
    kubectl(node, "-n", "team", "delete", "pvc", "models")
    assert eventually(lambda: not list(volumes.iterdir()))


def test_it_comes_back_after_kill_of_a_component_and_of_the_supervisor(node: str) -> None:
    kubectl(node, "create", "namespace", "kept")
    for component in ("etcd", "containerd", f"{node}-2", "supervisor"):
        os.kill(process(node, component), signal.SIGKILL)
        again = tool("up", "--name", node)
        assert again.returncode == 0, again.stdout + again.stderr
    assert kubectl(node, "get", "namespace", "kept").returncode == 0


def test_two_clusters_side_by_side(node: str) -> None:
    try:
        assert tool("up", "--name", "lctest2", "--control-plane-only").returncode == 0
        assert tool("status").returncode == 0
        assert kubectl("lctest2", "get", "nodes").stdout == ""
        assert kubectl(node, "get", "nodes", "-o", "name").stdout.split() == [f"node/{node}", f"node/{node}-2"]
    finally:
        tool("down", "--name", "lctest2")
    assert tool("status").returncode == 0


def test_clusters_of_two_folders_that_start_at_once_get_networks_of_their_own(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    """As the playground and this file do: neither sees the folder of the other, and for a moment not its route."""
    folders = [tmp_path_factory.mktemp("state") for _ in range(2)]  # a longer path would be too long for its sockets
    environments = [os.environ | {"XDG_STATE_HOME": str(folder)} for folder in folders]

    def side_by_side(command: str, *arguments: str) -> list[str]:
        started = [
            subprocess.Popen(
                (sys.executable, TOOL, command, "--name", f"lcfolder{number}", *arguments),
                env=environment,
                stdout=subprocess.PIPE,
                text=True,
            )
            for number, environment in enumerate(environments)
        ]
        said = [process.communicate()[0] for process in started]
        assert [process.returncode for process in started] == [0, 0], said
        return said

    try:
        said = side_by_side("up", "--control-plane-only")
        assert len({line.split(" at ")[1] for text in said for line in text.splitlines() if " is up: " in line}) == 2
    finally:
        side_by_side("down")


@pytest.mark.parametrize(
    ("arguments", "advice"),
    [
        (("up", "--name", "No_Name"), "use up to 12 of a-z"),
        (("up", "--name", "absent", "--nodes", "5"), "use 1 to 4"),
        (("kubeconfig", "--name", "absent"), "bring it up first"),
        (("load-image", "--name", "absent", "image.tar"), "bring it up first"),
        (("logs", "--name", "absent"), "bring it up first"),
    ],
)
def test_a_wrong_request_is_refused_with_advice(own_state: Path, arguments: tuple[str, ...], advice: str) -> None:
    done = tool(*arguments)
    assert done.returncode == 1
    assert advice in done.stderr
    assert "Traceback" not in done.stderr


def test_what_is_no_image_is_refused(node: str, tmp_path: Path) -> None:
    text = tmp_path / "text.tar"
    text.write_text("no archive")
    assert "no tar archive" in tool("load-image", "--name", node, str(text)).stderr
    assert "does not exist" in tool("load-image", "--name", node, str(tmp_path / "absent.tar")).stderr


def test_down_leaves_nothing_even_after_kill_of_the_supervisor(node: str, own_state: Path) -> None:
    os.kill(process(node, "supervisor"), signal.SIGKILL)
    assert tool("down", "--name", node).returncode == 0
    assert tool("down", "--name", node).returncode == 0
    assert not own_state.exists()
    assert eventually(lambda: not traces(node)), traces(node)
