"""Imported once by the process from which servers are forked."""

import perennial_testing.serving.process  # noqa: F401
