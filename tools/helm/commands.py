"""helm's upgrade, test, template, lint and uninstall, in helm's own words, on top of Helm's library."""

import argparse
import re
import sys
import threading
from pathlib import Path
from typing import Any

import helm_python as helm

SECONDS = {"h": 3600, "m": 60, "s": 1}
UNRENDERED = "NOTES.txt"


def main(arguments: list[str]) -> None:
    options = _parser().parse_args(arguments)
    try:
        options.run(options)
    except helm.HelmError as error:
        raise SystemExit(f"Error: {error}") from None
    except OSError as error:
        raise SystemExit(f"Error: {error}") from None


def _parser() -> argparse.ArgumentParser:
    # As in helm these may stand before the command or behind it, so a default may not overwrite what was given.
    common = argparse.ArgumentParser(add_help=False, argument_default=argparse.SUPPRESS)
    common.add_argument("-n", "--namespace", help="namespace of the release (default: default)")
    common.add_argument("--kubeconfig", metavar="FILE", help="kubeconfig (default: $KUBECONFIG, then ~/.kube/config)")
    common.add_argument("--kube-context", metavar="NAME", help="context of the kubeconfig")
    parser = argparse.ArgumentParser(prog="helm", description=__doc__, parents=[common])
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    def command(name: str, run: Any, text: str, *positional: str) -> argparse.ArgumentParser:
        added = commands.add_parser(name, help=text, description=text, parents=[common])
        added.set_defaults(run=run)
        for argument in positional:
            added.add_argument(argument.lower(), metavar=argument)
        return added

    upgrade = command("upgrade", _upgrade, "upgrade a release to a chart and values", "NAME", "CHART")
    upgrade.add_argument("-i", "--install", action="store_true", help="install the release if it does not exist")
    upgrade.add_argument(
        "--create-namespace", action="store_true", help="with --install: create the namespace if it does not exist"
    )
    test = command("test", _test, "run the tests of a release", "NAME")
    template = command("template", _template, "print the manifests", "NAME", "CHART")
    template.add_argument("--include-crds", action="store_true", help="include the CRDs")
    lint = command("lint", _lint, "check a chart for mistakes", "CHART")
    lint.add_argument("--strict", action="store_true", help="fail on warnings")
    uninstall = command("uninstall", _uninstall, "uninstall a release; its CRDs and their objects are kept", "NAME")
    uninstall.add_argument("--ignore-not-found", action="store_true", help="succeed if the release does not exist")
    for takes_values in (upgrade, template, lint):
        takes_values.add_argument("-f", "--values", action="append", default=[], metavar="FILE", help="values as YAML")
        takes_values.add_argument(
            "--set", action="append", default=[], metavar="KEY=VALUE", help="value that overrides -f"
        )
        takes_values.add_argument(
            "--set-string",
            action="append",
            default=[],
            metavar="KEY=VALUE",
            help="the same, with a value that is always a string",
        )
    for waits in (upgrade, uninstall):
        waits.add_argument("--wait", action="store_true", help="wait until all objects are ready or deleted")
    for ends in (upgrade, test, uninstall):
        ends.add_argument(
            "--timeout",
            type=_seconds,
            default=300,
            metavar="TIME",
            help="how long to wait, such as 90s or 3m (default: 5m)",
        )
    return parser


def _upgrade(options: argparse.Namespace) -> None:
    cluster, values = _cluster(options), _values(options)
    common = {
        "namespace": _namespace(options),
        "timeout": options.timeout,
        "wait": "watcher" if options.wait else "hookOnly",
    }
    if options.install and not _exists(cluster, options.name):
        release = _cancellable(
            cluster.install, options.chart, options.name, values, create_namespace=options.create_namespace, **common
        )
    else:
        release = _cancellable(cluster.upgrade, options.chart, options.name, values, **common)
    print(f"{options.name}: revision {release.get('revision')} is {release.get('status')} in {_namespace(options)}\n")
    with helm.Chart.load(options.chart) as chart:
        notes = chart.render(
            cluster.get_values(options.name),
            name=options.name,
            namespace=_namespace(options),
            is_upgrade=release.get("revision", 1) > 1,
        )
    print("\n".join(text for name, text in notes.items() if name.endswith(UNRENDERED)))


