"""Builds the cluster's program once, into a cache folder named by a hash of its sources."""

import fcntl
import hashlib
import os
import shutil
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import host
from cluster import KUBERNETES, cache_root

SOURCES = Path(__file__).parent / "binaries"
NAMES = (
    "coredns",
    "etcd",
    "kube-apiserver",
    "kube-controller-manager",
    "kube-proxy",
    "kube-scheduler",
    "kubectl",
    "kubelet",
)
VERSION = "k8s.io/component-base/version"
MAJOR, MINOR, _ = KUBERNETES.removeprefix("v").split(".")
LINKER_FLAGS = f"-s -w -X {VERSION}.gitVersion={KUBERNETES} -X {VERSION}.gitMajor={MAJOR} -X {VERSION}.gitMinor={MINOR}"
PACKAGES = 2970  # about as many are compiled when nothing is cached
ENVIRONMENT = {
    "CGO_ENABLED": "0",
    "GOFLAGS": "-buildvcs=false",
    "GOWORK": "off",
    "GOGC": "400",
}  # the compiler then collects its garbage less often: some seconds saved
REPORT_SECONDS = 15


def folder() -> Path:
    """Where the binaries of the present sources are, or will be."""
    files = [SOURCES / "go.mod", SOURCES / "go.sum", *sorted(SOURCES.rglob("*.go"))]
    digest = hashlib.sha256(LINKER_FLAGS.encode())
    for file in files:
        digest.update(file.read_bytes())
    return cache_root() / "bin" / digest.hexdigest()[:16]


def program(name: str) -> Path:
    return folder() / name


def ensure() -> Path:
    """Builds what isn't there yet; a folder that exists is whole, as it is renamed into place."""
    target = folder()
    if target.is_dir():
        return target
    host.require_go(SOURCES)
    target.parent.mkdir(parents=True, exist_ok=True)
    with _locked(target.parent):
        if not target.is_dir():
            _build(target)
    return target


def _build(target: Path) -> None:
    for abandoned in target.parent.glob("*.building"):
        shutil.rmtree(abandoned)
    building = target.with_suffix(".building")
    building.mkdir()
    print(f"Building Kubernetes {KUBERNETES}, etcd and CoreDNS (once; usually 8 min on 2 cores)", flush=True)
    began = time.monotonic()
    _go("build", "-v", "-trimpath", "-ldflags", LINKER_FLAGS, "-o", f"{building}/cluster", ".")
    _go("build", "-trimpath", "-ldflags", "-s -w", "-o", f"{building}/pause", "./pause")
    for name in NAMES:
        (building / name).symlink_to("cluster")
    building.rename(target)
    print(f"  built in {time.monotonic() - began:.0f} s into {target}", flush=True)


def _go(*arguments: str) -> None:
    """Runs go, and says every 15 s how far it is."""
    began, lines = time.monotonic(), list[str]()
    process = subprocess.Popen(
        ("go", *arguments),
        cwd=SOURCES,
        env=os.environ | ENVIRONMENT,
        text=True,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    )
    reader = threading.Thread(target=lambda: lines.extend(process.stderr or ()), daemon=True)
    reader.start()
    try:
        while reader.is_alive():
            reader.join(REPORT_SECONDS)
            if reader.is_alive():
                print(f"  {time.monotonic() - began:4.0f} s: {_progress(lines)}", flush=True)
    finally:
        if process.poll() is None and reader.is_alive():
            process.terminate()
    if process.wait():
        raise SystemExit(f"go {arguments[0]} failed:\n" + "".join(lines[-20:]))


def _progress(lines: list[str]) -> str:
    downloaded = sum(line.startswith("go: downloading") for line in lines)
    compiled = sum(not line.startswith("go: ") for line in lines)
    return f"{downloaded} modules downloaded, {compiled} of about {PACKAGES} packages compiled"


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    """One build at a time; the kernel drops the lock of a process that dies."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)
