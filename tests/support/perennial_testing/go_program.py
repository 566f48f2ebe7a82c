"""Programs in Go that tests need, from the Go module proxy; each has a folder with its go.mod and go.sum.

They are built once, into a cache folder named by a hash of those two files and of the folder's own source.
"""

import fcntl
import hashlib
import json
import os
import shutil
import subprocess
from pathlib import Path


def built(sources: Path, package: str, usually: str) -> Path:
    """The program of a package, built if it isn't there yet.

    A folder that exists is whole, as it is renamed into place.
    """
    name = package.rpartition("/")[2]
    files = (sources / "go.mod", sources / "go.sum", *sorted(sources.glob("*.go")))
    digest = hashlib.sha256(b"".join(path.read_bytes() for path in files)).hexdigest()[:16]
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "perennial" / "bin"
    target = cache / f"{name}-{digest}"
    if not target.is_dir():
        cache.mkdir(parents=True, exist_ok=True)
        with (cache / f"{name}.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not target.is_dir():
                print(f"Building {name} for the tests (once; usually {usually} on 2 cores)", flush=True)
                _build(sources, package, target / name)
    return target / name


def module_folder(sources: Path, module: str) -> Path:
    """Where the module cache holds a module of the build list: its manifests come with it."""
    return Path(json.loads(_go(sources, "mod", "download", "-json", module))["Dir"])


def _build(sources: Path, package: str, target: Path) -> None:
    building = target.parent.with_suffix(".building")
    shutil.rmtree(building, ignore_errors=True)
    _go(sources, "build", "-trimpath", "-ldflags", "-s -w", "-o", str(building / target.name), package)
    building.rename(target.parent)


def _go(sources: Path, *arguments: str) -> str:
    environment = os.environ | {"CGO_ENABLED": "0", "GOFLAGS": "-buildvcs=false -modcacherw", "GOWORK": "off"}
    done = subprocess.run(("go", *arguments), cwd=sources, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, f"go {arguments[0]} in {sources} failed (Go 1.26 or newer is needed): {done.stderr}"
    return done.stdout
