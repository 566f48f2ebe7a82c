"""Whole jobs with tiny models: what they leave, and that asking again changes nothing."""

import json
import math
import re
import shutil

import pytest
import torch
import yaml
from transformers import AutoModelForCausalLM, AutoTokenizer

from perennial_contract import manifest
from perennial_contract.exits import BAD_CONFIGURATION, BAD_DATA, MAX_MESSAGE_BYTES, TERMINATED, Failure
from perennial_training import starting_model
from perennial_training.config import load
from perennial_training.data import corpus
from perennial_training.data.corpus import texts
from perennial_training.tasks import TASKS


@pytest.fixture
def trained(pod):
    ended = pod.run()
    assert ended.code == 0, ended.output
    return ended


def test_a_job_leaves_an_artifact_and_a_result(pod, trained):
    result = trained.message
    facts = manifest.verify(pod.output, result["artifact"]["digest"])
    assert result["perennial"] == "result"
    assert result["artifact"]["uri"] == "pvc://models/tiny/v1"
    assert result["artifact"]["sizeBytes"] == manifest.size(pod.output)
    assert result["comparison"] is None
    assert (result["steps"], result["stoppedEarly"]) == (12, False)
    assert result["metrics"]["loss"] < result["initialMetrics"]["loss"]
    assert len(pod.log.read_bytes()) <= MAX_MESSAGE_BYTES
    assert facts["config"]["training"] == pod.job["training"]
    assert facts["job"] == pod.job["job"]
    assert not pod.work.parent.exists()


def test_card_manifest_result_and_progress_show_the_same_numbers(pod, trained):
    metrics = trained.message["metrics"]
    facts = manifest.verify(pod.output, None)
    card = (pod.output / "README.md").read_text()
    front = yaml.safe_load(card.split("---\n")[1])
    shown = {entry["type"]: entry["value"] for entry in front["model-index"][0]["results"][0]["metrics"]}
    assert metrics == facts["metrics"] == shown
    assert trained.message["initialMetrics"] == facts["initialMetrics"]
    for name, number in metrics.items():
        assert number == float(f"{number:.6g}"), name
        assert f"| {number} |" in card
    assert trained.curve[0] == (0, facts["initialMetrics"]["loss"])
    assert (facts["bestStep"], metrics["loss"]) in trained.curve
    assert math.isclose(metrics["perplexity"], math.exp(metrics["loss"]), rel_tol=1e-4)


def test_progress_is_reported_at_each_evaluation(pod, trained):
    assert [step for step, _ in trained.curve] == [0, 4, 8, 12]
    last = trained.progress[-1]
    assert (last["step"], last["maxSteps"], last["etaSeconds"]) == (12, 12, 0)
    assert last["tokensPerSecond"] > 0
    assert "loss" not in trained.progress[0]


def test_the_artifact_loads_in_transformers_and_scores_what_was_reported(pod, trained):
    model = AutoModelForCausalLM.from_pretrained(pod.output).eval()
    tokenizer = AutoTokenizer.from_pretrained(pod.output)
    facts = manifest.verify(pod.output, None)
    assert model.config.use_cache
    assert model.config.vocab_size == len(tokenizer)
    assert tokenizer.decode(tokenizer("déjà vu <|end|> 日本").input_ids) == "déjà vu <|end|> 日本"
    chat = [{"role": "user", "content": "Hello"}]
    prompt = tokenizer.apply_chat_template(chat, tokenize=False, add_generation_prompt=True)
    assert prompt == "User: Hello\n\nAssistant:"
    answer = model.generate(**tokenizer("the model", return_tensors="pt"), max_new_tokens=4, do_sample=False)
    assert answer.shape[1] > len(tokenizer("the model").input_ids)

    data = load(pod.root / "job.json").data
    held_out = texts(
        corpus.load(
            data, TASKS["text-generation"].roles, pod.root, pod.root / "downloads", lambda line: None
        ).validation
    )
    end = tokenizer.eos_token_id
    ids = [end] + [token for text in held_out for token in [*tokenizer(text).input_ids, end]]
    total = 0.0
    with torch.no_grad():
        for start in range(0, len(ids) - 1, 16):
            known, next_ones = ids[start : start + 16], ids[start + 1 : start + 17]
            chances = torch.log_softmax(model(torch.tensor([known])).logits[0].double(), -1)
            total -= sum(chances[place, token].item() for place, token in enumerate(next_ones))
    assert math.isclose(total / (len(ids) - 1), facts["metrics"]["loss"], rel_tol=1e-5)
    size = sum(len(text.encode()) for text in held_out)
    assert math.isclose(total / math.log(2) / size, facts["metrics"]["bitsPerByte"], rel_tol=1e-5)


