"""The model card: README.md as hubs show it, from the facts of the manifest and nothing else."""

import json
from typing import Any

from perennial_contract.facts import TrainingFacts
from perennial_contract.tasks import METRICS
from perennial_training.tasks import TASKS


def card(facts: TrainingFacts) -> str:
    """Markdown with front matter; the numbers are those of the manifest, digit by digit."""
    return f"""---
{_front_matter(facts).to_yaml()}
---

# {facts.name}

A model for {facts.task}, trained by Perennial in the job
`{facts.job.namespace}/{facts.job.name}` on {facts.created_at:%Y-%m-%d}.

## Evaluation

On {facts.data.validation_examples:,} held-out examples, all of them.

{_table(facts)}

What it says of held-out examples, and which tokens it says it for, is in [explanation/](explanation/index.html).

## Training

- Steps: {facts.steps}{" (stopped early)" if facts.stopped_early else ""}
- Weights: those of step {facts.best_step}, which had the lowest loss
- Overfitting: the loss is {facts.training_loss} on examples that it learned from and {facts.metrics["loss"]} on
  held-out ones, {facts.metrics["loss"] - facts.training_loss:+.4g}
- Data: {facts.data.train_examples:,} examples, {facts.data.train_tokens:,} tokens
- Preprocessing: {_preprocessing(facts)}
- Digest of the data: `{facts.data.digest}`
- Context: {facts.context_length} tokens
- Started from: {_origin(facts)}
- Made with: {", ".join(f"{name} {version}" for name, version in facts.made_with.items())}

The digest of each file is in `perennial.json`.

## Configuration

```json
{json.dumps(_configuration(facts), indent=1, ensure_ascii=False)}
```

## Limits

The numbers above are about texts like those that it learned from, and say nothing about others. What it writes
may be wrong, and repeats what is in its data.
"""


def _configuration(facts: TrainingFacts) -> dict[str, Any]:
    config = facts.config.document()
    return {part: config[part] for part in ("task", "model", "data", "training")}


def _front_matter(facts: TrainingFacts) -> Any:
    from huggingface_hub import EvalResult, ModelCardData

    pipeline = TASKS[facts.task].pipeline
    results = [
        EvalResult(
            task_type=pipeline,
            dataset_type="held-out",
            dataset_name="held-out examples",
            metric_type=name,
            metric_name=METRICS[name].title,
            metric_value=number,
        )
        for name, number in facts.metrics.items()
    ]
    parent = facts.parent.uri if facts.parent else None
    return ModelCardData(
        model_name=facts.name,
        pipeline_tag=pipeline,
        library_name="transformers",
        tags=["perennial"],
        base_model=parent.removeprefix("hf://") if parent and parent.startswith("hf://") else None,
        eval_results=results,
    )


def _table(facts: TrainingFacts) -> str:
    columns = {"this model": facts.metrics, "before training": facts.initial_metrics}
    columns[f"without learning: {facts.baseline.name}"] = facts.baseline.metrics
    if facts.comparison:
        columns[f"version {facts.comparison.version}, served"] = facts.comparison.metrics
    head = ["metric (↑: the larger the better)", *columns]
    rows = [
        [f"{METRICS[name].title} {'↑' if METRICS[name].larger_is_better else '↓'}"]
        + [str(column.get(name, "–")) for column in columns.values()]
        for name in facts.metrics
    ]
    return "\n".join(f"| {' | '.join(row)} |" for row in (head, ["---"] * len(head), *rows))


def _preprocessing(facts: TrainingFacts) -> str:
    """What became of the examples, such as "training: 3 read, 1 repeated"."""
    parts = facts.data.counts.items()
    return "; ".join(f"{part}: {', '.join(f'{n:,} {name}' for name, n in counts.items())}" for part, counts in parts)


def _origin(facts: TrainingFacts) -> str:
    return f"`{facts.parent.uri}`" if facts.parent else "random weights"
