"""Machine translation: each token of the target is predicted from the source and the tokens before it."""

import math
from typing import Any, ClassVar

import sacrebleu
import torch
from transformers import AutoModelForSeq2SeqLM, DataCollatorForSeq2Seq, GenerationConfig, PreTrainedModel

from perennial_contract.result import Baseline, Metrics
from perennial_training.encoding.rows import Rows
from perennial_training.tasks.architectures import encoder_decoder
from perennial_training.tasks.objective import Collator, RowObjective, finite, rounded
from perennial_training.tasks.question import Question
from perennial_training.tasks.translation import attribution, baseline, findings
from perennial_training.tasks.translation.encode import encode


class TranslationObjective(RowObjective):
    auto = AutoModelForSeq2SeqLM
    families: ClassVar = {"transformer": encoder_decoder}
    peft = "SEQ_2_SEQ_LM"
    own_loss_is_of_a_part = True

    def collator(self, model: PreTrainedModel) -> Collator:
        return DataCollatorForSeq2Seq(self.tokenizer(), model=model)

    def held_out(self) -> Rows:
        return encode(self.prepared.corpus.validation, self.prepared.vocabulary, self.prepared.context)

    def measure(self, model: PreTrainedModel, held_out: Rows) -> Metrics:
        """loss (nats per token of the target, its end included) and perplexity."""
        total, tokens = 0.0, 0
        for _, batch, output in self.outputs(model, held_out):
            labels = batch["labels"].flatten()
            logits = output.logits.float().flatten(0, 1)
            total += torch.nn.functional.cross_entropy(logits, labels, ignore_index=-100, reduction="sum").item()
            tokens += int((labels != -100).sum())
        loss = finite(total / tokens)
        return {"loss": rounded(loss), "perplexity": rounded(math.exp(loss))}

    def assess(self, model: PreTrainedModel, held_out: Rows) -> Metrics:
        """And BLEU and chrF, 0 to 100, of greedy translations (Post 2018; Popović 2015)."""
        outputs = self.translations(model, held_out)
        references = [[example.roles["target"] for example in held_out.examples]]
        return self.measure(model, held_out) | {
            "bleu": rounded(sacrebleu.corpus_bleu(outputs, references).score),
            "chrf": rounded(sacrebleu.corpus_chrf(outputs, references).score),
        }

    def baseline(self) -> Baseline:
        return baseline.word_by_word(self.prepared)

    def findings(self, model: PreTrainedModel, held_out: Rows) -> dict[str, Any]:
        return {"samples": findings.samples(held_out.examples, self.translations(model, held_out))}

    def questions(self, model: PreTrainedModel, held_out: Rows) -> list[Question]:
        return attribution.first_words(self.prepared, model, held_out)

    def translations(self, model: PreTrainedModel, held_out: Rows) -> list[str]:
        """A translation of each source."""
        outputs = [""] * len(held_out.rows)
        rule = GenerationConfig.from_model_config(model.config)
        rule.update(max_new_tokens=self.prepared.context, num_beams=1, do_sample=False, max_length=None)
        for numbers, batch, _ in self.outputs(model, held_out):
            sources = {name: batch[name] for name in ("input_ids", "attention_mask")}
            generated = model.generate(**sources, generation_config=rule)  # type: ignore[operator]  # of GenerationMixin
            for number, ids in zip(numbers, generated.tolist(), strict=True):
                outputs[number] = self.prepared.vocabulary.tokenizer.decode(ids, skip_special_tokens=True).strip()
        return outputs
