"""The parts of the benchmark that train."""

import math
import statistics
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from jobs import GPU, LARGE, SMALL, Jobs, Ran

ROWS = 64 if GPU else 4
STEPS = 70 if GPU else 40
MODES: dict[str, tuple[dict[str, Any], list[str]]] = {
    "float16": ({"precision": "float16"}, []),
    "fsdp": ({}, ["--fsdp"]),
    "fsdp-checkpointing": ({"gradientCheckpointing": True}, ["--fsdp"]),
    "compiled-parts-checkpointing": ({"compile": "Always", "gradientCheckpointing": True, "microBatchSize": 8}, []),
}
NEED_A_GPU = ("float16", "fsdp", "fsdp-checkpointing")


def plain_job(jobs: Jobs) -> dict[str, Any]:
    return _timed_job(jobs, "eager", "Never")


def _timed_job(jobs: Jobs, name: str, compile: str) -> dict[str, Any]:
    return jobs.job(name, LARGE, STEPS, batchSize=ROWS, microBatchSize=ROWS, compile=compile)


def measure_speed(jobs: Jobs) -> dict[str, Any]:
    """Tokens per second of the same model and batch, by a TrainingJob and by a bare loop, plain and compiled."""
    figures: dict[str, Any] = {}
    for job, options in ((plain_job(jobs), []), (_timed_job(jobs, "compiled", "Always"), ["--compile"])):
        bare = jobs.train(job, "bare.py", *options)
        # What comes after the training is of no interest; but the plain one's artifact is served later.
        ran = jobs.train(job, until='^{"training"' if options else None)
        figures[job["job"]["name"]] = _speeds(ran, bare, ROWS * int(job["model"]["architecture"]["contextLength"]))
    return figures | {"model": job["model"]["architecture"], "rows": ROWS}


def _speeds(ran: Ran, bare: Ran, tokens: int) -> dict[str, Any]:
    speed = ran.steps_per_second(skipped=2)
    reported = [line["tokensPerSecond"] for _, line in ran.signs if "tokensPerSecond" in line][2:]
    losses = [line["validationLoss"] for _, line in ran.signs if "validationLoss" in line]
    if len(losses) < 2 or not reported:
        raise _failed(ran)
    return {
        "tokens_per_second": speed and round(speed * tokens),
        "reported_tokens_per_second": round(statistics.median(reported)),
        "bare_loop_tokens_per_second": bare.said("tokens_per_second"),
        "bare_loop_warm_up_seconds": bare.said("warm_up_seconds"),
        "first_report_seconds": round(ran.signs[1][0] - ran.signs[0][0], 1),
        "loss": losses[-1],
        "peak_gib": ran.said("training")["peakGiB"],
    }


def measure_trial(jobs: Jobs) -> dict[str, Any]:
    """What the batch-size trial chose, and the peak of its memory beside that of the training."""
    figures: dict[str, Any] = {}
    rows = 512 if GPU else 8
    for name, more in (("plain", {}), ("gradientCheckpointing", {"gradientCheckpointing": True})):
        ran = _sound(jobs.train(jobs.job(f"trial-{name}", LARGE, 3, batchSize=rows, compile="Never", **more)))
        figures[name] = {"batch": rows, "trial": ran.said("trial"), "training": ran.said("training")}
    return figures


def measure_modes(jobs: Jobs) -> dict[str, Any]:
    """A few steps in float16, sharded by FSDP, and compiled with parts and checkpointing; side by side."""
    with ThreadPoolExecutor() as pool:
        running = {
            name: pool.submit(jobs.train, jobs.job(name, SMALL, 20, batchSize=16, **more), "train.py", *options)
            for name, (more, options) in MODES.items()
            if GPU or name not in NEED_A_GPU
        }
    return {name: _outcome(future.result()) for name, future in running.items()}


def measure_resume(jobs: Jobs) -> dict[str, Any]:
    """The same training undisturbed, and killed behind its second checkpoint and started again."""
    with ThreadPoolExecutor() as pool:
        undisturbed, killed = pool.submit(_long, jobs, "undisturbed"), pool.submit(_long, jobs, "killed", '"step": 300')
        killed.result()
        again = _long(jobs, "killed")
    whole, resumed = _outcome(undisturbed.result()), _outcome(again)
    return {
        "undisturbed": whole,
        "resumed": resumed,
        "equal": whole["loss"] == resumed["loss"] and whole["loss"] is not None,
        "from": again.line("going on from checkpoint-[0-9]+"),
    }


def _long(jobs: Jobs, name: str, until: str | None = None) -> Ran:
    job = jobs.job(name, SMALL, 400, batchSize=16, microBatchSize=16)
    job["training"] |= {"evaluateEverySteps": 100, "checkpoints": {"everySteps": 100, "historyLimit": 2}}
    return jobs.train(job, until=until)


def _outcome(ran: Ran) -> dict[str, Any]:
    result = ran.said("result") or {}
    metrics = result.get("metrics") or {}
    if ran.code or not math.isfinite(metrics.get("loss", math.nan)):
        return {"code": ran.code, "reason": result.get("reason"), "output": ran.output[-12:], "loss": None}
    first = next(line["validationLoss"] for _, line in ran.signs if "validationLoss" in line)
    return {"first_loss": first, "loss": metrics["loss"]}


def _sound(ran: Ran) -> Ran:
    if ran.code:
        raise _failed(ran)
    return ran


def _failed(ran: Ran) -> SystemExit:
    return SystemExit("\n".join([*ran.output[-40:], f"ended with {ran.code}"]))