def _test(options: argparse.Namespace) -> None:
    """The library raises an error if a test fails."""
    _cluster(options).test(options.name, timeout=options.timeout)
    print(f"{options.name}: its tests passed")


def _template(options: argparse.Namespace) -> None:
    with helm.Chart.load(options.chart) as chart:
        crds = {crd["filename"]: crd["data"] for crd in chart.crds} if options.include_crds else {}
        manifests = chart.render(_values(options), name=options.name, namespace=_namespace(options))
    for name, text in (crds | manifests).items():
        if not name.endswith(UNRENDERED) and text.strip():
            print(f"---\n# Source: {name}\n{text.strip()}")


def _lint(options: argparse.Namespace) -> None:
    if not Path(options.chart, "Chart.yaml").is_file():
        raise SystemExit(f"Error: there is no Chart.yaml in {options.chart}")
    report = helm.lint(options.chart, _values(options), namespace=_namespace(options), strict=options.strict)
    severities = ("UNKNOWN", "INFO", "WARNING", "ERROR")
    for message in report["messages"]:
        print(f"[{severities[message['severity']]}] {message['path']}: {message['error']}")
    worst = max((message["severity"] for message in report["messages"]), default=0)
    if report["errors"] or worst >= (2 if options.strict else 3):
        raise SystemExit("Error: the chart has mistakes")
    print("1 chart linted, no mistakes")


def _uninstall(options: argparse.Namespace) -> None:
    _cluster(options).uninstall(
        options.name,
        timeout=options.timeout,
        ignore_not_found=options.ignore_not_found,
        wait="watcher" if options.wait else "hookOnly",
    )
    print(f'release "{options.name}" uninstalled')


def _cluster(options: argparse.Namespace) -> helm.Config:
    return helm.Config(
        kubeconfig_path=getattr(options, "kubeconfig", None),
        namespace=_namespace(options),
        kube_context=getattr(options, "kube_context", None),
    )


def _namespace(options: argparse.Namespace) -> str:
    return getattr(options, "namespace", "default")


def _exists(cluster: helm.Config, name: str) -> bool:
    try:
        return bool(cluster.history(name))
    except helm.HelmNotFoundError:
        return False


def _cancellable(action: Any, *arguments: Any, **options: Any) -> dict[str, Any]:
    """Runs the library's call so that Ctrl-C ends it in good order, without a release that stays pending."""
    context, results = helm.HelmContext(), []

    def call() -> None:
        try:
            results.append(action(*arguments, context=context, **options))
        except helm.HelmError as error:
            results.append(error)

    thread = threading.Thread(target=call)
    thread.start()
    try:
        thread.join()
    except KeyboardInterrupt:
        context.cancel()
        thread.join()
    if isinstance(results[0], helm.HelmError):
        raise results[0]
    return results[0]


def _values(options: argparse.Namespace) -> dict[str, Any]:
    """What -f and --set say together; the later wins, and --set wins over -f."""
    values: dict[str, Any] = {}
    for file in options.values:
        text = sys.stdin.read() if file == "-" else Path(file).read_text()
        _merge(values, helm.values_from_yaml(text))
    for expression in options.set:
        _merge(values, helm.parse_set_string(expression))
    for expression in options.set_string:
        _merge(values, helm.parse_set_string_values(expression))
    return values


def _merge(into: dict[str, Any], other: dict[str, Any]) -> None:
    for key, value in other.items():
        if isinstance(value, dict) and isinstance(into.get(key), dict):
            _merge(into[key], value)
        else:
            into[key] = value


def _seconds(text: str) -> int:
    if not re.fullmatch(r"([0-9]+[hms])+", text):
        raise argparse.ArgumentTypeError(f"{text!r} is no time such as 90s, 3m or 1h30m")
    return sum(int(number) * SECONDS[unit] for number, unit in re.findall(r"([0-9]+)([hms])", text))


if __name__ == "__main__":
    main(sys.argv[1:])
