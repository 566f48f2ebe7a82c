"""The PromQL behind the triggers."""

from perennial.api import LanguageModel


def queries(model: LanguageModel) -> dict[str, str]:
    """By name of the trigger its PromQL."""
    return {trigger.name: trigger.query for trigger in model.spec.retraining.on_metric}
