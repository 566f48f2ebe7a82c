"""Finds what a page would load over the network: scripts, styles, fonts, images, frames."""

from html.parser import HTMLParser
from pathlib import Path

_LOADING = {"script": "src", "img": "src", "iframe": "src", "source": "src", "video": "src", "link": "href"}
_LINKS_THAT_LOAD = {"stylesheet", "icon", "preload", "preconnect", "modulepreload", "manifest"}


def external(site: Path) -> list[str]:
    """One line for each external file that a page of the site loads."""
    return [
        f"{page.relative_to(site)}: {address}"
        for page in sorted(site.rglob("*.html"))
        for address in _addresses(page.read_text())
    ]


def _addresses(html: str) -> list[str]:
    parser = _Parser()
    parser.feed(html)
    return parser.addresses


class _Parser(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.addresses: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        attributes = dict(attrs)
        address = attributes.get(_LOADING.get(tag, "")) or ""
        loads = tag != "link" or bool(_LINKS_THAT_LOAD & set((attributes.get("rel") or "").split()))
        if loads and address.startswith(("http:", "https:", "//")):
            self.addresses.append(address)
