"""Sentiment analysis: one of a few labels for a text (sequence classification)."""

from collections.abc import Callable

import torch
from sklearn.metrics import accuracy_score, f1_score
from transformers import AutoModelForSequenceClassification, DataCollatorWithPadding, PreTrainedModel

from perennial_training.encoding import rows
from perennial_training.encoding.rows import Row, Rows
from perennial_training.tasks.objective import Metrics, RowObjective, finite, rounded

_NATS_OF_UNKNOWN = 20.0  # what a label costs that a model has never heard of


class SentimentAnalysis(RowObjective):
    auto = AutoModelForSequenceClassification
    peft = "SEQ_CLS"
    own_loss_is_of_a_part = True

    def collator(self, model: PreTrainedModel) -> Callable[[list[Row]], dict[str, torch.Tensor]]:
        return DataCollatorWithPadding(self.tokenizer())

    def held_out(self) -> Rows:
        wanted = self.prepared
        return rows.classification(wanted.corpus.validation, wanted.vocabulary, wanted.context, wanted.labels or [])

    def measure(self, model: PreTrainedModel, held_out: Rows) -> Metrics:
        """loss (nats per text), accuracy and macroF1, the mean of the classes' F1."""
        chances, wanted = self.log_probabilities(model, held_out)
        known = wanted >= 0
        costs = torch.full([len(wanted)], _NATS_OF_UNKNOWN)
        costs[known] = -chances[known].gather(1, wanted[known, None])[:, 0]
        found = chances.argmax(1)
        return {
            "loss": rounded(finite(costs.mean().item())),
            "accuracy": rounded(accuracy_score(wanted, found)),
            "macroF1": rounded(f1_score(wanted, found, average="macro", zero_division=0)),
        }

    def log_probabilities(self, model: PreTrainedModel, held_out: Rows) -> tuple[torch.Tensor, torch.Tensor]:
        """ln p of each class for each text (texts × classes), and the numbers of the right ones (-1: none)."""
        wanted = torch.tensor([row["labels"] for row in held_out.rows])
        chances = torch.empty(len(held_out.rows), model.config.num_labels)
        blank = Rows([row | {"labels": 0} for row in held_out.rows], held_out.examples)
        for numbers, _, output in self.outputs(model, blank):
            chances[numbers] = output.logits.float().log_softmax(-1).cpu()
        return chances, wanted
