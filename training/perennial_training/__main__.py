"""The command line of a training pod: train, delete-artifact, find-artifacts."""

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
from perennial_training.output import deletion, inventory


def main(arguments: list[str] | None = None) -> int:
    """Runs one command and returns its exit code; the termination message is the result or the failure."""
    options = _parser().parse_args(arguments)
    options.arguments = sys.argv[1:] if arguments is None else arguments
    cpus.limit_threads(launch.processes_per_node(os.environ))
    try:
        options.run(options)
    except Failure as failure:
        return _fail(failure, options.termination_log)
    except Exception as error:
        return _fail(_explain(error), options.termination_log)
    return 0


def train(options: argparse.Namespace) -> None:
    configuration = config.load(options.config)  # refused once, before several processes start
    launch.join(os.environ, ["perennial_training", *options.arguments])
    termination = Termination()
    result = job.run(configuration, options.mounts, options.metrics_port, termination, report)
    if result is not None and launch.leads(os.environ):
        _leave(result.document(), options.termination_log)
        print(json.dumps(result.document()), flush=True)
    launch.part(os.environ)


def delete_artifact(options: argparse.Namespace) -> None:
    target = deletion.Target(options.digest, options.job)
    deletion.delete(options.uri, target, options.mounts, report, options.secret)


def find_artifacts(options: argparse.Namespace) -> None:
    found = inventory.find(options.uri, options.mounts, report, options.secret).to_wire()
    _leave(found, options.termination_log)
    print(json.dumps(found), flush=True)


def report(line: str) -> None:
    print(line, flush=True)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m perennial_training",
        description="Trains a language model from a job's configuration; deletes or finds artifacts.",
        epilog="Exit codes: 0 done, 65 bad data, 66 input missing, 75 temporary, retry later, 78 bad configuration, "
        "76 another pod of the training is gone, "
        "143 stopped by SIGTERM (a checkpoint was saved); any other: unexpected, retry.",
    )
    common = argparse.ArgumentParser(add_help=False)
    common.add_argument(
        "--mounts",
        type=Path,
        default=pod.MOUNTS,
        help="folder with claims/ and configmaps/ (default: %(default)s)",
    )
    common.add_argument(
        "--termination-log",
        type=Path,
        default=exits.TERMINATION_LOG,
        help="file for the result or the failure as JSON (default: %(default)s, if it exists)",
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    run = commands.add_parser(
        "train", parents=[common], help="train, evaluate and publish; resumes from the last checkpoint"
    )
    run.add_argument("--config", type=Path, default=pod.CONFIGURATION, help="the job (default: %(default)s)")
    run.add_argument(
        "--metrics-port",
        type=int,
        default=pod.TRAINING_METRICS_PORT,
        help="port of /metrics, 0 for none (default: %(default)s)",
    )
    run.set_defaults(run=train)
    remove = commands.add_parser(
        "delete-artifact", parents=[common], help="delete an artifact, identified by digest or job"
    )
    remove.add_argument("--uri", required=True, help="pvc://CLAIM/PATH or s3://BUCKET/PATH")
    remove.add_argument(
        "--digest", help="digest of its manifest (sha256:…); without it only unfinished files are deleted"
    )
    remove.add_argument(
        "--job", metavar="NAMESPACE/NAME", help="the job that made the artifact, if its digest is unknown"
    )
    remove.add_argument("--secret", help="name of the mounted Secret with the credentials for s3://")
    remove.set_defaults(run=delete_artifact)
    find = commands.add_parser(
        "find-artifacts", parents=[common], help="list the artifacts of a folder, to import them as versions"
    )
    find.add_argument("--uri", required=True, help="pvc://CLAIM/PATH or s3://BUCKET/PATH: an artifact, or its parent")
    find.add_argument("--secret", help="name of the mounted Secret with the credentials for s3://")
    find.set_defaults(run=find_artifacts)
    return parser


def _fail(failure: Failure, log: Path) -> int:
    print(f"{failure.reason}: {failure.message}", file=sys.stderr, flush=True)
    if _exists(log) and not (failure.code in exits.CONSEQUENCES and _is_written(log)):
        exits.report(failure, log)
    return failure.code


def _leave(result: dict[str, Any], log: Path) -> None:
    if _exists(log):
        exits.leave(result, log)


def _is_written(log: Path) -> bool:
    """Whether another process of this pod has already reported the cause."""
    return log.exists() and log.stat().st_size > 0


def _exists(log: Path) -> bool:
    """The kubelet creates the default log; outside of a pod none is created in /dev."""
    return log != exits.TERMINATION_LOG or log.exists()


def _explain(error: Exception) -> Failure:
    """An unexpected error: a full disk and missing rights in a sentence, others with a traceback in the log."""
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
