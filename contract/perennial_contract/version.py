"""The version of Perennial that runs."""

from importlib.metadata import PackageNotFoundError, version


def of_perennial() -> str:
    """The version of the installed package."""
    try:
        return version("perennial")
    except PackageNotFoundError:  # run from a source tree
        return "unreleased"
