"""The examples of each task and family, as they stand, in real pods: each learns more than its naive baseline."""

from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from perennial_testing.cluster.control_plane import ROOT
from perennial_testing.pods.examples import DATA, assert_beats_baseline, create_data
from perennial_testing.pods.waits import wait_condition
from playground.commands import Kubectl

EXAMPLES = sorted((ROOT / "examples/training").glob("*-*.yaml"))
# The other families, and tasks, are trained in test_served_tasks.py and test_story.py, on smaller corpora.
BRIEF = ("sentiment-analysis-cnn", "text-generation-mlp")
AT_ONCE = 2  # each asks for half a core, and other tests want theirs


@pytest.fixture(scope="module")
def kubectl(new_namespace: Callable[[str], Kubectl], tmp_path_factory: pytest.TempPathFactory) -> Kubectl:
    """A namespace with the data in it."""
    client = new_namespace("examples")
    folder = tmp_path_factory.mktemp("data")
    for name in DATA:
        create_data(client, name, folder)
    client("apply", "-f", str(ROOT / "examples/training/models.yaml"))
    return client


@pytest.mark.parametrize(
    "path",
    [pytest.param(path, id=path.stem, marks=[] if path.stem in BRIEF else [pytest.mark.long]) for path in EXAMPLES],
)
def test_an_example_learns_more_than_its_baseline(kubectl: Kubectl, path: Path, chosen: list[Path]) -> None:
    index = chosen.index(path)
    for example in chosen[index : index + AT_ONCE]:
        kubectl("apply", "-f", str(example))
    manifest = yaml.safe_load(path.read_text())
    name = manifest["metadata"]["name"]
    wait_condition(kubectl, "trainingjob", name, "Complete", 900)
    assert_beats_baseline(manifest["spec"]["model"]["task"], kubectl.get("trainingjob", name)["status"]["result"])
