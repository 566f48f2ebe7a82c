"""A real Kubernetes on this machine, without Docker: `python3 tools/local_cluster up`."""

import argparse
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import binaries
import images
import lifecycle
import provisioner
import supervisor
from cluster import DEFAULT_NAME, MOST_NODES, Cluster, load, load_all
from processes import Process

Parser = argparse.ArgumentParser


def main(arguments: list[str]) -> None:
    options = _parser().parse_args(arguments)
    options.run(options)


def _parser() -> Parser:
    parser = Parser(prog="local_cluster", description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    def command(name: str, run: Callable[[argparse.Namespace], None], text: str | None, named: bool = True) -> Parser:
        added = commands.add_parser(name, help=text, description=text) if text else commands.add_parser(name)
        added.set_defaults(run=run)
        if named:
            added.add_argument("--name", default=DEFAULT_NAME, help=f"name of the cluster (default: {DEFAULT_NAME})")
        return added

    up = command("up", _up, "start the cluster, or repair it; does nothing if it works")
    up.add_argument("--nodes", type=int, metavar="NUMBER", help=f"number of nodes, 1 (default) to {MOST_NODES}")
    up.add_argument(
        "--control-plane-only",
        action="store_true",
        help="start etcd, API server and controller manager on 127.0.0.1, without a node and without root",
    )
    command("down", _down, "stop the cluster and delete its data")
    command("status", _status, "show the clusters and their processes; exits with 1 if one does not work", named=False)
    command("kubeconfig", _kubeconfig, "print the path of the kubeconfig")
    command("kubectl-path", _kubectl_path, "print the path of kubectl", named=False)
    command("load-image", _load_image, "load images into each node").add_argument(
        "images", nargs="+", type=Path, metavar="IMAGE", help="OCI or Docker archive, or folder in the OCI layout"
    )
    logs = command("logs", _logs, "print the log of a component, or list the components")
    logs.add_argument("component", nargs="?", metavar="COMPONENT")
    logs.add_argument("--follow", "-f", action="store_true", help="follow the log")
    command("build", _build, "build the binaries only", named=False)
    command("supervise", _supervise, None).add_argument("--node", type=int)
    command("provision", lambda options: provisioner.run(_existing(options.name)), None)
    return parser


def _existing(name: str) -> Cluster:
    if cluster := load(name):
        return cluster
    raise SystemExit(f"There is no cluster named {name}: bring it up first (`up --name {name}`).")


def _supervise(options: argparse.Namespace) -> None:
    cluster = _existing(options.name)
    if options.node is None:
        supervisor.run(cluster)
    else:
        supervisor.run_node(cluster.nodes[options.node - 1])


def _up(options: argparse.Namespace) -> None:
    cluster = lifecycle.up(options.name, options.control_plane_only, options.nodes)
    print(f"export KUBECONFIG={cluster.kubeconfig}")


def _down(options: argparse.Namespace) -> None:
    lifecycle.down(options.name)


def _status(_: argparse.Namespace) -> None:
    clusters = load_all()
    if not clusters:
        print("no clusters")
    works = [_describe(cluster) for cluster in clusters]
    raise SystemExit(0 if all(works) else 1)


def _describe(cluster: Cluster) -> bool:
    works, outer = lifecycle.is_up(cluster), supervisor.find(cluster)
    print(
        f"{cluster.name}: {'up' if works else 'starting or broken' if outer else 'stopped'}, {cluster.api}, "
        f"{cluster.folder}"
    )
    for first in outer.children() if outer else ():
        print(f"  {'supervisor':24} pid {first.pid}")
        _print_children(first, "  ")
    return works


def _print_children(process: Process, indent: str) -> None:
    """Its children, and those of the supervisor of another node."""
    for child in process.children():
        command = child.command() or ["(ended)"]
        print(f"{indent}{Path(command[0]).name:24} pid {child.pid}")
        if "supervise" in command:
            _print_children(child, f"{indent}  ")


def _kubeconfig(options: argparse.Namespace) -> None:
    print(_existing(options.name).kubeconfig)


def _kubectl_path(_: argparse.Namespace) -> None:
    print(binaries.ensure() / "kubectl")


def _load_image(options: argparse.Namespace) -> None:
    cluster = _existing(options.name)
    if cluster.control_plane_only:
        raise SystemExit(f"{cluster.name} has no node that could run an image.")
    for path in options.images:
        print(f"loading {path} (usually 10 s a gigabyte) ...", end=" ", flush=True)
        print(", ".join(images.load(cluster, path)))


def _logs(options: argparse.Namespace) -> None:
    cluster = _existing(options.name)
    folder = cluster.path("logs")
    names = sorted(str(path.relative_to(folder).with_suffix("")) for path in folder.rglob("*.log"))
    if not options.component:
        print("\n".join(names))
    elif options.component not in names:
        raise SystemExit(f"No log of {options.component}; there are: {', '.join(names)}.")
    else:
        follow = ("-f",) if options.follow else ()
        subprocess.run(("tail", "-n", "+1", *follow, supervisor.log(cluster, options.component)))


def _build(_: argparse.Namespace) -> None:
    print(binaries.ensure())


if __name__ == "__main__":
    try:
        main(sys.argv[1:])
    except BrokenPipeError:  # who reads has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except KeyboardInterrupt:
        raise SystemExit("\nInterrupted: the same command goes on from here.") from None
