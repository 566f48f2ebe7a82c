"""`python3 tools/helm` is helm: the machine's own where it has one, else the few commands of it that we need.

Those stand on Helm's own library, which a wheel of PyPI carries; it goes into a virtual environment of its own.
"""

import os
import shutil
import subprocess
import sys
from hashlib import sha256
from pathlib import Path

FOLDER = Path(__file__).resolve().parent
REQUIREMENTS = FOLDER / "requirements.txt"


def main(arguments: list[str]) -> None:
    if helm := shutil.which("helm"):
        os.execv(helm, [helm, *arguments])
    python = _environment()
    os.execv(python, [str(python), str(FOLDER / "commands.py"), *arguments])


def _environment() -> Path:
    """The Python of the virtual environment, which is made where it is missing or of another version."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "perennial"
    folder = cache / f"helm-{sha256(REQUIREMENTS.read_bytes()).hexdigest()[:12]}"
    if (folder / "complete").exists():
        return folder / "bin/python"
    print("There is no helm here: installing Helm's library (usually 15 s)", file=sys.stderr, flush=True)
    _run(sys.executable, "-m", "venv", "--clear", str(folder))
    _run(
        str(folder / "bin/pip"),
        "install",
        "--quiet",
        "--require-hashes",
        "--only-binary=:all:",
        "-r",
        str(REQUIREMENTS),
    )
    (folder / "complete").touch()
    return folder / "bin/python"


def _run(*command: str) -> None:
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    if done.returncode:
        raise SystemExit(
            f"{done.stdout.strip()}\n\nHelm's library can't be installed here (see above). "
            "Install helm itself, https://helm.sh/docs/intro/install, and try again."
        )


if __name__ == "__main__":
    main(sys.argv[1:])
