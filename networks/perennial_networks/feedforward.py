"""Feed-forward networks over tokens."""

from torch import Tensor, nn
from torch.nn.functional import pad, relu

from perennial_networks.configuration import FeedForwardConfig
from perennial_networks.network import CausalNetwork, ClassifyingNetwork


class FeedForwardForCausalLM(CausalNetwork):
    """The next token from a fixed window of tokens before it (Bengio et al. 2003).

    Its first layer is a linear one over the window's embeddings side by side, which is a convolution of that width.
    """

    config_class = FeedForwardConfig

    def __init__(self, config: FeedForwardConfig) -> None:
        super().__init__(config)
        size = config.hidden_size
        self.window = nn.Conv1d(size, size, config.window)
        self.layers = nn.ModuleList(nn.Linear(size, size) for _ in range(config.num_hidden_layers - 1))
        self.norm = nn.LayerNorm(size)
        self.post_init()  # type: ignore[no-untyped-call]

    def encode(self, embedded: Tensor) -> Tensor:
        hidden = relu(self.window(pad(embedded.transpose(1, 2), (self.config.window - 1, 0))).transpose(1, 2))
        for layer in self.layers:
            hidden = hidden + relu(layer(self.dropout(hidden)))
        normalized: Tensor = self.norm(hidden)
        return normalized


class FeedForwardForSequenceClassification(ClassifyingNetwork):
    """Layers over the mean of the embeddings: the deep averaging network (Iyyer et al. 2015)."""

    config_class = FeedForwardConfig

    def __init__(self, config: FeedForwardConfig) -> None:
        super().__init__(config)
        size = config.hidden_size
        self.layers = nn.ModuleList(nn.Linear(size, size) for _ in range(config.num_hidden_layers))
        self.add_head(size)
        self.post_init()  # type: ignore[no-untyped-call]

    def pool(self, embedded: Tensor, mask: Tensor) -> Tensor:
        hidden = embedded.sum(1) / mask.sum(1, keepdim=True).clamp(min=1)
        for layer in self.layers:
            hidden = relu(layer(self.dropout(hidden)))
        return hidden
