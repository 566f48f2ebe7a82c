"""The tables of the operator's reasons, which the page of reasons includes."""

from perennial.decide.reasons import REASONS, Reason
from reference_pages.markdown import code, table

MARKER = "<!-- generated: reasons of the operator -->"


def included(markdown: str) -> str:
    """The page with the tables in place of the marker."""
    return markdown.replace(MARKER, tables())


def tables() -> str:
    """A table for each set of kinds, in the order of the source."""
    groups: dict[tuple[str, ...], list[tuple[str, Reason]]] = {}
    for name, reason in REASONS.items():
        groups.setdefault(reason.kinds, []).append((name, reason))
    return "\n".join(f"### {', '.join(kinds)}\n\n{_table(group)}" for kinds, group in groups.items())


def _table(group: list[tuple[str, Reason]]) -> str:
    rows = [(code(name), reason.severity, reason.meaning, reason.action) for name, reason in group]
    return table(("Reason", "Severity", "Meaning", "What to do"), rows)
