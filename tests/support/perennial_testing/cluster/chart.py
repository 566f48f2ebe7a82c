"""The chart's manifests, as Helm renders them."""

import subprocess
import sys

import yaml

from perennial_testing.cluster.control_plane import ROOT, Manifest


def rendered(kind: str, *values: str) -> list[Manifest]:
    """Those of this kind, with these values (`policy.commands=false`)."""
    flags = [flag for value in values for flag in ("--set", value)]
    helm = (sys.executable, str(ROOT / "tools/helm"), "template", "perennial", str(ROOT / "charts/perennial"))
    text = subprocess.run((*helm, *flags), capture_output=True, text=True, check=True).stdout
    return [each for each in yaml.safe_load_all(text) if each and each["kind"] == kind]