def test_a_finished_job_gives_its_result_again(pod, trained):
    (pod.work / "checkpoint-3").mkdir(parents=True)  # as if it had been killed before tidying up
    again = pod.run()
    assert again.code == 0
    assert again.message == trained.message
    assert again.progress == []
    assert not pod.work.parent.exists()


def test_the_same_seed_gives_the_same_model_and_another_seed_another(pod, trained):
    def weights(uid, seed):
        shutil.rmtree(pod.output)
        pod.job["job"]["uid"] = uid
        pod.job["training"]["hyperparameters"]["seed"] = seed
        assert pod.run().code == 0
        return manifest.verify(pod.output, None)["files"]["model.safetensors"]

    first = manifest.verify(pod.output, None)["files"]["model.safetensors"]
    assert weights("uid-2", 1) == first
    assert weights("uid-3", 2) != first


def test_a_job_that_is_created_again_has_its_artifact_already(pod, trained):
    before = manifest.digest_of(pod.output)
    pod.job["job"]["uid"] = "uid-2"
    again = pod.run()
    assert again.code == 0
    assert again.message == trained.message | {"reused": True}
    assert again.progress == []
    assert manifest.digest_of(pod.output) == before


def test_another_jobs_artifact_is_not_overwritten(pod, trained):
    before = manifest.digest_of(pod.output)
    pod.job["job"]["uid"] = "uid-2"
    pod.job["training"]["hyperparameters"]["seed"] = 7
    ended = pod.run()
    assert ended.code == BAD_CONFIGURATION
    assert ended.message["reason"] == "OutputTaken"
    assert "the job demo/tiny (uid-1)" in ended.message["message"]
    assert manifest.digest_of(pod.output) == before


def served(pod, trained):
    """A second job that is compared with the first's artifact."""
    pod.job["compareWith"] = {
        "version": 1,
        "uri": "pvc://models/tiny/v1",
        "digest": trained.message["artifact"]["digest"],
    }
    pod.job["output"]["uri"] = "pvc://models/tiny/v2"
    pod.job["job"] |= {"name": "tiny-v2", "uid": "uid-2"}


def test_the_served_version_is_judged_on_the_same_texts(pod, trained):
    served(pod, trained)
    ended = pod.run()
    assert ended.message["comparison"] == {"version": 1, "metrics": trained.message["metrics"], "message": None}
    assert "version 1, served" in (pod.output / "README.md").read_text()


def test_versions_with_different_tokenizers_are_compared_per_token_of_the_candidate(pod, trained):
    served(pod, trained)
    pod.job["model"]["architecture"] |= {"vocabularySize": 400, "contextLength": 32}
    ended = pod.run()
    theirs, mine = ended.message["comparison"]["metrics"], ended.message["metrics"]
    assert theirs["bitsPerByte"] == trained.message["metrics"]["bitsPerByte"]
    assert theirs["loss"] != trained.message["metrics"]["loss"]
    assert math.isclose(theirs["loss"] / mine["loss"], theirs["bitsPerByte"] / mine["bitsPerByte"], rel_tol=1e-5)


