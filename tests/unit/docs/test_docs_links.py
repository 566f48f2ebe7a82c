"""Links and paths that MkDocs does not check: in README and its neighbors, and in the source."""

import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
PAGES = ["README.md", "CONTRIBUTING.md", "CHANGELOG.md"]
_LINK = re.compile(r"\]\(([^)#\s]+)(#[^)]*)?\)")
_PAGE_OF_DOCS = re.compile(r"\bdocs/[a-z0-9/-]+\.md\b")
_GENERATED = re.compile(r"docs/reference/(languagemodel|trainingjob|deployment|command-lines|metrics|schemas)\.md")


@pytest.mark.parametrize("page", PAGES)
def test_relative_links_lead_somewhere(page: str) -> None:
    targets = [match[1] for match in _LINK.finditer((ROOT / page).read_text())]
    local = [target for target in targets if not target.startswith(("http:", "https:"))]
    assert [target for target in local if not (ROOT / target).exists()] == []


def test_pages_that_the_source_names_exist() -> None:
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    named = {
        (path, page)
        for path in listed.split("\0")
        if path.endswith((".py", ".md", ".yaml", ".toml", ".sh", ".txt", "Makefile", "Dockerfile"))
        and not path.startswith("docs/")
        and (ROOT / path).is_file()
        for page in _PAGE_OF_DOCS.findall((ROOT / path).read_text())
    }
    assert len(named) > 5
    broken = {(path, page) for path, page in named if not (ROOT / page).exists() and not _GENERATED.fullmatch(page)}
    assert broken == set()
