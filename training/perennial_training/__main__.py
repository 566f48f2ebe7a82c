"""The command line of a training pod: train, delete-artifact."""

import argparse
import errno
import json
import os
import sys
import traceback
from pathlib import Path
from typing import Any

from perennial_contract import cpus, exits, pod
from perennial_contract.exits import Failure
from perennial_training import config, job
from perennial_training.distributed import launch
from perennial_training.distributed.termination import Termination
from perennial_training.output import deletion


def main(arguments: list[str] | None = None) -> int:
    """Runs one command; returns its exit code, and leaves result or failure as the termination message."""
    options = _parser().parse_args(arguments)
    options.given = sys.argv[1:] if arguments is None else arguments
    cpus.limit_threads(launch.processes_per_node(os.environ))
    try:
        options.run(options)
    except Failure as failure:
        return _fail(failure, options.termination_log)
    except Exception as error:
        return _fail(_explain(error), options.termination_log)
    return 0


def train(options: argparse.Namespace) -> None:
    wanted = config.load(options.config)  # before processes are started that would each refuse it
    launch.join(os.environ, ["perennial_training", *options.given])
    termination = Termination()
    result = job.run(wanted, options.mounts, options.metrics_port, termination, report)
    if launch.leads(os.environ):
        _leave(result, options.termination_log)
        print(json.dumps(result), flush=True)
    launch.part(os.environ)


def delete_artifact(options: argparse.Namespace) -> None:
    target = deletion.Target(options.digest, options.job)
    deletion.delete(options.uri, target, options.mounts, report, options.secret)


def report(line: str) -> None:
    print(line, flush=True)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m perennial_training",
        description="Trains a language model from a job's configuration, or deletes an artifact.",
        epilog="Exit codes: 0 done, 65 bad data, 66 input missing, 75 try again later, 78 bad configuration, "
        "76 another pod of the training is gone, "
        "143 stopped by SIGTERM (a checkpoint was saved); any other: unexpected, try again.",
    )
    common = argparse.ArgumentParser(add_help=False)
    common.add_argument(
        "--mounts",
        type=Path,
        default=pod.MOUNTS,
        help="folder that holds claims/ and configmaps/ (default: %(default)s)",
    )
    common.add_argument(
        "--termination-log",
        type=Path,
        default=exits.TERMINATION_LOG,
        help="where to leave result or failure as JSON (default: %(default)s, if it is there)",
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    run = commands.add_parser("train", parents=[common], help="train, evaluate and publish; resumes where it was")
    run.add_argument("--config", type=Path, default=pod.CONFIGURATION, help="the job (default: %(default)s)")
    run.add_argument(
        "--metrics-port",
        type=int,
        default=pod.TRAINING_METRICS_PORT,
        help="port of /metrics, 0 for none (default: %(default)s)",
    )
    run.set_defaults(run=train)
    remove = commands.add_parser("delete-artifact", parents=[common], help="delete an artifact if it is the one meant")
    remove.add_argument("--uri", required=True, help="pvc://CLAIM/PATH or s3://BUCKET/PATH")
    remove.add_argument("--digest", help="sha256:… of its manifest; without it only what is unfinished is deleted …")
    remove.add_argument("--job", metavar="NAMESPACE/NAME", help="… or what this job made, where nobody knows a digest")
    remove.add_argument("--secret", help="name of the mounted Secret with the credentials for s3://")
    remove.set_defaults(run=delete_artifact)
    return parser


def _fail(failure: Failure, log: Path) -> int:
    print(f"{failure.reason}: {failure.message}", file=sys.stderr, flush=True)
    if _is_there(log) and not (failure.code in exits.CONSEQUENCES and _is_written(log)):
        exits.report(failure, log)
    return failure.code


def _leave(result: dict[str, Any], log: Path) -> None:
    if _is_there(log):
        exits.leave(result, log)


def _is_written(log: Path) -> bool:
    """Whether another process of this pod has said already what began it all."""
    return log.exists() and log.stat().st_size > 0


def _is_there(log: Path) -> bool:
    """The kubelet makes the default log; outside of a pod there is none, and none is made in /dev."""
    return log != exits.TERMINATION_LOG or log.exists()


def _explain(error: Exception) -> Failure:
    """What nobody foresaw: a full disk and missing rights in words, the rest with its traceback in the log."""
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
        return Failure("DiskFull", f"no space is left for {error.filename or 'the output'}", exits.TEMPORARY)
    if isinstance(error, PermissionError):
        return Failure("NotPermitted", f"no right to use {error.filename}: {error.strerror}", exits.BAD_CONFIGURATION)
    traceback.print_exc()
    if failure := launch.explain(error):
        return failure
    return Failure("UnexpectedError", f"{type(error).__name__}: {error}", 1)


if __name__ == "__main__":
    launch.leave(main())
