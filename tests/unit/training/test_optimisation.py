"""How it is learned: parts of a batch, precision, smoothing, low-rank adaptation."""

import json

import pytest
import torch
from safetensors.torch import load_file
from transformers import AutoModelForCausalLM

from perennial_contract import manifest
from perennial_contract.exits import BAD_CONFIGURATION, Failure
from perennial_testing.training.task_corpora import ROWS, give, learned
from perennial_training.fitting.batch_size import fitting_part
from perennial_training.fitting.trainer import cross_entropy


def hyperparameters(pod, **changes) -> None:
    pod.job["training"]["hyperparameters"] |= changes


def again(pod, uid: str, **changes) -> dict:
    """The result of another job with other hyperparameters."""
    pod.job["job"]["uid"] = uid
    pod.job["output"] = {"uri": f"pvc://models/tiny/{uid}"}
    hyperparameters(pod, **changes)
    return learned(pod)[0]


def test_parts_of_a_batch_lead_to_the_same_model_as_the_whole(pod):
    pod.job["model"]["architecture"]["dropout"] = 0.0
    whole = again(pod, "whole")["metrics"]["loss"]
    assert again(pod, "halves", microBatchSize=2)["metrics"]["loss"] == pytest.approx(whole, rel=1e-4)
    assert again(pod, "rows", microBatchSize=1)["metrics"]["loss"] == pytest.approx(whole, rel=1e-4)


@pytest.mark.parametrize("task", ROWS)
def test_parts_of_a_padded_batch_lead_to_the_same_model_as_the_whole(pod, task):
    give(pod, task)
    hyperparameters(pod, maxSteps=5)
    pod.job["training"]["evaluateEverySteps"] = 1
    whole = again(pod, "whole")["metrics"]["loss"], *losses_and_gradients(pod)
    parts = again(pod, "parts", microBatchSize=4)["metrics"]["loss"], *losses_and_gradients(pod)
    assert parts == pytest.approx(whole, rel=1e-3)


def losses_and_gradients(pod) -> list[float]:
    """Of each step: an optimiser that scales gradients itself would hide that they are too large."""
    curve = json.loads((pod.output / "explanation" / "explanation.json").read_text())["curve"]
    return [entry[name] for entry in curve if "loss" in entry for name in ("loss", "grad_norm")]


def test_activations_can_be_computed_again_instead_of_being_kept(pod):
    kept = again(pod, "kept")["metrics"]
    assert again(pod, "again", gradientCheckpointing=True)["metrics"]["loss"] == pytest.approx(kept["loss"], rel=1e-4)


@pytest.mark.parametrize("schedule", ["constant", "linear", "polynomial", "inverseSqrt", "cosineWithRestarts"])
def test_every_schedule_learns(pod, schedule):
    result = again(pod, schedule, learningRateSchedule=schedule)
    assert result["metrics"]["loss"] < result["initialMetrics"]["loss"]


@pytest.mark.parametrize(("one", "other"), [("cosine", "cosineWithRestarts"), ("linear", "polynomial")])
def test_schedules_of_other_names_are_others(pod, one, other):
    pod.job["training"]["evaluateEverySteps"] = 1
    rates = []
    for schedule in (one, other):
        again(pod, schedule, learningRateSchedule=schedule, warmupSteps=0)
        curve = json.loads((pod.output / "explanation" / "explanation.json").read_text())["curve"]
        rates.append([entry["learning_rate"] for entry in curve if "learning_rate" in entry])
    assert len(rates[0]) == len(rates[1]) == 12
    assert rates[0] != pytest.approx(rates[1], rel=0.01)


def test_bfloat16_learns_and_leaves_float32(pod):
    result = again(pod, "half", precision="bfloat16")
    assert result["metrics"]["loss"] < result["initialMetrics"]["loss"]
    assert {tensor.dtype for tensor in load_file(pod.output / "model.safetensors").values()} == {torch.float32}


def test_float16_without_a_gpu_is_refused(pod):
    hyperparameters(pod, precision="float16")
    ended = pod.run()
    assert (ended.code, ended.message["reason"]) == (BAD_CONFIGURATION, "NoGpu")


