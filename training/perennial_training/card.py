"""The model card: README.md as hubs show it, from the facts of the manifest and nothing else."""

from typing import Any

_METRICS = {"loss": "Loss (nats per token)", "perplexity": "Perplexity", "bitsPerByte": "Bits per byte"}


def card(facts: dict[str, Any]) -> str:
    """Markdown with front matter; the numbers are those of the manifest, digit by digit."""
    return f"""---
{_front_matter(facts).to_yaml()}
---

# {facts["name"]}

A model for {facts["task"]}, trained by Perennial in the job
`{facts["job"]["namespace"]}/{facts["job"]["name"]}` on {facts["createdAt"][:10]}.

## Evaluation

On {facts["data"]["validationExamples"]:,} held-out texts, every token of them; lower is better.

{_table(facts)}

## Training

- Steps: {facts["steps"]}{" (stopped early)" if facts["stoppedEarly"] else ""}
- Weights: those of step {facts["bestStep"]}, which had the lowest loss
- Data: {facts["data"]["trainExamples"]:,} texts, {facts["data"]["trainTokens"]:,} tokens
- Preprocessing: {_preprocessing(facts)}
- Digest of the data: `{facts["data"]["digest"]}`
- Context: {facts["contextLength"]} tokens
- Started from: {_origin(facts)}
- Made with: {", ".join(f"{name} {version}" for name, version in facts["madeWith"].items())}

The whole configuration, and the digest of each file, are in `perennial.json`.

## Limits

The numbers above are about texts like those that it learned from, and say nothing about others. What it writes
may be wrong, and repeats what is in its data.
"""


def _front_matter(facts: dict[str, Any]) -> Any:
    from huggingface_hub import EvalResult, ModelCardData

    results = [
        EvalResult(
            task_type=facts["task"],
            dataset_type="held-out",
            dataset_name="held-out texts",
            metric_type=name,
            metric_name=_METRICS[name],
            metric_value=number,
        )
        for name, number in facts["metrics"].items()
    ]
    parent = facts["parent"]["uri"] if facts["parent"] else None
    return ModelCardData(
        model_name=facts["name"],
        pipeline_tag=facts["task"],
        library_name="transformers",
        tags=["perennial"],
        base_model=parent.removeprefix("hf://") if parent and parent.startswith("hf://") else None,
        eval_results=results,
    )


def _table(facts: dict[str, Any]) -> str:
    columns = {"this model": facts["metrics"], "before training": facts["initialMetrics"]}
    if facts["comparison"]:
        columns[f"version {facts['comparison']['version']}, served"] = facts["comparison"]["metrics"]
    head = ["metric", *columns]
    rows = [[title, *(str(column[name]) for column in columns.values())] for name, title in _METRICS.items()]
    return "\n".join(f"| {' | '.join(row)} |" for row in (head, ["---"] * len(head), *rows))


def _preprocessing(facts: dict[str, Any]) -> str:
    """What became of the examples, such as "training: 3 read, 1 repeated"."""
    parts = facts["data"]["counts"].items()
    return "; ".join(f"{part}: {', '.join(f'{n:,} {name}' for name, n in counts.items())}" for part, counts in parts)


def _origin(facts: dict[str, Any]) -> str:
    return f"`{facts['parent']['uri']}`" if facts["parent"] else "random weights"
