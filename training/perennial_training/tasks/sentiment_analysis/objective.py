"""Sentiment analysis: one of a few labels for a text (sequence classification)."""

from typing import Any, ClassVar

import torch
from sklearn.metrics import accuracy_score, f1_score
from transformers import AutoModelForSequenceClassification, DataCollatorWithPadding, PreTrainedModel

from perennial_contract.result import Baseline, Metrics
from perennial_training.encoding.rows import Rows
from perennial_training.tasks.architectures import encoder, own
from perennial_training.tasks.labels import label_names
from perennial_training.tasks.objective import Collator, RowObjective, finite, rounded
from perennial_training.tasks.question import Question
from perennial_training.tasks.sentiment_analysis import attribution, baseline, findings
from perennial_training.tasks.sentiment_analysis.encode import encode

_NATS_OF_UNKNOWN = 20.0  # the loss of a label that the model does not know


class SentimentAnalysisObjective(RowObjective):
    auto = AutoModelForSequenceClassification
    families: ClassVar = {"transformer": encoder, "rnn": own("rnn"), "cnn": own("cnn"), "mlp": own("mlp")}
    peft = "SEQ_CLS"
    own_loss_is_of_a_part = True

    def collator(self, model: PreTrainedModel) -> Collator:
        return DataCollatorWithPadding(self.tokenizer())

    def held_out(self) -> Rows:
        prepared = self.prepared
        return encode(prepared.corpus.validation, prepared.vocabulary, prepared.context, prepared.labels or [])

    def measure(self, model: PreTrainedModel, held_out: Rows) -> Metrics:
        """loss (nats per text), accuracy and macroF1, the mean of the classes' F1."""
        chances, labels = self.log_probabilities(model, held_out)
        known = labels >= 0
        costs = torch.full([len(labels)], _NATS_OF_UNKNOWN)
        costs[known] = -chances[known].gather(1, labels[known, None])[:, 0]
        predicted = chances.argmax(1)
        return {
            "loss": rounded(finite(costs.mean().item())),
            "accuracy": rounded(accuracy_score(labels, predicted)),
            "macroF1": rounded(f1_score(labels, predicted, average="macro", zero_division=0)),
        }

    def baseline(self) -> Baseline:
        return baseline.majority(self.prepared)

    def findings(self, model: PreTrainedModel, held_out: Rows) -> dict[str, Any]:
        logs, labels = self.log_probabilities(model, held_out)
        return findings.classes(held_out.examples, label_names(model), logs.exp().double().numpy(), labels.numpy())

    def questions(self, model: PreTrainedModel, held_out: Rows) -> list[Question]:
        return attribution.likeliest_classes(model, held_out)

    def log_probabilities(self, model: PreTrainedModel, held_out: Rows) -> tuple[torch.Tensor, torch.Tensor]:
        """ln p of each class for each text (texts × classes), and the numbers of the right ones (-1: unknown)."""
        labels = torch.tensor([row["labels"] for row in held_out.rows])
        chances = torch.empty(len(held_out.rows), len(label_names(model)))
        blank = Rows([row | {"labels": 0} for row in held_out.rows], held_out.examples)
        for numbers, _, output in self.outputs(model, blank):
            chances[numbers] = output.logits.float().log_softmax(-1).cpu()
        return chances, labels
