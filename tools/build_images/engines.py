"""The two programs that build a Dockerfile: buildah (no daemon, no registry) and Docker."""

import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import host
from catalogue import ALL, DEBIAN, PREFIX, ROOT, Image
from steps import Step, run

DEBIAN_TAG = f"{PREFIX}/{DEBIAN}:{host.SUITE}"


def build_with_buildah(image: Image) -> None:
    base = ALL[image.base].tag if image.base in ALL else DEBIAN_TAG
    with _context(image) as context, _secrets() as secrets:
        run(
            "buildah",
            "build",
            "--isolation",
            "chroot",
            "--layers",
            "--network",
            "host",
            "--pull-never",
            *secrets,
            *_arguments(image, base),
            str(context),
        )


def build_with_docker(image: Image) -> None:
    base = ALL[image.base].tag if image.base in ALL else f"debian:{host.SUITE}-slim"
    with _context(image) as context, _secrets() as secrets:
        run(
            "docker", "buildx", "build", "--load", "--network", "host", *secrets, *_arguments(image, base), str(context)
        )


ENGINES = {"buildah": build_with_buildah, "docker": build_with_docker}


def ensure_debian() -> None:
    """Makes the image of a minimal Debian, from Debian's own packages."""
    if not subprocess.run(("buildah", "inspect", "--type", "image", DEBIAN_TAG), capture_output=True).returncode:
        return
    with Step("debian: make a minimal system by mmdebstrap", 35), tempfile.TemporaryDirectory(dir="/var/tmp") as folder:
        archive = f"{folder}/debian.tar"
        run(
            "mmdebstrap",
            "--quiet",
            "--variant=minbase",
            "--include=ca-certificates",
            *(f"--dpkgopt=path-exclude=/usr/share/{unread}/*" for unread in ("doc", "man", "locale", "info")),
            *(f"--aptopt={line}" for line in host.apt_proxies()),
            host.SUITE,
            archive,
            *host.mirror_lines(),
        )
        container = run("buildah", "from", "scratch").strip()
        try:
            run("buildah", "add", "--quiet", container, archive, "/")
            run("buildah", "config", "--cmd", "bash", container)
            run("buildah", "commit", "--quiet", container, DEBIAN_TAG)
        finally:
            run("buildah", "rm", container)


def _arguments(image: Image, base: str) -> list[str]:
    arguments = [f"--build-arg={argument}" for argument in (f"BASE={base}", *image.arguments)]
    return [*arguments, "--file", str(image.dockerfile), "--tag", image.tag]


@contextmanager
def _context(image: Image) -> Iterator[Path]:
    """A folder with just the files that the Dockerfile copies: what is not an input can't get in."""
    with tempfile.TemporaryDirectory() as folder:
        for file in image.inputs():
            copy = Path(folder, file.relative_to(ROOT))
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(file, copy)
        yield Path(folder)


@contextmanager
def _secrets() -> Iterator[list[str]]:
    with tempfile.TemporaryDirectory() as folder:
        yield [f"--secret=id={name},src={path}" for name, path in host.secrets(Path(folder)).items()]
