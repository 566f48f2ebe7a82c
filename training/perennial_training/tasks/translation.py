"""Machine translation: each token of the target is predicted from the source and the tokens before it."""

import math
from collections.abc import Callable

import sacrebleu
import torch
from transformers import AutoModelForSeq2SeqLM, DataCollatorForSeq2Seq, GenerationConfig, PreTrainedModel

from perennial_training.encoding import rows
from perennial_training.encoding.rows import Row, Rows
from perennial_training.tasks.objective import Metrics, RowObjective, finite, rounded


class Translation(RowObjective):
    auto = AutoModelForSeq2SeqLM
    peft = "SEQ_2_SEQ_LM"
    own_loss_is_of_a_part = True

    def collator(self, model: PreTrainedModel) -> Callable[[list[Row]], dict[str, torch.Tensor]]:
        return DataCollatorForSeq2Seq(self.tokenizer(), model=model)

    def held_out(self) -> Rows:
        return rows.translation(self.prepared.corpus.validation, self.prepared.vocabulary, self.prepared.context)

    def measure(self, model: PreTrainedModel, held_out: Rows) -> Metrics:
        """loss (nats per token of the target, its end included) and perplexity."""
        total, tokens = 0.0, 0
        for _, batch, output in self.outputs(model, held_out):
            wanted = batch["labels"].flatten()
            logits = output.logits.float().flatten(0, 1)
            total += torch.nn.functional.cross_entropy(logits, wanted, ignore_index=-100, reduction="sum").item()
            tokens += int((wanted != -100).sum())
        loss = finite(total / tokens)
        return {"loss": rounded(loss), "perplexity": rounded(math.exp(loss))}

    def assess(self, model: PreTrainedModel, held_out: Rows) -> Metrics:
        """And BLEU and chrF, 0 to 100, of greedy translations (Post 2018; Popović 2015)."""
        said = self.translations(model, held_out)
        wanted = [[example.roles["target"] for example in held_out.examples]]
        return self.measure(model, held_out) | {
            "bleu": rounded(sacrebleu.corpus_bleu(said, wanted).score),
            "chrf": rounded(sacrebleu.corpus_chrf(said, wanted).score),
        }

    def translations(self, model: PreTrainedModel, held_out: Rows) -> list[str]:
        """A translation of each source."""
        said = [""] * len(held_out.rows)
        rule = GenerationConfig.from_model_config(model.config)
        rule.update(max_new_tokens=self.prepared.context, num_beams=1, do_sample=False, max_length=None)
        for numbers, batch, _ in self.outputs(model, held_out):
            sources = {name: batch[name] for name in ("input_ids", "attention_mask")}
            found = model.generate(**sources, generation_config=rule)
            for number, ids in zip(numbers, found.tolist(), strict=True):
                said[number] = self.prepared.vocabulary.tokenizer.decode(ids, skip_special_tokens=True).strip()
        return said
