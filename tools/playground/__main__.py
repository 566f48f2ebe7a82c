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
        "build": "build what `up` needs, without starting anything; names of further images may follow",
        "up": "bring it up; may be run again, also after a change of the code",
        "demo": "play the main job on it",
        "demo-watch": "go on with load and a metric out of bounds",
        "down": "remove all of it",
        "kubeconfig": "print the path of the kubeconfig",
        "kubectl-path": "print the path of kubectl",
    }.items():
        added = commands.add_parser(command, help=text, description=text)
        if command == "build":
            added.add_argument("images", nargs="*", metavar="IMAGE", help="images of tools/build_images beside ours")
        added.add_argument("--name", default="demo", help="the playground's name (default: demo)")
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
