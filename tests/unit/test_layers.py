"""The layers of the code: import-linter's contracts in pyproject.toml hold, and they fail where they should."""

import graphlib
import os
import shutil
import subprocess
import sys
import tomllib
from dataclasses import dataclass
from pathlib import Path

import grimp
import pytest

ROOT = Path(__file__).parents[2]
LAYERS = "the operator's layers: process > loop > kube > decide > api"
STORAGE = "the operator reads no storage"
KOPF = "kopf is an implementation detail of the watch"
PURITY = "decide and api are pure: no I/O, no clock, no randomness"
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
PACKAGES: list[str] = PROJECT["tool"]["importlinter"]["root_packages"]


def lint(first_on_path: Path | None = None) -> subprocess.CompletedProcess[str]:
    """The contracts of pyproject.toml, checked on the installed packages or on copies that come before them."""
    command = [Path(sys.executable).parent / "lint-imports", "--no-cache", "--config", ROOT / "pyproject.toml"]
    environment = os.environ | ({"PYTHONPATH": str(first_on_path)} if first_on_path else {})
    cwd = first_on_path or ROOT
    return subprocess.run(command, cwd=cwd, env=environment, capture_output=True, text=True, timeout=120)


def test_the_contracts_of_import_linter_hold() -> None:
    done = lint()
    assert done.returncode == 0, done.stdout + done.stderr


@dataclass(frozen=True)
class Intrusion:
    """A line that is added to a module of the operator, and the contract that it breaks."""

    module: str
    line: str
    contract: str = LAYERS


INTRUSIONS = {
    "a decision imports the client": Intrusion("decide/outcome.py", "from perennial.kube.client import Cluster"),
    "a decision imports the loop inside a function": Intrusion(
        "decide/language_model/gates.py", "def late():\n    from perennial.loop import queue\n"
    ),
    "a decision reaches the client by way of the API": Intrusion("api/schema.py", "import perennial.kube.client"),
    "the client imports the process": Intrusion("kube/client.py", "from perennial.process.settings import Settings"),
    "a module stands outside the layers": Intrusion("helpers.py", "import perennial.decide.outcome"),
    "the queue imports kopf": Intrusion("loop/queue.py", "import kopf", KOPF),
    "the queue imports the storage": Intrusion("loop/queue.py", "import perennial_contract.storage.room", STORAGE),
    "a decision reads the clock": Intrusion("decide/outcome.py", "import time", PURITY),
    "a decision imports kopf": Intrusion("decide/deployment/decide.py", "import kopf", PURITY),
}


@pytest.mark.parametrize("name", INTRUSIONS)
def test_an_import_against_the_layers_breaks_their_contract(name: str, tmp_path: Path) -> None:
    intrusion = INTRUSIONS[name]
    shutil.copytree(ROOT / "operator/perennial", tmp_path / "perennial", ignore=shutil.ignore_patterns("__pycache__"))
    with (tmp_path / "perennial" / intrusion.module).open("a") as module:
        module.write(f"\n{intrusion.line}\n")
    done = lint(tmp_path)
    assert done.returncode == 1, done.stdout + done.stderr
    assert f"{intrusion.contract} BROKEN" in _unwrapped(done.stdout)


def test_a_copy_without_intrusion_keeps_the_contracts(tmp_path: Path) -> None:
    """So that the tests above fail by the added line, not by the copy."""
    shutil.copytree(ROOT / "operator/perennial", tmp_path / "perennial", ignore=shutil.ignore_patterns("__pycache__"))
    done = lint(tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr


def _unwrapped(output: str) -> str:
    """Without the line breaks and colors that the terminal's width brings."""
    return " ".join(output.split())


def imports(*packages: str) -> dict[str, set[str]]:
    """By module the modules that it imports, at its top or inside a function."""
    graph = grimp.build_graph(*packages, cache_dir=None)
    return {module: graph.find_modules_directly_imported_by(module) for module in graph.modules}


def test_the_contracts_cover_every_package_of_the_distribution() -> None:
    built = PROJECT["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"]
    assert sorted(PACKAGES) == sorted(Path(folder).name for folder in built)


# What of the contract imports more than the standard library: the typed documents, and the storage.
WITH_LIBRARIES = {"facts", "found", "job", "result", "schemas", "storage"}


def test_the_rest_of_the_contract_imports_the_standard_library_only() -> None:
    graph = grimp.build_graph("perennial_contract", include_external_packages=True, cache_dir=None)
    ours = {module for module in graph.modules if module.partition(".")[0] == "perennial_contract"}
    plain = {module for module in ours if module.partition(".")[2].partition(".")[0] not in WITH_LIBRARIES}
    assert len(plain) >= 9
    needed = set().union(*map(graph.find_modules_directly_imported_by, plain)) - plain
    assert {module.partition(".")[0] for module in needed} <= sys.stdlib_module_names


def test_no_module_imports_itself_by_way_of_others() -> None:
    try:
        graphlib.TopologicalSorter(imports(*PACKAGES)).prepare()
    except graphlib.CycleError as error:
        pytest.fail(" imports ".join(reversed(error.args[1])))


def test_a_cycle_inside_functions_would_be_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package = tmp_path / "cyclic"
    package.mkdir()
    (package / "__init__.py").touch()
    (package / "chicken.py").write_text("import cyclic.egg\n")
    (package / "egg.py").write_text("def hatch():\n    from cyclic.chicken import egg\n")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(graphlib.CycleError):
        graphlib.TopologicalSorter(imports("cyclic")).prepare()
