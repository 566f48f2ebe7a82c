"""The type of a function that reports one line of text to whoever watches: a log, stdout, a list in a test."""

from collections.abc import Callable

Report = Callable[[str], None]