def test_label_smoothing_is_the_cross_entropy_with_a_softened_target():
    logits, labels = torch.randn(2, 5, 7), torch.randint(0, 7, (2, 5))
    labels[0, 3] = -100
    chances = logits[:, :-1].log_softmax(-1)
    wanted = labels[:, 1:]
    target = torch.nn.functional.one_hot(wanted.clamp(min=0), 7) * 0.9 + 0.1 / 7
    costs = -(target * chances).sum(-1)[wanted != -100]
    loss = cross_entropy(0.1, shifted=True)
    assert loss(type("Output", (), {"logits": logits}), labels).item() == pytest.approx(costs.mean().item(), rel=1e-5)


@pytest.mark.parametrize("task", ["sentiment-analysis", "translation"])
def test_a_smoothed_model_is_less_sure(pod, task):
    give(pod, task)
    hyperparameters(pod, maxSteps=120)
    sure = again(pod, "sure")["trainingLoss"]
    assert again(pod, "unsure", labelSmoothing=0.2)["trainingLoss"] > 2 * sure


@pytest.mark.parametrize(("room", "found"), [(12, 12), (11, 6), (5, 3), (2, 1)])
def test_the_largest_part_that_fits_divides_the_batch(room, found):
    def step(size: int) -> None:
        if size > room:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate a lot")

    assert fitting_part(step, 12) == found


def test_a_memory_too_small_for_one_is_refused_with_advice():
    def step(size: int) -> None:
        raise torch.OutOfMemoryError("CUDA out of memory.")

    with pytest.raises(Failure) as refusal:
        fitting_part(step, 8)
    assert (refusal.value.reason, refusal.value.code) == ("OutOfMemory", BAD_CONFIGURATION)
    assert "gradientCheckpointing" in refusal.value.message


@pytest.fixture
def base(pod) -> str:
    learned(pod)
    pod.job["model"] = {"pretrained": {"uri": pod.job["output"]["uri"]}}
    return pod.job["output"]["uri"]


def test_an_adapted_model_is_whole_and_its_adapter_can_be_kept(pod, base):
    from peft import PeftModel

    pod.job["model"]["tuning"] = {"lora": {"rank": 4, "keepAdapter": True}}
    result = again(pod, "adapted", learningRate=0.02)
    assert result["metrics"]["loss"] < result["initialMetrics"]["loss"]
    assert manifest.verify(pod.output, None)["parent"]["uri"] == base
    whole = AutoModelForCausalLM.from_pretrained(pod.output).eval()
    start = AutoModelForCausalLM.from_pretrained(pod.claims / base.removeprefix("pvc://"))
    adapted = PeftModel.from_pretrained(start, pod.output / "adapter").eval()
    ids = torch.arange(10)[None]
    assert torch.allclose(whole(input_ids=ids).logits, adapted(input_ids=ids).logits, atol=1e-5)
    assert json.loads((pod.output / "adapter" / "adapter_config.json").read_text())["r"] == 4


@pytest.mark.parametrize("task", ROWS)
def test_the_other_tasks_are_adapted_too(pod, task):
    give(pod, task)
    learned(pod)
    pod.job["model"] = {"pretrained": {"uri": pod.job["output"]["uri"]}, "tuning": {"lora": {"rank": 2}}}
    result = again(pod, "adapted", maxSteps=4)
    assert result["metrics"]["loss"] <= result["initialMetrics"]["loss"]


def test_an_adaptation_that_is_killed_goes_on_where_it_was(pod, base):
    pod.job["model"]["tuning"] = {"lora": {"rank": 2}}
    pod.job["job"]["uid"] = "undisturbed"
    pod.job["output"] = {"uri": "pvc://models/tiny/undisturbed"}
    wanted = learned(pod)[0]["metrics"]

    pod.job["job"]["uid"] = "killed"
    pod.job["output"] = {"uri": "pvc://models/tiny/killed"}
    process = pod.start()
    for line in process.stdout:
        if '"step": 8' in line:
            process.kill()
    process.wait()
    assert "going on from checkpoint-" in (ended := pod.run()).output
    assert ended.message["metrics"] == wanted


def test_a_classifier_starts_from_a_language_model_with_a_new_head(pod):
    give(pod, "sentiment-analysis")
    learned(pod)
    labels = manifest.verify(pod.output, None)["labels"]
    pod.job["model"] = {"pretrained": {"uri": pod.job["output"]["uri"]}, "tuning": {"lora": {}}}
    hyperparameters(pod, maxSteps=10)
    result = again(pod, "second")
    assert result["initialMetrics"]["accuracy"] > 0.9  # it knows the labels already
    assert manifest.verify(pod.output, None)["labels"] == labels
