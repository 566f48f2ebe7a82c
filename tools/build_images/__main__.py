"""Builds Perennial's images for a local cluster: `python3 tools/build_images build`.

Progress goes to stderr; stdout carries the archives' paths alone, so that
`python3 tools/local_cluster load-image $(python3 tools/build_images build)` does the rest.
"""

import argparse
import subprocess
import sys

import archives
import catalogue
import host
from engines import ENGINES, ensure_debian
from steps import Step


def main(arguments: list[str]) -> None:
    options = _parser().parse_args(arguments)
    options.run(options)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="build_images", description=__doc__.splitlines()[0])
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    build = commands.add_parser("build", help="build outdated images, and print the paths of their archives")
    build.set_defaults(run=_build)
    build.add_argument("images", nargs="*", metavar="IMAGE", type=_name, help=f"default: {', '.join(catalogue.IMAGES)}")
    build.add_argument(
        "--engine",
        choices=ENGINES,
        default="buildah",
        help="buildah (default) writes archives; docker stores the images, for `kind load`",
    )
    commands.add_parser("list", help="list the images, their archives and whether they are up to date").set_defaults(
        run=_list
    )
    clean = commands.add_parser(
        "clean", help="delete the archives, buildah's images of this project and its layer cache"
    )
    clean.set_defaults(run=_clean)
    return parser


def _name(text: str) -> str:
    known = catalogue.IMAGES | catalogue.EXAMPLES
    if text not in known:
        raise argparse.ArgumentTypeError(f"no image {text}; there are {', '.join(known)}")
    return text


def _build(options: argparse.Namespace) -> None:
    wanted = [catalogue.ALL[name] for name in options.images or catalogue.IMAGES]
    _build_with_docker(wanted) if options.engine == "docker" else _build_archives(wanted)


def _build_archives(wanted: list[catalogue.Image]) -> None:
    groups = list(dict.fromkeys(image.archive for image in wanted))
    with archives.lock():
        stale = [group for group in groups if not archives.is_current(group)]
        if stale:
            host.require()
            ensure_debian()
        for group in stale:
            _build_archive(group)
    for group in groups:
        print(archives.path(group))


def _build_archive(group: str) -> None:
    key = archives.key(group)  # before the build: a file that changes meanwhile makes the archive stale
    members = catalogue.members(group)
    _build_images(members, "buildah")
    with Step(f"{group}: write the archive", members[0].archive_seconds):
        archives.write(group, key)


def _build_images(images: list[catalogue.Image], engine: str) -> None:
    """Builds the images and their bases; the engine's own cache makes an unchanged one a matter of a second."""
    for image in catalogue.in_order(images):
        with Step(f"{image.name}: build the image", image.seconds):
            ENGINES[engine](image)


def _build_with_docker(wanted: list[catalogue.Image]) -> None:
    if subprocess.run(("docker", "info"), capture_output=True).returncode:
        raise SystemExit("No Docker engine answers `docker info`: start Docker, or build with --engine buildah.")
    _build_images(wanted, "docker")
    print("\nInto kind: kind load docker-image", *(image.tag for image in wanted), file=sys.stderr)


def _list(_: argparse.Namespace) -> None:
    print(f"{'IMAGE':40} {'STATE':8} {'MB':>6}  ARCHIVE")
    for image in catalogue.IMAGES.values():
        path, size = archives.path(image.archive), archives.size(image.archive) // 10**6
        state = "missing" if not size else "current" if archives.is_current(image.archive) else "stale"
        print(f"{image.tag:40} {state:8} {size:6}  {path}")


def _clean(_: argparse.Namespace) -> None:
    archives.clean()


if __name__ == "__main__":
    try:
        main(sys.argv[1:])
    except KeyboardInterrupt:
        raise SystemExit("\nInterrupted: the same command goes on from here.") from None
    except OSError as error:
        raise SystemExit(f"{error.strerror or error}: {error.filename}") from None
