"""The command line of a serving pod: `python -m perennial_serving fetch|serve --help`."""

import argparse
import logging
import os
import signal
import sys
from pathlib import Path
from types import FrameType

from perennial_contract import cpus, exits, pod
from perennial_contract.exits import Failure
from perennial_serving.artifact import preflight
from perennial_serving.artifact.fetch import fetch

log = logging.getLogger(__name__)


def main(arguments: list[str] | None = None) -> int:
    """Runs a command; returns its exit code. A failure becomes the pod's termination message."""
    logging.basicConfig(level=logging.INFO, stream=sys.stdout, format="%(asctime)s %(levelname)s %(message)s")
    options = _parser().parse_args(arguments)
    try:
        options.run(options)
    except Failure as failure:
        log.error("%s: %s", failure.reason, failure.message)
        _report(failure, options.termination_log)
        return failure.code
    return 0


def _terminated(number: int, frame: FrameType | None) -> None:
    os._exit(exits.TERMINATED)  # an exception could be swallowed by an import that carries on without what failed


def _report(failure: Failure, path: Path) -> None:
    try:
        exits.report(failure, path)
    except OSError as error:
        log.info("can't write the termination message: %s", error)


def _fetch(options: argparse.Namespace) -> None:
    fetch(options.uri, options.digest, options.to, options.mounts, options.secret)


def _serve(options: argparse.Namespace) -> None:
    preflight.check(options.model)
    cpus.limit_threads()
    from perennial_serving.server import ServeOptions, serve  # takes seconds, because of torch

    serve(
        ServeOptions(
            model=options.model,
            name=options.name,
            version=options.version,
            host=options.host,
            port=options.port,
            max_batch_size=options.max_batch,
            max_queued_requests=options.max_waiting,
            linger_seconds=options.linger,
            grace_seconds=options.grace_period,
            api_keys=options.api_keys,
        )
    )


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m perennial_serving", description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    _add_fetch(commands)
    _add_serve(commands)
    return parser


def _add_fetch(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    command = _command(commands, "fetch", "copy an artifact into a folder and verify its digests", _fetch)
    command.add_argument(
        "--uri", required=True, help="artifact to fetch: pvc://CLAIM/PATH, s3://BUCKET/PATH or file:///PATH"
    )
    command.add_argument("--secret", help="name of the mounted Secret with the s3:// credentials")
    command.add_argument("--digest", required=True, help="digest of the artifact: sha256:…")
    command.add_argument(
        "--to", required=True, type=Path, metavar="FOLDER", help="empty folder to fetch into; created if missing"
    )
    command.add_argument(
        "--mounts",
        type=Path,
        default=pod.MOUNTS,
        metavar="FOLDER",
        help="folder with claims/CLAIM and secrets/SECRET (default: %(default)s)",
    )


def _add_serve(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    command = _command(commands, "serve", "serve a fetched artifact over HTTP", _serve)
    command.add_argument("--model", required=True, type=Path, metavar="FOLDER", help="folder with the fetched artifact")
    command.add_argument("--name", required=True, help="name of the model in the API")
    command.add_argument(
        "--version", required=True, help="version of the model, sent in the header x-perennial-version"
    )
    command.add_argument("--host", default="", help="address to listen on (default: all, of IPv4 and IPv6)")
    command.add_argument("--port", type=int, default=pod.SERVING_PORT, help="port to listen on (default: %(default)s)")
    command.add_argument(
        "--max-batch",
        type=_at_least_one,
        default=8,
        metavar="N",
        help="maximum number of requests or sequences in a batch (default: %(default)s)",
    )
    command.add_argument(
        "--max-waiting",
        type=_at_least_one,
        default=256,
        metavar="N",
        help="maximum number of queued requests (default: %(default)s)",
    )
    command.add_argument(
        "--linger",
        type=float,
        default=float(pod.ENDPOINT_LAG_SECONDS),
        metavar="SECONDS",
        help="how long to accept requests after SIGTERM, since Services may still send some (default: %(default)g)",
    )
    command.add_argument(
        "--grace-period",
        type=float,
        default=30.0,
        metavar="SECONDS",
        help="terminationGracePeriodSeconds of the pod; unfinished answers are cut then (default: %(default)s)",
    )
    command.add_argument(
        "--api-keys",
        type=Path,
        metavar="FOLDER",
        help="folder with one key per file, of which each request needs one; without it all may ask",
    )


def _command(
    commands: "argparse._SubParsersAction[argparse.ArgumentParser]", name: str, purpose: str, run: object
) -> argparse.ArgumentParser:
    command = commands.add_parser(name, help=purpose, description=f"{purpose[0].upper()}{purpose[1:]}.")
    command.set_defaults(run=run)
    command.add_argument(
        "--termination-log",
        type=Path,
        default=exits.TERMINATION_LOG,
        metavar="PATH",
        help="file for the reason of a failure, as JSON (default: %(default)s)",
    )
    return command


def _at_least_one(text: str) -> int:
    if (number := int(text)) < 1:
        raise argparse.ArgumentTypeError(f"{number} must be at least 1")
    return number


if __name__ == "__main__":
    # As the first process of a container it would ignore SIGTERM without a handler, and be killed after the grace
    # period. `serve` installs its own handler once it listens.
    signal.signal(signal.SIGTERM, _terminated)
    sys.exit(main())
