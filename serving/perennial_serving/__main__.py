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
    """Runs a command and returns the exit code; a failure is left as the pod's termination message."""
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
    os._exit(exits.TERMINATED)  # an exception could end in an import that goes on without what it failed to import


def _report(failure: Failure, path: Path) -> None:
    try:
        exits.report(failure, path)
    except OSError as error:
        log.info("no termination message was left: %s", error)


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
            max_batch=options.max_batch,
            max_waiting=options.max_waiting,
            linger_seconds=options.linger,
            grace_seconds=options.grace_period,
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
    command.add_argument("--uri", required=True, help="where it is: pvc://CLAIM/PATH, s3://BUCKET/PATH or file:///PATH")
    command.add_argument("--secret", help="name of the mounted Secret with the credentials for s3://")
    command.add_argument("--digest", required=True, help="the artifact's digest: sha256:…")
    command.add_argument("--to", required=True, type=Path, metavar="FOLDER", help="an empty folder, made if missing")
    command.add_argument(
        "--mounts",
        type=Path,
        default=pod.MOUNTS,
        metavar="FOLDER",
        help="holds claims/CLAIM and secrets/SECRET (default: %(default)s)",
    )


def _add_serve(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    command = _command(commands, "serve", "answer requests with the model that `fetch` left", _serve)
    command.add_argument("--model", required=True, type=Path, metavar="FOLDER", help="what `fetch` wrote to")
    command.add_argument("--name", required=True, help="the model's name in the API")
    command.add_argument("--version", required=True, help="its version, in every answer's x-perennial-version")
    command.add_argument("--host", default="0.0.0.0", help="address to listen on (default: %(default)s)")
    command.add_argument("--port", type=int, default=pod.SERVING_PORT, help="(default: %(default)s)")
    command.add_argument(
        "--max-batch",
        type=_at_least_one,
        default=8,
        metavar="N",
        help="requests, and sequences, computed together (default: 8)",
    )
    command.add_argument(
        "--max-waiting",
        type=_at_least_one,
        default=256,
        metavar="N",
        help="requests that may queue (default: 256)",
    )
    command.add_argument(
        "--linger",
        type=float,
        default=float(pod.ENDPOINT_LAG_SECONDS),
        metavar="SECONDS",
        help="after SIGTERM, go on taking requests for as long as Services may still send some (default: %(default)g)",
    )
    command.add_argument(
        "--grace-period",
        type=float,
        default=30.0,
        metavar="SECONDS",
        help="the pod's terminationGracePeriodSeconds; answers not done by then are cut (default: 30)",
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
        help="where the reason of a failure is left as JSON (default: %(default)s)",
    )
    return command


def _at_least_one(text: str) -> int:
    if (number := int(text)) < 1:
        raise argparse.ArgumentTypeError(f"{number} is less than 1")
    return number


if __name__ == "__main__":
    # The first process of a container ignores a signal without a handler, and would be killed in the end.
    # `serve` has a handler of its own as soon as it listens.
    signal.signal(signal.SIGTERM, _terminated)
    sys.exit(main())
