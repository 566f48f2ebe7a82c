"""Artifacts and servers, built and started on first use and shared by the session."""

from collections.abc import Iterator
from functools import partial

import pytest
import torch

from perennial_testing.serving import inference_artifacts, process
from perennial_testing.serving.artifacts import Artifact, SharedArtifacts, build_text_generation
from perennial_testing.serving.inference_artifacts import INFERENCE_ARTIFACTS
from perennial_testing.serving.process import RunningServer, Servers, ServerSpec

torch.set_num_threads(1)
TEXT = "text generation"
NARROW = ("--max-batch", "1", "--max-waiting", "1")
SERVERS = {
    "roomy": ServerSpec(TEXT, ("--max-batch", "8")),
    "narrow": ServerSpec(TEXT, NARROW),
    "draining": ServerSpec(TEXT, ("--linger", "1.5", "--grace-period", "60")),
    "impatient": ServerSpec(TEXT, ("--linger", "0.2", "--grace-period", "4")),
}
INFERENCE_SERVERS = {
    **{name: ServerSpec(name, ("--max-batch", "4")) for name in INFERENCE_ARTIFACTS},
    "narrow": ServerSpec("slow translation", NARROW),
    "draining": ServerSpec("slow translation", ("--linger", "1", "--grace-period", "60")),
    "impatient": ServerSpec("slow translation", ("--linger", "0", "--grace-period", "4")),
}


@pytest.fixture(scope="session")
def artifacts(tmp_path_factory: pytest.TempPathFactory) -> SharedArtifacts:
    """An artifact of text generation, and one of each inference task and family."""
    builders = {name: partial(inference_artifacts.build, name) for name in INFERENCE_ARTIFACTS}
    return SharedArtifacts(tmp_path_factory, builders | {TEXT: build_text_generation})


@pytest.fixture(scope="session")
def artifact(artifacts: SharedArtifacts) -> Artifact:
    return Artifact(artifacts[TEXT])


@pytest.fixture(scope="session")
def servers(artifacts: SharedArtifacts, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Servers]:
    """Servers for text generation."""
    with process.running(SERVERS, artifacts.__getitem__, tmp_path_factory.mktemp("servers")) as servers:
        yield servers


@pytest.fixture(scope="session")
def inference_servers(artifacts: SharedArtifacts, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Servers]:
    """A server of each inference artifact, and some of the slow translation."""
    folder = tmp_path_factory.mktemp("inference-servers")
    with process.running(INFERENCE_SERVERS, artifacts.__getitem__, folder) as servers:
        yield servers


@pytest.fixture
def server(servers: Servers) -> RunningServer:
    return servers["roomy"]
