"""What the model says about held-out examples, by task."""

from typing import Any

import sacrebleu
import torch
from sklearn.metrics import confusion_matrix, precision_recall_fscore_support
from transformers import PreTrainedModel

from perennial_training.report.calibration import calibration
from perennial_training.tasks.objective import Objective, judging
from perennial_training.tasks.question_answering import QuestionAnswering, f1
from perennial_training.tasks.sentiment_analysis import SentimentAnalysis
from perennial_training.tasks.text_generation import TextGeneration
from perennial_training.tasks.translation import Translation

EXAMPLES = 8
_CHARACTERS = 400  # of a text that is shown


def findings(task: Objective, model: PreTrainedModel, held_out: Any) -> dict[str, Any]:
    match task:
        case TextGeneration():
            return {"samples": _continuations(task, model)}
        case Translation():
            return {"samples": _translations(task, model, held_out)}
        case SentimentAnalysis():
            return _classes(task, model, held_out)
        case QuestionAnswering():
            return {"samples": _answers(task, model, held_out)}
    raise NotImplementedError(type(task).__name__)


def _continuations(task: TextGeneration, model: PreTrainedModel) -> list[dict[str, Any]]:
    """The first half of some texts, and what the model (greedily) and the text itself go on with."""
    tokenizer = task.prepared.vocabulary.tokenizer
    samples = []
    for example in task.prepared.corpus.validation[:EXAMPLES]:
        ids = tokenizer.encode(example.roles["text"], add_special_tokens=False).ids[: task.prepared.context]
        half = len(ids) // 2
        if half < 1:
            continue
        said = list(ids[:half])
        with judging(model):
            while len(said) < len(ids):
                tokens = torch.tensor([said], device=model.device)
                said.append(int(model(input_ids=tokens, use_cache=False).logits[0, -1].argmax()))
        parts = {"text": ids[:half], "model": said[half:], "original": ids[half:]}
        samples.append({name: _short(tokenizer.decode(part)) for name, part in parts.items()})
    return samples


def _translations(task: Translation, model: PreTrainedModel, held_out: Any) -> list[dict[str, Any]]:
    """The best and the worst by chrF."""
    said = task.translations(model, held_out)
    found = []
    for example, translation in zip(held_out.examples, said, strict=True):
        chrf = sacrebleu.sentence_chrf(translation, [example.roles["target"]]).score
        shown = {"source": example.roles["source"], "model": translation, "reference": example.roles["target"]}
        found.append({"chrf": round(chrf, 1)} | {name: _short(text) for name, text in shown.items()})
    found.sort(key=lambda sample: sample["chrf"])
    half = EXAMPLES // 2
    return found if len(found) <= EXAMPLES else found[:half] + found[-half:]


def _classes(task: SentimentAnalysis, model: PreTrainedModel, held_out: Any) -> dict[str, Any]:
    logs, right = task.log_probabilities(model, held_out)
    chances, wanted = logs.exp().double().numpy(), right.numpy()
    labels = [model.config.id2label[number] for number in range(model.config.num_labels)]
    said, numbers = chances.argmax(1), range(len(labels))
    precision, recall, score, count = precision_recall_fscore_support(
        wanted, said, labels=list(numbers), zero_division=0
    )
    wrong = sorted((i for i in range(len(wanted)) if said[i] != wanted[i]), key=lambda i: -chances[i].max())
    return {
        "labels": labels,
        "confusion": confusion_matrix(wanted, said, labels=list(numbers)).tolist(),
        "classes": [
            {
                "label": labels[n], "precision": round(float(precision[n]), 4), "recall": round(float(recall[n]), 4),
                "f1": round(float(score[n]), 4), "examples": int(count[n]),
            }
            for n in numbers
        ],
        "calibration": calibration(chances, wanted),
        "samples": [
            {
                "text": _short(held_out.examples[i].roles["text"]), "model": labels[said[i]],
                "label": held_out.examples[i].roles["label"], "confidence": round(float(chances[i].max()), 4),
            }
            for i in wrong[:EXAMPLES]
        ],
    }  # fmt: skip


def _answers(task: QuestionAnswering, model: PreTrainedModel, held_out: Any) -> list[dict[str, Any]]:
    """The worst by F1, and the first of the others."""
    found = []
    for example, answer in zip(held_out.examples, task.answers(model, held_out), strict=True):
        shown = {"question": example.roles["question"], "context": example.roles["context"], "model": answer}
        shown["answer"] = example.roles["answer"]
        found.append({"f1": round(f1(answer, example.roles["answer"]), 3)} | {k: _short(v) for k, v in shown.items()})
    found.sort(key=lambda sample: sample["f1"])
    half = EXAMPLES // 2
    return found if len(found) <= EXAMPLES else found[:half] + found[-half:]


def _short(text: str) -> str:
    return text if len(text) <= _CHARACTERS else text[:_CHARACTERS] + "…"
