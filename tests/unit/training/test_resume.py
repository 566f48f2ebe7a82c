"""A killed pod: the next one goes on from the last whole checkpoint, to the same end, digit by digit."""

import json
import shutil
import signal
import threading

import pytest

from perennial_contract import manifest
from perennial_contract.exits import TERMINATED
from perennial_training.checkpoints import checkpoints
from perennial_training.checkpoints.checkpoints import Checkpoints
from perennial_training.fitting.trainer import Saving


@pytest.fixture
def undisturbed(pod):
    """The curve and weights of a run that nobody disturbed; the pod is then as before it."""
    pod.job["training"]["evaluateEverySteps"] = 2
    ended = pod.run()
    assert ended.code == 0, ended.output
    weights = manifest.verify(pod.output, None)["files"]["model.safetensors"]
    shutil.rmtree(pod.output)
    return ended, weights


class Killed(BaseException):
    """Ends a run where it stands, with no chance to tidy up."""


def kill_after(monkeypatch, step):
    """The run dies right after the checkpoint of `step`."""
    save = Saving.on_save

    def on_save(self, args, state, control, **kwargs):
        save(self, args, state, control, **kwargs)
        if state.global_step == step:
            raise Killed

    monkeypatch.setattr(Saving, "on_save", on_save)


def end_of(pod):
    return pod.ended(0, "").message["metrics"], manifest.verify(pod.output, None)["files"]["model.safetensors"]


@pytest.mark.parametrize("step", [3, 6, 9, 12])
def test_resuming_is_exact(pod, undisturbed, monkeypatch, step):
    whole, weights = undisturbed
    kill_after(monkeypatch, step)
    with pytest.raises(Killed):
        pod.run()
    monkeypatch.undo()
    ended = pod.run()
    assert f"going on from checkpoint-{step}" in ended.output
    assert ended.curve == [point for point in whole.curve if point[0] > step]
    assert ended.message["metrics"] == whole.message["metrics"]
    assert ended.message["initialMetrics"] == whole.message["initialMetrics"]
    assert manifest.verify(pod.output, None)["files"]["model.safetensors"] == weights


def test_a_torn_checkpoint_is_passed_over_for_an_older_whole_one(pod, undisturbed, monkeypatch):
    whole, weights = undisturbed
    kill_after(monkeypatch, 9)
    with pytest.raises(Killed):
        pod.run()
    monkeypatch.undo()
    optimizer = pod.work / "checkpoint-9" / "optimizer.pt"
    optimizer.write_bytes(optimizer.read_bytes()[:-100])
    ended = pod.run()
    assert "checkpoint-9 is incomplete: ignored" in ended.output
    assert "going on from checkpoint-6" in ended.output
    assert ended.message["metrics"] == whole.message["metrics"]
    assert manifest.verify(pod.output, None)["files"]["model.safetensors"] == weights


def test_early_stopping_counts_on_after_a_resume(pod, monkeypatch):
    pod.job["training"] |= {"earlyStopping": {"patience": 4, "minImprovement": 0.5}, "evaluateEverySteps": 2}
    pod.job["training"]["hyperparameters"] |= {"learningRate": 1e-6, "learningRateSchedule": "constant"}
    kill_after(monkeypatch, 6)
    with pytest.raises(Killed):
        pod.run()
    monkeypatch.undo()
    ended = pod.run()
    assert (ended.message["steps"], ended.message["stoppedEarly"]) == (8, True)


def test_checkpoints_of_other_data_are_not_used(pod, monkeypatch):
    kill_after(monkeypatch, 3)
    with pytest.raises(Killed):
        pod.run()
    monkeypatch.undo()
    pod.corpus.write_text(pod.corpus.read_text() + "\n\nand one more text that nobody had read before")
    ended = pod.run()
    assert "made from other data" in ended.output
    assert "starting from step 0" in ended.output
    assert ended.code == 0


def test_a_killed_process_goes_on(pod, undisturbed):
    """kill -9 between two checkpoints, in a process of its own."""
    whole, weights = undisturbed
    process = pod.start()
    for line in process.stdout:
        if line.startswith("{") and json.loads(line)["step"] >= 4:
            process.kill()
    assert process.wait() == -signal.SIGKILL
    ended = pod.run()
    assert "going on from checkpoint-" in ended.output
    assert ended.message["metrics"] == whole.message["metrics"]
    assert manifest.verify(pod.output, None)["files"]["model.safetensors"] == weights


def test_sigterm_saves_a_checkpoint_first(pod):
    pod.job["training"]["hyperparameters"]["maxSteps"] = 100_000
    pod.job["training"] |= {"evaluateEverySteps": 100_000, "checkpoints": {"everySteps": 100_000, "historyLimit": 2}}
    process = pod.start()
    stopper = threading.Timer(90, process.kill)
    stopper.start()
    for line in process.stdout:
        if line.startswith("{") and json.loads(line)["step"] > 0:
            process.send_signal(signal.SIGTERM)
            break
    output = process.stdout.read()
    assert process.wait() == TERMINATED, output
    stopper.cancel()
    message = pod.ended(TERMINATED, "").message
    assert message["reason"] == "Terminated"
    assert "a checkpoint was saved" in message["message"]
    saved = [folder for folder in pod.work.glob("checkpoint-*") if checkpoints.facts(folder)]
    assert len(saved) == 1
    assert int(saved[0].name[11:]) > 0


def folders(work):
    return sorted(folder.name for folder in work.iterdir())


def test_only_so_many_checkpoints_are_kept_and_the_weights_they_need(tmp_path):
    kept = Checkpoints(tmp_path, "identity", keep=2)
    for step, best in [(2, 1), (4, 3), (6, 3)]:
        for folder in (tmp_path / f"checkpoint-{step}", kept.best(best)):
            folder.mkdir(exist_ok=True)
        checkpoints.seal(kept.best(best), {"step": best})
        kept.seal(step, best, finished=False)
    assert folders(tmp_path) == ["best-3", "checkpoint-4", "checkpoint-6"]


def test_a_checkpoint_without_its_best_weights_is_not_whole(tmp_path):
    kept = Checkpoints(tmp_path, "identity", keep=2)
    (tmp_path / "checkpoint-2").mkdir()
    kept.seal(2, 1, finished=False)
    said = []
    assert kept.last(said.append) is None
    assert said == ["checkpoint-2 is incomplete: ignored"]
    assert folders(tmp_path) == []