def gone(pod, artifact):
    shutil.rmtree(artifact)


def tampered(pod, artifact):
    (artifact / "config.json").write_text("{}")


def claim_not_mounted(pod, artifact):
    pod.job["compareWith"]["uri"] = "pvc://former/tiny/v1"


def of_another_program(pod, artifact):
    """Whole, but no model of ours."""
    for file in artifact.glob("*.safetensors"):
        file.unlink()
    digest = manifest.write(artifact, {"contextLength": 16})
    pod.job["compareWith"]["digest"] = digest


LOST = {
    gone: "pvc://models/tiny/v1 doesn't exist",
    tampered: "pvc://models/tiny/v1 is not what was written: config.json",
    claim_not_mounted: "pvc://former/tiny/v1 doesn't exist",
    of_another_program: "",
}


@pytest.mark.parametrize(("spoil", "why"), LOST.items(), ids=[spoil.__name__ for spoil in LOST])
def test_a_served_version_that_cannot_be_judged_does_not_cost_the_training(pod, trained, spoil, why):
    served(pod, trained)
    spoil(pod, pod.claims / "models" / "tiny" / "v1")
    ended = pod.run()
    assert ended.code == 0, ended.output
    comparison = ended.message["comparison"]
    assert (comparison["version"], comparison["metrics"]) == (1, {})
    assert comparison["message"].startswith(why)
    assert manifest.verify(pod.output, None)["comparison"] == comparison


def test_a_pod_that_is_stopped_while_it_judges_the_served_version_has_not_judged_it(pod, trained, monkeypatch):
    served(pod, trained)

    def stopped(*_):
        raise Failure("Terminated", "stopped by SIGTERM", TERMINATED)

    monkeypatch.setattr(starting_model, "served", stopped)
    ended = pod.run()
    assert (ended.code, ended.message["reason"]) == (TERMINATED, "Terminated")


def test_training_goes_on_from_a_base_model(pod, trained):
    pod.job["model"] = {"pretrained": {"uri": "pvc://models/tiny/v1"}}
    pod.job["output"]["uri"] = "pvc://models/tiny/v2"
    pod.job["job"]["uid"] = "uid-2"
    ended = pod.run()
    assert ended.code == 0, ended.output
    facts = manifest.verify(pod.output, None)
    assert facts["parent"] == {"uri": "pvc://models/tiny/v1", "digest": trained.message["artifact"]["digest"]}
    assert ended.message["initialMetrics"] == trained.message["metrics"]
    assert ended.message["metrics"]["loss"] <= trained.message["metrics"]["loss"]
    assert AutoTokenizer.from_pretrained(pod.output).chat_template
    pod.job["model"]["pretrained"] |= {"digest": "sha256:" + "0" * 64}
    pod.job["output"]["uri"] = "pvc://models/tiny/v3"
    assert pod.run().message["reason"] == "TamperedArtifact"  # not the version that was meant
    pod.job["model"]["pretrained"] |= {"digest": trained.message["artifact"]["digest"], "contextLength": 64}
    pod.job["output"]["uri"] = "pvc://models/tiny/v3"
    assert "is more than the 16 of pvc://models/tiny/v1" in pod.run().message["message"]


def test_a_training_that_stalls_stops_early_and_keeps_its_best(pod):
    pod.job["training"] |= {"earlyStopping": {"patience": 2, "minImprovement": 0.5}, "evaluateEverySteps": 1}
    pod.job["training"]["hyperparameters"] |= {"learningRate": 1e-6, "learningRateSchedule": "constant"}
    ended = pod.run()
    assert ended.code == 0
    assert ended.message["stoppedEarly"]
    assert ended.message["steps"] == 2
    assert ended.message["metrics"]["loss"] == min(loss for _, loss in ended.curve)


