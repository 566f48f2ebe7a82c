"""Translation: greedy decoding of several texts at a time."""

import copy
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, ClassVar, cast

import torch
from torch import Tensor
from transformers import AutoModelForSeq2SeqLM, GenerationConfig, StoppingCriteria, StoppingCriteriaList

from perennial_serving.engine.task import LoadedModel
from perennial_serving.errors import ApiError, Json
from perennial_serving.inference import texts
from perennial_serving.inference.batching import IsCancelled
from perennial_serving.inference.encoded_input import EncodedInput, padded
from perennial_serving.inference.requests import TranslationRequest
from perennial_serving.inference.routes import API
from perennial_serving.inference.task import InferenceTask


class _StopEarly(StoppingCriteria):
    """Stops inputs that are cancelled or have reached their own limit of tokens."""

    def __init__(self, inputs: Sequence[EncodedInput], cancelled: IsCancelled) -> None:
        self._limits = torch.tensor([item.max_new_tokens for item in inputs])
        self._cancelled = cancelled

    def __call__(self, input_ids: Tensor, scores: Tensor, **_: Any) -> Tensor:
        generated = input_ids.shape[1] - 1  # the first is the start token
        return (torch.tensor(self._cancelled()) | (self._limits <= generated)).to(input_ids.device)


class Translation(InferenceTask[TranslationRequest, EncodedInput, list[int]]):
    api = API
    auto = AutoModelForSeq2SeqLM
    request = TranslationRequest
    sample_request: ClassVar[Json] = {
        "inputs": ["a", "a b"],
        "parameters": {"generate_parameters": {"max_new_tokens": 1}},
    }

    def __init__(self, loaded: LoadedModel, folder: Path) -> None:
        super().__init__(loaded, folder)
        self._generation = GenerationConfig.from_model_config(self.model.config)
        # No forced token at the end: its position would depend on the other inputs of the batch.
        changes = {"num_beams": 1, "do_sample": False, "max_length": None, "forced_eos_token_id": None}
        self._generation.update(**changes)

    def encode(self, request: TranslationRequest) -> list[EncodedInput]:
        context, limit = self.loaded.context_length, request.parameters.generate_parameters.max_new_tokens
        if limit and limit > context:
            param = "parameters.generate_parameters.max_new_tokens"
            raise ApiError(400, f"{param}: this model generates at most {context} tokens", param)
        return texts.encode(request, self.tokenizer, context, limit or context)

    def logits(self, inputs: Sequence[EncodedInput]) -> Tensor:
        """Of the first token: [inputs, 1, vocabulary]"""
        start = torch.full([len(inputs), 1], self._generation.decoder_start_token_id, device=self.model.device)
        logits: Tensor = self.model(**padded(inputs, self.model), decoder_input_ids=start).logits
        return logits.float().cpu()

    def compute(self, inputs: Sequence[EncodedInput], cancelled: IsCancelled) -> list[list[int]]:
        """The tokens of each translation, without start, end and padding."""
        generation = copy.copy(self._generation)
        generation.max_new_tokens = max(item.max_new_tokens for item in inputs)
        generate = cast(Callable[..., Tensor], self.model.generate)
        generated = generate(
            **padded(inputs, self.model),
            generation_config=generation,
            stopping_criteria=StoppingCriteriaList([_StopEarly(inputs, cancelled)]),
        )
        outputs = zip(generated.tolist(), inputs, strict=True)
        return [self._until_end(ids[1:][: item.max_new_tokens]) for ids, item in outputs]

    def _until_end(self, ids: list[int]) -> list[int]:
        ends = {self._generation.pad_token_id, *_as_list(self._generation.eos_token_id)}
        return ids[: next((place for place, token in enumerate(ids) if token in ends), len(ids))]

    def generated_tokens(self, result: list[int]) -> int:
        return len(result)

    def answer(
        self, request: TranslationRequest, inputs: Sequence[EncodedInput], results: Sequence[list[int]]
    ) -> list[Json]:
        """A list of translations, also for a single text."""
        translations = [self.tokenizer.decode(ids, skip_special_tokens=True).strip() for ids in results]
        return [{"translation_text": text} for text in translations]


def _as_list(token: int | list[int] | None) -> list[int] | list[int | None]:
    return token if isinstance(token, list) else [token]
