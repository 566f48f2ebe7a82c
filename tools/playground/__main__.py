"""A cluster with Perennial, Prometheus and a Pushgateway, and the demo on it: `python3 tools/playground up`."""

import argparse
import sys
from pathlib import Path

sys.path[0] = str(Path(__file__).resolve().parents[1])  # the folder of the package, not the package itself

from playground import clusters, demo, install  # noqa: E402


def main() -> None:
    parser = argparse.ArgumentParser(prog="playground", description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND", dest="command")
    for command, text in {
        "build": "build everything that `up` needs",
        "up": "start it, or update Perennial in it to the current code",
        "demo": "run the demo: train, serve, replace and defend a model",
        "demo-watch": "continue the demo with load and a metric out of bounds",
        "down": "delete it",
        "kubeconfig": "print the path of the kubeconfig",
        "kubectl-path": "print the path of kubectl",
    }.items():
        added = commands.add_parser(command, help=text, description=text)
        if command == "build":
            added.add_argument("images", nargs="*", metavar="IMAGE", help="additional image of tools/build_images")
        added.add_argument("--name", default="demo", help="name of the playground (default: demo)")
    options = parser.parse_args()
    match options.command:
        case "build":
            clusters.build()
            install.build(clusters.choose(), options.images)
        case "up":
            install.bring(clusters.up(options.name))
        case "demo":
            demo.play(clusters.find(options.name))
        case "demo-watch":
            demo.watch(clusters.find(options.name))
        case "down":
            clusters.down(options.name)
        case "kubeconfig":
            print(clusters.find(options.name).kubeconfig)
        case "kubectl-path":
            print(clusters.find(options.name).kubectl)


if __name__ == "__main__":
    main()