def test_a_training_that_gets_worse_publishes_its_best_step(pod):
    pod.job["training"]["hyperparameters"] |= {"learningRate": 10, "warmupSteps": 0, "maxGradientNorm": 1.0}
    pod.job["training"]["evaluateEverySteps"] = 3
    ended = pod.run()
    if ended.code == 0:
        assert ended.message["metrics"] == ended.message["initialMetrics"]
        assert manifest.verify(pod.output, None)["bestStep"] == 0
    else:
        assert ended.message["reason"] == "NonFiniteLoss"


def test_a_loss_that_is_no_number_ends_the_job_with_advice(pod, trained):
    base = pod.claims / "models" / "broken"
    shutil.copytree(pod.output, base, ignore=shutil.ignore_patterns(manifest.NAME))
    model = AutoModelForCausalLM.from_pretrained(base)
    torch.nn.init.constant_(model.get_input_embeddings().weight, math.nan)
    model.save_pretrained(base)
    pod.job["model"] = {"pretrained": {"uri": "pvc://models/broken"}}
    pod.job["output"]["uri"] = "pvc://models/tiny/v2"
    ended = pod.run()
    assert ended.code == BAD_DATA
    assert ended.message["reason"] == "NonFiniteLoss"
    assert "smaller learningRate" in ended.message["message"]
    assert "checkpoint" not in ended.message["message"]  # there was no good one


def test_a_training_that_diverges_names_its_last_good_checkpoint_from_which_another_goes_on(pod):
    # The rate grows until more than the whole decays at each step: the weights then change their sign and grow.
    rising = {"learningRate": 10, "weightDecay": 1.0, "warmupSteps": 1990, "maxSteps": 2000}
    pod.job["training"]["hyperparameters"] |= rising
    pod.job["training"]["checkpoints"] = {"everySteps": 20, "historyLimit": 50}
    pod.job["training"]["evaluateEverySteps"] = 2000
    ended = pod.run()
    assert (ended.code, ended.message["reason"]) == (BAD_DATA, "NonFiniteLoss"), ended.output
    (place,) = re.findall(r"model.pretrained: \{uri: (\S+)\}", ended.message["message"])
    assert place.startswith("pvc://models/tiny/v1.partial/uid-1/checkpoint-")
    pod.job["model"] = {"pretrained": {"uri": place}}
    pod.job["output"]["uri"] = "pvc://models/tiny/v2"
    pod.job["job"]["uid"] = "uid-2"
    pod.job["training"]["hyperparameters"] |= {"learningRate": 0.001, "warmupSteps": 0, "maxSteps": 4}
    again = pod.run()
    assert again.code == 0, again.output
    assert again.message["initialMetrics"]["loss"] < ended.curve[0][1]
    assert manifest.verify(pod.output, None)["parent"]["uri"] == place


def test_json_lines_a_config_map_and_a_file_of_the_image_are_read_too(pod):
    lines = [json.dumps({"body": text}) for text in pod.corpus.read_text().split("\n\n")]
    (pod.root / "configmaps" / "corpus" / "train.jsonl").write_text("\n".join(lines))
    image = pod.root / "image.jsonl"
    image.write_text(lines[0] + "\n")
    pod.job["data"] |= {
        "train": [{"uri": "configmap://corpus/train.jsonl"}, {"uri": f"file://{image}"}],
        "fields": {"text": "body"},
        "validation": {"uri": f"file://{image}"},
    }
    ended = pod.run()
    assert ended.code == 0
    assert ended.message["data"]["trainExamples"] == len(lines) - 1  # what is judged on is not learned
    assert ended.message["data"]["validationExamples"] == 1


def test_a_small_corpus_yields_a_smaller_vocabulary_and_says_so(pod):
    pod.job["model"]["architecture"]["vocabularySize"] = 50_000
    ended = pod.run()
    assert "fewer than vocabularySize 50,000" in ended.output
    config = json.loads((pod.output / "config.json").read_text())
    assert config["vocab_size"] == len(AutoTokenizer.from_pretrained(pod.output)) < 5000
