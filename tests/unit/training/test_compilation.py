"""When the model is compiled, as a table; the GPU and the compiler are said to be there or not."""

from types import SimpleNamespace

import pytest
import torch

from perennial_contract.exits import BAD_CONFIGURATION, Failure
from perennial_contract.job import JobTraining
from perennial_networks import NetworkConfig
from perennial_training.fitting import compilation

LONG = 10**6
NOT_LONG = 10**3


def decide(wish="Auto", steps=LONG, one_shape=True, config=None):
    training = JobTraining.model_validate(
        {"hyperparameters": {"compile": wish, "maxSteps": steps}, "evaluateEverySteps": 1}
    )
    model = SimpleNamespace(config=config, num_parameters=lambda: 10**8)
    said = []
    return compilation.decide(training, model, 1024, one_shape, said.append), said


@pytest.fixture
def gpu(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(compilation, "_hindrance", lambda: None)


def test_a_long_run_of_a_transformer_on_a_gpu_is_compiled(gpu):
    assert decide() == (True, ["the first step compiles the model"])


@pytest.mark.parametrize(
    ("why", "given"),
    [
        ("too short to pay", {"steps": NOT_LONG}),
        ("batches of changing shape", {"one_shape": False}),
        ("a network of our own", {"config": NetworkConfig()}),
        ("not wanted", {"wish": "Never"}),
    ],
)
def test_what_is_not_compiled(gpu, why, given):
    assert decide(**given) == (False, []), why


def test_auto_compiles_neither_on_the_cpu_nor_for_several_processes(gpu, monkeypatch):
    monkeypatch.setenv("WORLD_SIZE", "2")
    assert decide() == (False, [])
    monkeypatch.setenv("WORLD_SIZE", "1")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert decide() == (False, [])


def test_always_compiles_what_auto_does_not(gpu):
    assert decide("Always", steps=NOT_LONG, one_shape=False)[0]


def test_without_a_compiler_auto_says_so_and_always_fails(gpu, monkeypatch):
    monkeypatch.setattr(compilation, "_hindrance", lambda: "Failed to find C compiler")
    compiled, said = decide()
    assert not compiled
    assert "Failed to find C compiler" in said[0]
    with pytest.raises(Failure, match="Failed to find C compiler") as failed:
        decide("Always")
    assert (failed.value.reason, failed.value.code) == ("NoCompiler", BAD_CONFIGURATION)


def test_what_keeps_torch_from_compiling_is_found_by_a_try(monkeypatch):
    def refuse(function):
        raise RuntimeError("Failed to find C compiler.\nPlease specify one")

    monkeypatch.setattr(torch, "compile", refuse)
    assert compilation._hindrance() == "Failed to find C compiler."
    monkeypatch.setattr(torch, "compile", lambda function: function)
    assert compilation._hindrance() is None
