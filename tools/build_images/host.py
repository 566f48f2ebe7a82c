"""What the machine offers: Debian's tools to build with, its mirror, its ways through a proxy to a registry."""

import configparser
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

from steps import Step, run

PACKAGES = {
    "buildah": "buildah",
    "mmdebstrap": "mmdebstrap",
    "skopeo": "skopeo",
    "debian-archive-keyring": "/usr/share/keyrings/debian-archive-keyring.gpg",
}
INSTEAD = (
    "Instead, build with Docker: python3 tools/build_images build --engine docker, or with any builder: "
    "the first lines of images/*/Dockerfile say how."
)
SUITE = "trixie"
CA_BUNDLES = ("/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt")
PIP_OPTIONS = {"index-url", "extra-index-url", "trusted-host", "proxy", "timeout", "default-timeout", "retries"}


def require() -> None:
    """Installs missing packages where it can.

    Raises SystemExit with what to do instead where it can't.
    """
    if sys.platform != "linux" or os.geteuid() != 0:
        raise SystemExit(f"Building without Docker needs Linux and root: run it with sudo. {INSTEAD}")
    missing = [
        package
        for package, used in PACKAGES.items()
        if not (Path(used).exists() if used.startswith("/") else shutil.which(used))
    ]
    if not missing:
        return
    if not shutil.which("apt-get"):
        raise SystemExit(f"Missing: {', '.join(missing)}, and there is no apt-get to install them. {INSTEAD}")
    os.environ.setdefault("DEBIAN_FRONTEND", "noninteractive")
    with Step(f"install Debian's packages {' '.join(missing)}", 40):
        run("apt-get", "update", "-qq")
        run("apt-get", "install", "-y", "-qq", "--no-install-recommends", *missing)


def mirror_lines() -> list[str]:
    """One-line apt sources of SUITE on the mirrors that this machine uses; none where it isn't Debian."""
    release = dict(re.findall(r'^(\w+)="?([^"\n]*)', Path("/etc/os-release").read_text(), re.MULTILINE))
    codename = release.get("VERSION_CODENAME")
    if release.get("ID") != "debian" or not codename:
        return []
    targets = subprocess.run(
        ("apt-get", "indextargets", "--format", "$(REPO_URI) $(RELEASE)", "Created-By: Packages", "Component: main"),
        capture_output=True,
        text=True,
    ).stdout.split("\n")
    suites = {codename, f"{codename}-updates", f"{codename}-security"}
    pairs = dict.fromkeys(tuple(line.split()) for line in targets if line)
    return [f"deb {uri} {suite.replace(codename, SUITE)} main" for uri, suite in pairs if suite in suites]


def secrets(folder: Path) -> dict[str, Path]:
    """Files that a build step may need to reach registries here; they never become part of an image.

    They repeat this machine's own settings: pip's (environment and files), apt's proxy, the CA bundle.
    """
    files = {"pip.conf": folder / "pip.conf", "apt.conf": folder / "apt.conf"}
    pip, apt = _pip_settings(), apt_proxies()
    bundle = next(
        (
            path
            for path in (os.environ.get("SSL_CERT_FILE"), os.environ.get("PIP_CERT"), *CA_BUNDLES)
            if path and Path(path).is_file()
        ),
        None,
    )
    if bundle:
        files["ca.crt"] = Path(bundle)
        pip["cert"] = "/run/secrets/ca.crt"
        apt.append('Acquire::https::CaInfo "/run/secrets/ca.crt";')
    lines = (f"{option} = " + value.strip().replace("\n", "\n    ") for option, value in pip.items())
    files["pip.conf"].write_text("\n".join(("[global]", "disable-pip-version-check = 1", *lines)) + "\n")
    files["apt.conf"].write_text("\n".join(apt) + "\n")
    return files


def _pip_settings() -> dict[str, str]:
    home = Path.home()
    parser = configparser.RawConfigParser()
    parser.read(
        filter(
            None,
            ("/etc/pip.conf", home / ".pip/pip.conf", home / ".config/pip/pip.conf", os.environ.get("PIP_CONFIG_FILE")),
        )
    )
    settings = dict(parser["global"]) if parser.has_section("global") else {}
    settings |= {
        name[4:].lower().replace("_", "-"): value for name, value in os.environ.items() if name.startswith("PIP_")
    }
    return {option: value for option, value in settings.items() if option in PIP_OPTIONS}


def apt_proxies() -> list[str]:
    if not shutil.which("apt-config"):
        return []
    dump = subprocess.run(("apt-config", "dump"), capture_output=True, text=True).stdout
    return re.findall(r"^Acquire::https?::Proxy.*$", dump, re.MULTILINE)
