"""Which images there are, what each is built on, and how long it takes (2 cores, empty caches)."""

import re
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
DEBIAN = "debian"  # made by mmdebstrap, or Docker's own debian:trixie-slim
PREFIX = "localhost/perennial"


@dataclass(frozen=True)
class Image:
    name: str
    base: str  # another image's name, or DEBIAN
    seconds: int
    archive: str = ""  # images of one archive share its layers, which are written and loaded once
    archive_seconds: int = 0
    arguments: tuple[str, ...] = ()  # build arguments, NAME=value
    folder: str = ""  # of its Dockerfile; images/NAME without one

    @property
    def tag(self) -> str:
        return f"{PREFIX}/{self.name}:dev"

    @property
    def dockerfile(self) -> Path:
        return ROOT / (self.folder or f"images/{self.name}") / "Dockerfile"

    def inputs(self) -> list[Path]:
        """Every file that the Dockerfile copies, in a steady order.

        Raises SystemExit where something that it copies does not exist.
        """
        sources = [
            source
            for line in re.findall(r"^COPY (.+)$", self.dockerfile.read_text(), re.MULTILINE)
            for source in line.split()[:-1]
        ]
        return sorted({file for source in sources for file in self._files(source)})

    def key(self) -> str:
        """Digest of all that the image is made of."""
        digest = sha256(repr((self.name, self.base, self.arguments)).encode())
        if self.base in ALL:
            digest.update(ALL[self.base].key().encode())
        for file in (self.dockerfile, *self.inputs()):
            digest.update(f"{file.relative_to(ROOT)} {sha256(file.read_bytes()).hexdigest()}\n".encode())
        return digest.hexdigest()

    def _files(self, source: str) -> list[Path]:
        found = [
            file
            for match in ROOT.glob(source)
            for file in (match.rglob("*") if match.is_dir() else [match])
            if file.is_file() and "__pycache__" not in file.parts
        ]
        if not found:
            named = self.dockerfile.relative_to(ROOT)
            raise SystemExit(f"{named} copies {source}, and there is no such file in {ROOT}.")
        return found


BASES = {
    image.name: image
    for image in (
        Image("base", DEBIAN, 20),
        Image("base-torch", "base", 80),
    )
}
IMAGES = {
    image.name: image
    for image in (
        Image("operator", "base", 20, "operator", 4),
        Image("serving", "base-torch", 40, "pods", 15, ("TORCH=base",)),
        Image("training", "base-torch", 5, "pods", 15, ("TORCH=base",)),
        Image("prometheus", DEBIAN, 15, "prometheus", 4),
        Image("pushgateway", DEBIAN, 10, "pushgateway", 2),
    )
}
# Programs in other frameworks, which only their tests need.
EXAMPLES = {
    image.name: image
    for image in (
        Image(
            *("example-pytorch", "base-torch", 20, "example-pytorch", 10, ("PACKAGES=base",)),
            folder="examples/runtimes/pytorch",
        ),
        Image("example-tensorflow", "base", 60, "example-tensorflow", 10, folder="examples/runtimes/tensorflow"),
    )
}
ALL = BASES | IMAGES | EXAMPLES


def members(archive: str) -> list[Image]:
    return [image for image in (IMAGES | EXAMPLES).values() if image.archive == archive]


def in_order(images: list[Image]) -> list[Image]:
    """The images with their bases, each once and after what it is built on."""
    ordered: dict[str, Image] = {}
    for image in images:
        if image.base in ALL:
            ordered |= {base.name: base for base in in_order([ALL[image.base]])}
        ordered[image.name] = image
    return list(ordered.values())
