"""Hooks of MkDocs: generates the reference pages, and refuses a site that loads anything from elsewhere."""

from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.exceptions import PluginError
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page
from reference_pages import reasons, self_contained
from reference_pages.pages import pages


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Adds the generated pages and files to those of docs/."""
    for path, content in pages().items():
        files.append(File.generated(config, path, content=content))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Includes the generated tables in the pages that have a marker for them."""
    return reasons.included(markdown)


def on_post_build(config: MkDocsConfig) -> None:
    """Fails the build for each page that would load a file over the network."""
    if found := self_contained.external(Path(config.site_dir)):
        raise PluginError("The site loads files from elsewhere:\n" + "\n".join(found))
