"""Convolutional networks over tokens."""

from typing import cast

import torch
from torch import Tensor, nn
from torch.nn.functional import glu, pad, relu

from perennial_networks.configuration import ConvolutionalConfig
from perennial_networks.network import CausalNetwork, ClassifyingNetwork, highest

_WIDTHS = (3, 4, 5)  # tokens that a filter of the classifier sees


class _GatedBlock(nn.Module):
    """A causal convolution whose one half gates the other, around which the input is added."""

    def __init__(self, config: ConvolutionalConfig) -> None:
        super().__init__()
        self.before = config.kernel_size - 1
        self.norm = nn.LayerNorm(config.hidden_size)
        self.convolution = nn.Conv1d(config.hidden_size, 2 * config.hidden_size, config.kernel_size)
        self.dropout = nn.Dropout(config.dropout)

    def forward(self, hidden: Tensor) -> Tensor:
        padded = pad(self.norm(hidden).transpose(1, 2), (self.before, 0))
        change: Tensor = self.dropout(glu(self.convolution(padded), dim=1).transpose(1, 2))
        return hidden + change


class ConvolutionalForCausalLM(CausalNetwork):
    """Gated convolutions over the tokens before (Dauphin et al. 2017)."""

    config_class = ConvolutionalConfig

    def __init__(self, config: ConvolutionalConfig) -> None:
        super().__init__(config)
        self.blocks = nn.ModuleList(_GatedBlock(config) for _ in range(config.num_hidden_layers))
        self.norm = nn.LayerNorm(config.hidden_size)
        self.post_init()  # type: ignore[no-untyped-call]

    def encode(self, embedded: Tensor) -> Tensor:
        for block in self.blocks:
            embedded = block(embedded)
        normalized: Tensor = self.norm(embedded)
        return normalized


class ConvolutionalForSequenceClassification(ClassifyingNetwork):
    """Filters over 3, 4 and 5 tokens, of each the largest value (Kim 2014).

    His network has one layer; each further one is a convolution of width 3 with a residual below the filters.
    """

    config_class = ConvolutionalConfig

    def __init__(self, config: ConvolutionalConfig) -> None:
        super().__init__(config)
        size = config.hidden_size
        self.below = nn.ModuleList(nn.Conv1d(size, size, 3) for _ in range(config.num_hidden_layers - 1))
        self.filters = nn.ModuleList(nn.Conv1d(size, size, width) for width in _WIDTHS)
        self.add_head(size * len(_WIDTHS))
        self.post_init()  # type: ignore[no-untyped-call]

    def pool(self, embedded: Tensor, mask: Tensor) -> Tensor:
        for convolution in self.below:
            embedded = (embedded + relu(_around(convolution, embedded))) * mask[..., None]
        return torch.cat([highest(relu(_around(each, embedded)), mask) for each in self.filters], dim=-1)


def _around(convolution: nn.Module, hidden: Tensor) -> Tensor:
    """The convolution at each place, with zeros beyond both ends: [batch, tokens, hidden] to the same."""
    width = cast(nn.Conv1d, convolution).kernel_size[0]
    padded = pad(hidden.transpose(1, 2), ((width - 1) // 2, width // 2))
    convolved: Tensor = convolution(padded).transpose(1, 2)
    return convolved
