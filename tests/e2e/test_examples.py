"""The examples of each task and family, as they stand, in real pods: each learns more than its naive baseline."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from conftest import ROOT, wait_condition
from steps import Kubectl

EXAMPLES = sorted((ROOT / "examples/training").glob("*-*.yaml"))
DATA = {
    "python-reference": ("corpus.txt", "reference.py"),
    "reviews": ("reviews.jsonl", "reviews.py"),
    "numbers": ("numbers.jsonl", "numbers.py"),
    "facts": ("facts.jsonl", "facts.py"),
}
# By how much at least: of a metric where less is better as a factor, else as a difference.
MARGINS = {
    "text-generation": ("perplexity", 0.5),
    "sentiment-analysis": ("accuracy", 0.15),
    "translation": ("bleu", 20.0),
    "question-answering": ("exactMatch", 0.3),
}


@pytest.fixture(scope="module")
def kubectl(new_namespace: Callable[[str], Kubectl], tmp_path_factory: pytest.TempPathFactory) -> Kubectl:
    """A namespace with the data in it, where all examples are applied at once."""
    client = new_namespace("examples")
    folder = tmp_path_factory.mktemp("data")
    for name, (key, script) in DATA.items():
        made = subprocess.run([sys.executable, ROOT / "examples/data" / script], check=True, stdout=subprocess.PIPE)
        (folder / key).write_bytes(made.stdout)
        if not client.get("configmap", name):
            client("create", "configmap", name, f"--from-file={folder / key}")
    client("apply", "-f", str(ROOT / "examples/training/models.yaml"))
    for path in EXAMPLES:
        client("apply", "-f", str(path))
    return client


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_an_example_learns_more_than_its_baseline(kubectl: Kubectl, path: Path) -> None:
    manifest = yaml.safe_load(path.read_text())
    name, task = manifest["metadata"]["name"], manifest["spec"]["model"]["task"]
    wait_condition(kubectl, "trainingjob", name, "Complete", 900)
    result: dict[str, Any] = kubectl.get("trainingjob", name)["status"]["result"]
    metric, margin = MARGINS[task]
    found, naive = result["metrics"][metric], result["baseline"]["metrics"][metric]
    print(f"{path.stem}: {metric} {found}, {result['baseline']['name']} {naive}")
    if metric == "perplexity":
        assert found < margin * naive
    else:
        assert found > naive + margin
