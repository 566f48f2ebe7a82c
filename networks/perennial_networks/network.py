"""The common part of the networks: embeddings below, a head above, and the interface of transformers around them."""

from abc import abstractmethod
from typing import Any, cast

import torch
from torch import Tensor, nn
from transformers import GenerationMixin, PreTrainedModel
from transformers.modeling_outputs import CausalLMOutput, SequenceClassifierOutput

from perennial_networks.configuration import NetworkConfig


class Network(PreTrainedModel):
    """Embeds tokens; `inputs_embeds` [batch, tokens, hidden] may stand in for `input_ids` [batch, tokens]."""

    config: NetworkConfig
    embedding: nn.Embedding
    base_model_prefix = ""

    def __init__(self, config: NetworkConfig) -> None:
        super().__init__(config)
        self.embedding = nn.Embedding(config.vocab_size, config.hidden_size)
        self.dropout = nn.Dropout(config.dropout)

    def get_input_embeddings(self) -> nn.Embedding:
        return self.embedding

    def set_input_embeddings(self, value: nn.Module) -> None:
        self.embedding = cast(nn.Embedding, value)

    def embed(self, input_ids: Tensor | None, inputs_embeds: Tensor | None) -> Tensor:
        embedded: Tensor = self.dropout(self.embedding(input_ids) if inputs_embeds is None else inputs_embeds)
        return embedded

    @torch.no_grad()
    def _init_weights(self, module: nn.Module) -> None:
        """Embeddings of length one on average, so that a tied head's first logits are small; the rest is torch's."""
        if isinstance(module, nn.Embedding):
            nn.init.normal_(module.weight, std=self.config.hidden_size**-0.5)
        elif isinstance(module, nn.Linear | nn.Conv1d | nn.LSTM | nn.LayerNorm):
            module.reset_parameters()


class CausalNetwork(Network, GenerationMixin):
    """A language model: the next token from those before it. Nothing is cached; the head is the embedding."""

    _tied_weights_keys = {"head.weight": "embedding.weight"}  # noqa: RUF012

    def __init__(self, config: NetworkConfig) -> None:
        super().__init__(config)
        self.head = nn.Linear(config.hidden_size, config.vocab_size, bias=False)

    @abstractmethod
    def encode(self, embedded: Tensor) -> Tensor:
        """[batch, tokens, hidden] to the same, where no place depends on a later one."""

    def get_output_embeddings(self) -> nn.Linear:
        return self.head

    def set_output_embeddings(self, value: nn.Linear) -> None:
        self.head = value

    def forward(
        self,
        input_ids: Tensor | None = None,
        attention_mask: Tensor | None = None,
        labels: Tensor | None = None,
        inputs_embeds: Tensor | None = None,
        **kwargs: Any,
    ) -> CausalLMOutput:
        """`attention_mask` is ignored: pad on the right.

        `labels` [batch, tokens] are the inputs again, -100 where nothing is to be predicted.
        """
        logits = self.head(self.dropout(self.encode(self.embed(input_ids, inputs_embeds))))
        loss = None
        if labels is not None:
            items = kwargs.get("num_items_in_batch")
            loss = self.loss_function(logits, labels, vocab_size=self.config.vocab_size, num_items_in_batch=items)
        return CausalLMOutput(loss=loss, logits=logits)

    def prepare_inputs_for_generation(  # type: ignore[override]
        self, input_ids: Tensor, attention_mask: Tensor | None = None, **_: Any
    ) -> dict[str, Tensor]:
        return {"input_ids": input_ids[:, -self.config.max_position_embeddings :]}


class ClassifyingNetwork(Network):
    """One of `num_labels` classes for a whole sequence."""

    width: int  # units that `pool` returns for a sequence
    accepts_loss_kwargs = False  # its loss is the mean over a part of a batch

    def __init__(self, config: NetworkConfig) -> None:
        super().__init__(config)
        self.num_labels = config.num_labels

    def add_head(self, width: int) -> None:
        self.classifier = nn.Linear(width, cast(int, self.num_labels))

    @abstractmethod
    def pool(self, embedded: Tensor, mask: Tensor) -> Tensor:
        """[batch, tokens, hidden], with zeros where `mask` [batch, tokens] is False, to [batch, width]."""

    def forward(
        self,
        input_ids: Tensor | None = None,
        attention_mask: Tensor | None = None,
        labels: Tensor | None = None,
        inputs_embeds: Tensor | None = None,
        **kwargs: Any,
    ) -> SequenceClassifierOutput:
        embedded = self.embed(input_ids, inputs_embeds)
        mask = torch.ones(embedded.shape[:2], device=embedded.device) if attention_mask is None else attention_mask
        mask = mask.bool()
        logits = self.classifier(self.dropout(self.pool(embedded * mask[..., None], mask)))
        loss = None if labels is None else nn.functional.cross_entropy(logits.float(), labels)
        return SequenceClassifierOutput(loss=loss, logits=logits)


def highest(features: Tensor, mask: Tensor) -> Tensor:
    """[batch, tokens, width] to [batch, width]: each feature's largest value at a place in `mask`; 0 without one."""
    largest = features.masked_fill(~mask[..., None], -torch.inf).amax(1)
    return largest.masked_fill(~mask.any(1, keepdim=True), 0.0)
