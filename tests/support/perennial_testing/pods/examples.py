"""The examples of each task and family: their data, and by how much they must be better than a naive baseline."""

import subprocess
import sys
from pathlib import Path
from typing import Any

from perennial_testing.cluster.control_plane import ROOT
from playground.commands import Kubectl

# By name of the ConfigMap: its key, and the script that prints it.
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


def data(name: str) -> str:
    """What the script of an example's data prints."""
    script = ROOT / "examples/data" / DATA[name][1]
    return subprocess.run([sys.executable, script], check=True, stdout=subprocess.PIPE, text=True).stdout


def create_data(kubectl: Kubectl, name: str, folder: Path) -> str:
    """Creates the ConfigMap that the examples name, where there is none; returns the text in it."""
    file, text = folder / DATA[name][0], data(name)
    file.write_text(text)
    if not kubectl.get("configmap", name):
        kubectl("create", "configmap", name, f"--from-file={file}")
    return text


def assert_beats_baseline(task: str, result: dict[str, Any]) -> None:
    """The result of a TrainingJob's status is better than that of its naive baseline."""
    metric, margin = MARGINS[task]
    trained, naive = result["metrics"][metric], result["baseline"]["metrics"][metric]
    print(f"{task}: {metric} {trained}, {result['baseline']['name']} {naive}")
    if metric == "perplexity":
        assert trained < margin * naive
    else:
        assert trained > naive + margin
