"""The JSON Schemas of what programs in the pods read and write, as files to download and on one page."""

from perennial_contract.schemas import PUBLISHED, Published, files

_FOLDER = "reference/schemas"


def pages() -> dict[str, str]:
    """The page, and each schema as a file."""
    return {f"{_FOLDER}/{name}": content for name, content in files().items()} | {"reference/schemas.md": _page()}


def _page() -> str:
    intro = (
        "# JSON Schemas\n\nFor programs that [train under Perennial](../guides/runtimes.md) in another language. "
        "Ignore unknown fields: a later version may add some.\n"
    )
    return "\n".join([intro, *(_section(name, document) for name, document in PUBLISHED.items())])


def _section(name: str, document: Published) -> str:
    file = f"{name}.schema.json"
    text = document.text()
    return f"## {document.title}\n\n{document.about} Download: [{file}](schemas/{file}).\n\n```json\n{text}```\n"
