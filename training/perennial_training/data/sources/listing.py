"""The names that do exist, for the message about one that does not."""


def existing(names: list[str]) -> str:
    """The end of a sentence."""
    more = ", …" if len(names) > 10 else ""
    return f"; there {'is' if len(names) == 1 else 'are'}: {', '.join(names[:10])}{more}" if names else "; it is empty"
