"""Recurrent networks: LSTM (Hochreiter and Schmidhuber 1997)."""

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from perennial_networks.configuration import RecurrentConfig
from perennial_networks.network import CausalNetwork, ClassifyingNetwork, highest


def _lstm(config: RecurrentConfig, bidirectional: bool) -> nn.LSTM:
    return nn.LSTM(
        config.hidden_size,
        config.hidden_size,
        config.num_hidden_layers,
        batch_first=True,
        dropout=config.dropout if config.num_hidden_layers > 1 else 0.0,  # torch warns about it where it has no effect
        bidirectional=bidirectional,
    )


class RecurrentForCausalLM(CausalNetwork):
    """Zaremba et al. 2014, with dropout between the layers; the head tied as by Press and Wolf 2017."""

    config_class = RecurrentConfig

    def __init__(self, config: RecurrentConfig) -> None:
        super().__init__(config)
        self.lstm = _lstm(config, bidirectional=False)
        self.post_init()  # type: ignore[no-untyped-call]

    def encode(self, embedded: Tensor) -> Tensor:
        outputs: Tensor = self.lstm(embedded)[0]
        return outputs


class RecurrentForSequenceClassification(ClassifyingNetwork):
    """A bidirectional LSTM, of whose outputs each feature's largest counts (Conneau et al. 2017, section 3.2.2)."""

    config_class = RecurrentConfig

    def __init__(self, config: RecurrentConfig) -> None:
        super().__init__(config)
        self.lstm = _lstm(config, bidirectional=True)
        self.add_head(2 * config.hidden_size)
        self.post_init()  # type: ignore[no-untyped-call]

    def pool(self, embedded: Tensor, mask: Tensor) -> Tensor:
        """The padding is moved to the right and packed away, so it changes no state."""
        order = mask.long().argsort(dim=1, descending=True, stable=True)
        embedded = embedded.gather(1, order[..., None].expand_as(embedded))
        lengths = mask.sum(1).clamp(min=1).cpu()
        packed = pack_padded_sequence(embedded, lengths, batch_first=True, enforce_sorted=False)
        outputs, _ = pad_packed_sequence(self.lstm(packed)[0], batch_first=True, total_length=embedded.shape[1])
        return highest(outputs, torch.gather(mask, 1, order))
