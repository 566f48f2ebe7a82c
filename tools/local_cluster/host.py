"""What the machine must offer: root, Debian's packages, Go. What is missing is installed or explained."""

import os
import shutil
import subprocess
from pathlib import Path

PACKAGES = {  # Debian's package: what of it is used
    "containerd": "containerd",
    "runc": "runc",
    "containernetworking-plugins": "/usr/lib/cni/ptp",
    "nftables": "nft",
    "iptables": "iptables",
    "iproute2": "ip",
    "openssl": "openssl",
    "util-linux": "unshare",
}
CONTROL_PLANE_PACKAGES = ("openssl", "util-linux")
INSTEAD = (
    "Instead, create a cluster with kind and Docker (kind create cluster --config "
    "tools/local_cluster/kind.yaml), or set KUBECONFIG to a cluster that you have."
)
GO = (1, 26)


def require(control_plane_only: bool) -> None:
    """Installs missing packages where it can.

    Raises SystemExit with what to do instead where it can't.
    """
    if os.uname().sysname != "Linux":
        raise SystemExit(f"The local cluster needs Linux. {INSTEAD}")
    if os.geteuid() != 0 and not control_plane_only:
        raise SystemExit(
            "A node needs root (namespaces, mounts, cgroups): run it with sudo, or ask for "
            f"`up --control-plane-only`. {INSTEAD}"
        )
    missing = [
        package
        for package, used in PACKAGES.items()
        if not _present(used) and (package in CONTROL_PLANE_PACKAGES or not control_plane_only)
    ]
    if missing:
        _install(missing)


def require_go(folder: Path) -> None:
    if not shutil.which("go"):
        raise SystemExit(
            f"Building the cluster needs Go {GO[0]}.{GO[1]} or newer, and there is no `go` on the "
            f"PATH: install it from https://go.dev/dl. {INSTEAD}"
        )
    done = subprocess.run(("go", "version"), cwd=folder, capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(
            f"Building the cluster needs Go {GO[0]}.{GO[1]} or newer: {done.stderr.strip()}. "
            f"Install it from https://go.dev/dl. {INSTEAD}"
        )


def _present(used: str) -> bool:
    return Path(used).exists() if used.startswith("/") else shutil.which(used) is not None


def _install(packages: list[str]) -> None:
    if not shutil.which("apt-get") or os.geteuid() != 0:
        raise SystemExit(
            f"Missing: {', '.join(packages)} (names of Debian's packages), and they can't be "
            f"installed here (that needs root and apt-get). {INSTEAD}"
        )
    print(f"Installing Debian packages: {' '.join(packages)} (usually 30 s)", flush=True)
    environment = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
    for command in (
        ("apt-get", "update", "-qq"),
        ("apt-get", "install", "-y", "-qq", "--no-install-recommends", *packages),
    ):
        done = subprocess.run(command, env=environment, capture_output=True, text=True)
        if done.returncode:
            raise SystemExit(f"{' '.join(command)} failed:\n{(done.stderr or done.stdout).strip()[-2000:]}\n{INSTEAD}")
