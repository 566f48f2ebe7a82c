"""A run in MLflow for each job: parameters, metrics over steps, reports, a registered version.

MLflow must never stop or slow a training. A thread of its own sends everything, with short timeouts; what can't be sent
is kept, up to a bound, and sent later. A job that resumes after its pod was killed continues its run.
"""

import os
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from perennial_contract.exits import TERMINATED, Failure, first_line
from perennial_contract.job import Job, MlflowRun
from perennial_contract.report import Report
from perennial_contract.result import Artifact, Result, TrackingResult

UID_TAG = "perennial.dev/job-uid"
MOST_METRICS = 100_000  # kept while the server can't be reached; the oldest are dropped first
LAST_WAIT_SECONDS = 30.0  # for the rest at the end
_EVERY_SECONDS = 1.0
_LONGEST_PAUSE_SECONDS = 30.0
_ENVIRONMENT = {
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "5",
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "0",
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "DO_NOT_TRACK": "true",
}


class Tracking:
    """The run of one job. Nothing here raises or waits, except `end`, which waits up to LAST_WAIT_SECONDS."""

    def __init__(self, config: Job, server: MlflowRun, report: Report) -> None:
        for name, value in _ENVIRONMENT.items():
            os.environ.setdefault(name, value)
        self.config = config
        self.server = server
        self.report = report
        self._metrics: deque[tuple[str, float, int, int]] = deque(maxlen=MOST_METRICS)
        self._final_calls: list[Callable[[Any, str], None]] = []
        self._ending = threading.Event()
        self._run: str | None = None
        self._experiment = ""
        self._problem: str | None = None
        self._thread = threading.Thread(target=self._work, name="mlflow", daemon=True)
        self._thread.start()

    def metrics(self, step: int, values: dict[str, float]) -> None:
        now = int(time.time() * 1000)
        self._metrics.extend((name, float(value), now, step) for name, value in values.items())

    def end(self, status: str, result: Result | None = None, folder: Path | None = None) -> TrackingResult:
        """Sends the rest and sets the run's status (FINISHED, FAILED, KILLED); returns a summary for the result."""
        if result is not None:
            self.metrics(result.steps, {f"final_{name}": value for name, value in result.metrics.items()})
            self._final_calls.append(lambda client, run: self._register(client, run, result, folder))
        self._final_calls.append(lambda client, run: client.set_terminated(run, status))
        self._ending.set()
        self._thread.join(LAST_WAIT_SECONDS)
        url = f"{self.server.uri.rstrip('/')}/#/experiments/{self._experiment}/runs/{self._run}" if self._run else None
        if not self._thread.is_alive() and not self._problem:
            return TrackingResult(state="Complete", url=url)
        message = self._problem or f"{self.server.uri} took longer than {LAST_WAIT_SECONDS:g} s"
        self.report(f"the run in MLflow is incomplete: {message}")
        return TrackingResult(state="Incomplete", message=message, url=url)

    def _work(self) -> None:
        pause = _EVERY_SECONDS
        deadline = None
        while True:
            ending = self._ending.wait(pause)
            deadline = deadline or (time.monotonic() + LAST_WAIT_SECONDS if ending else None)
            try:
                self._send()
                self._recovered()
                pause = _EVERY_SECONDS
            except Exception as error:  # whatever a server, a proxy or a network does
                self._failed(error)
                pause = min(2 * pause, _LONGEST_PAUSE_SECONDS)
            if ending and (self._problem is None or time.monotonic() > (deadline or 0)):
                return
            if ending:
                time.sleep(1)

    def _send(self) -> None:
        from mlflow.entities import Metric
        from mlflow.tracking import MlflowClient

        client = MlflowClient(self.server.uri)
        if self._run is None:
            self._run = self._begun(client)
        while self._metrics:
            batch = [self._metrics[number] for number in range(min(len(self._metrics), 1000))]
            client.log_batch(self._run, metrics=[Metric(*entry) for entry in batch])
            for _ in batch:
                self._metrics.popleft()
        while self._ending.is_set() and self._final_calls:
            self._final_calls[0](client, self._run)
            self._final_calls.pop(0)

    def _begun(self, client: Any) -> str:
        """The run of this job: that of an earlier pod, or a new one."""
        job = self.config.job
        name = self.server.experiment or f"{job.namespace}/{job.name}"
        known = client.get_experiment_by_name(name)
        self._experiment = known.experiment_id if known else client.create_experiment(name)
        found = client.search_runs([self._experiment], f"tags.`{UID_TAG}` = '{job.uid}'", max_results=1)
        if found:
            run = str(found[0].info.run_id)
            client.update_run(run, status="RUNNING")
        else:
            tags = {UID_TAG: job.uid, "task": self.config.task, "artifact": self.config.output.uri}
            run = str(client.create_run(self._experiment, tags=tags, run_name=job.name).info.run_id)
        self._log_parameters(client, run)  # again for a run that is there: it may have been lost on the way
        return run

    def _log_parameters(self, client: Any, run: str) -> None:
        from mlflow.entities import Param

        found = dict(_flat({part: self.config.document()[part] for part in ("model", "data", "training")}))
        parameters = [Param(name, str(value)[:6000]) for name, value in found.items()]
        for start in range(0, len(parameters), 100):  # as many as a request may have
            client.log_batch(run, params=parameters[start : start + 100])

    def _register(self, client: Any, run: str, result: Result, folder: Path | None) -> None:
        client.set_tag(run, "artifact_digest", result.artifact.digest)
        if result.data is not None:
            client.set_tag(run, "data_digest", result.data.digest)
        if folder is not None:
            client.log_artifacts(run, str(folder))
        if self.server.registered_model:
            self._version(client, run, result.artifact)

    def _version(self, client: Any, run: str, artifact: Artifact) -> None:
        """A version whose source is our artifact, once for a run."""
        name = self.server.registered_model
        if not client.search_registered_models(f"name = '{name}'"):
            client.create_registered_model(name)
        found = client.search_model_versions(f"name = '{name}' and run_id = '{run}'")
        version = found[0] if found else client.create_model_version(name, artifact.uri, run_id=run)
        client.set_model_version_tag(name, version.version, "digest", artifact.digest)
        if self.server.alias:
            client.set_registered_model_alias(name, self.server.alias, version.version)

    def _failed(self, error: Exception) -> None:
        problem = first_line(error)
        if self._problem is None:
            self.report(f"MLflow can't be reached: {problem}; the training continues, and sending is retried")
        self._problem = problem

    def _recovered(self) -> None:
        if self._problem is not None:
            self.report("MLflow is reachable again")
        self._problem = None


@contextmanager
def tracked(config: Job, report: Report) -> Iterator[Tracking | None]:
    """The job's run, if it is tracked; an exception in the block ends the run as FAILED or KILLED."""
    if config.training.tracking is None:
        yield None
        return
    run = Tracking(config, config.training.tracking.mlflow, report)
    try:
        yield run
    except Failure as failure:
        run.end("KILLED" if failure.code == TERMINATED else "FAILED")
        raise
    except Exception:
        run.end("FAILED")
        raise


def _flat(document: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """The leaves of nested objects and lists, by names such as training.hyperparameters.seed."""
    entries = document.items() if isinstance(document, dict) else enumerate(document)
    for name, value in entries:
        inner = f"{path}.{name}" if path else str(name)
        if isinstance(value, dict | list):
            yield from _flat(value, inner)
        elif value is not None:
            yield inner, value
