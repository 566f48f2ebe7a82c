"""Texts that must fit where they are told."""


def shortened(text: str, length: int) -> str:
    """The text, cut to this length."""
    return text if len(text) <= length else text[: length - 1] + "…"
