"""A cluster with Perennial, Prometheus and a Pushgateway, and the demo on it: `python3 tools/playground up`."""

import argparse

import cluster_choice
import demo
import install


def main() -> None:
    parser = argparse.ArgumentParser(prog="playground", description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND", dest="command")
    for command, text in {
        "up": "bring it up; may be run again, also after a change of the code",
        "demo": "play the main job on it",
        "demo-watch": "go on with load and a metric out of bounds",
        "down": "remove all of it",
        "kubeconfig": "print the path of the kubeconfig",
        "kubectl-path": "print the path of kubectl",
    }.items():
        added = commands.add_parser(command, help=text, description=text)
        added.add_argument("--name", default="demo", help="the playground's name (default: demo)")
    options = parser.parse_args()
    match options.command:
        case "up":
            install.bring(cluster_choice.up(options.name))
        case "demo":
            demo.play(cluster_choice.find(options.name))
        case "demo-watch":
            demo.watch(cluster_choice.find(options.name))
        case "down":
            cluster_choice.down(options.name)
        case "kubeconfig":
            print(cluster_choice.find(options.name).kubeconfig)
        case "kubectl-path":
            print(cluster_choice.find(options.name).kubectl)


if __name__ == "__main__":
    main()
