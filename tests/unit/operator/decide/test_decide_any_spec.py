"""What holds for every spec that the API server accepts: no decision raises, and each says the same again."""

import json
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from perennial.api import LanguageModel, ModelDeployment, TrainingJob
from perennial.decide.deployment import decide as deployment
from perennial.decide.deployment import observed as deployment_observed
from perennial.decide.language_model import decide as language_model
from perennial.decide.language_model import observed as language_model_observed
from perennial.decide.outcome import Outcome
from perennial.decide.training_job import decide as training_job
from perennial.decide.training_job import observed as training_job_observed
from perennial_testing.specs.api_objects import DEFAULTS, NOW, after, metadata
from perennial_testing.specs.schemas import specs

KINDS = {
    TrainingJob: (training_job.decide, training_job_observed.Observed(DEFAULTS)),
    ModelDeployment: (deployment.decide, deployment_observed.Observed(DEFAULTS, readings={"queue-depth": 3.0})),
    LanguageModel: (language_model.decide, language_model_observed.Observed(DEFAULTS)),
}


def plain(outcome: Outcome) -> Any:
    """The outcome as JSON has it; NaN and what is no JSON is refused."""
    written = [outcome.status.to_wire(), outcome.apply]
    return json.loads(json.dumps(written, allow_nan=False, sort_keys=True))


@pytest.mark.parametrize("kind", KINDS)
@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_any_spec(kind: type[Any], data: st.DataObject) -> None:
    decide, seen = KINDS[kind]
    spec = data.draw(specs(kind))
    stored: dict[str, Any] = {}
    for minute in range(4):
        obj = kind.model_validate({"metadata": metadata("writer"), "spec": spec, "status": stored})
        outcome = decide(obj, seen, after(minutes=minute))
        assert plain(outcome) == plain(decide(obj, seen, after(minutes=minute)))
        assert all(m["metadata"]["namespace"] == "demo" for m in outcome.apply)
        before, stored = stored, plain(outcome)[0]
        read = kind.model_validate({"metadata": metadata("writer"), "spec": spec, "status": stored}).status
        assert read == outcome.status  # what the API server gives back is what was decided
        if minute > 1 and outcome.again_at is None:
            assert stored == before


@pytest.mark.parametrize("kind", KINDS)
@settings(max_examples=15, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_what_is_looked_at_again_lies_in_the_future(kind: type[Any], data: st.DataObject) -> None:
    decide, seen = KINDS[kind]
    obj = kind.model_validate({"metadata": metadata("writer"), "spec": data.draw(specs(kind))})
    again = decide(obj, seen, NOW).again_at
    assert again is None or again > NOW
