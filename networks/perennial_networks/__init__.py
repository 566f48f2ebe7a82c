"""The networks that transformers doesn't have: recurrent, convolutional, feed-forward.

Training and serving share them. After `register()` the Auto classes of transformers know them, so that a folder with
one of them is saved and loaded like any other: config.json, model.safetensors, and no code.
"""

from transformers import AutoConfig, AutoModelForCausalLM, AutoModelForSequenceClassification

from perennial_networks.configuration import ConvolutionalConfig, FeedForwardConfig, NetworkConfig, RecurrentConfig
from perennial_networks.convolutional import ConvolutionalForCausalLM, ConvolutionalForSequenceClassification
from perennial_networks.feedforward import FeedForwardForCausalLM, FeedForwardForSequenceClassification
from perennial_networks.network import CausalNetwork, ClassifyingNetwork
from perennial_networks.recurrent import RecurrentForCausalLM, RecurrentForSequenceClassification

_MODELS: list[tuple[type[NetworkConfig], type[CausalNetwork], type[ClassifyingNetwork]]] = [
    (RecurrentConfig, RecurrentForCausalLM, RecurrentForSequenceClassification),
    (ConvolutionalConfig, ConvolutionalForCausalLM, ConvolutionalForSequenceClassification),
    (FeedForwardConfig, FeedForwardForCausalLM, FeedForwardForSequenceClassification),
]

__all__ = ["NetworkConfig", "register"]


def register() -> None:
    """Makes the Auto classes of transformers know these networks; again is harmless."""
    for config, language_model, classifier in _MODELS:
        AutoConfig.register(config.model_type, config, exist_ok=True)
        AutoModelForCausalLM.register(config, language_model, exist_ok=True)
        AutoModelForSequenceClassification.register(config, classifier, exist_ok=True)
