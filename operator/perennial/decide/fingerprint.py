"""Hashes of what a training is made from: of what shapes the model, and of where and how it runs."""

from perennial.api.language_model import LanguageModelSpec
from perennial.api.training_job import TrainingJobSpec
from perennial.decide.digest import digest

# Where and how often it runs does not change what is learnt.
_NOT_SHAPING = {
    "compute",
    "runtime",
    "pod",
    "queue_name",
    "active_deadline_seconds",
    "backoff_limit",
    "checkpoints",
    "tracking",
}


def fingerprint(spec: LanguageModelSpec | TrainingJobSpec) -> str:
    """First 16 hexadecimal digits of a SHA-256 over model, data and training.

    Fields at their default count as absent, so that an operator that knows more fields retrains nothing.
    """
    own = spec.training.runtime.model_dump(mode="json", exclude_defaults=True, exclude={"image"})
    shaping = {
        "model": spec.model.model_dump(mode="json", exclude_defaults=True, exclude={"pretrained": {"credentials"}}),
        "data": spec.data.model_dump(
            mode="json",
            exclude_defaults=True,
            exclude={"train": {"__all__": {"credentials"}}, "validation": {"credentials"}},
        ),
        "training": spec.training.model_dump(mode="json", exclude_defaults=True, exclude=_NOT_SHAPING),
    }
    return digest(shaping | ({"runtime": own} if own else {}))


def run_fingerprint(spec: LanguageModelSpec) -> str:
    """As fingerprint(), of where and how it is trained: what a person mends when a training can't run."""
    how = spec.training.model_dump(mode="json", exclude_defaults=True, include=_NOT_SHAPING)
    storage = spec.storage.model_dump(mode="json", exclude_defaults=True)
    credentials = [*(source.credentials for source in spec.data.train), spec.data.validation.credentials]
    if spec.model.pretrained:
        credentials.append(spec.model.pretrained.credentials)
    secrets = [entry.secret_name if entry else None for entry in credentials]
    return digest({"storage": storage, "training": how} | ({"secrets": secrets} if any(secrets) else {}))
