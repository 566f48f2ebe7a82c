"""Which reference pages there are. A page is a path in the site and its text."""

from pathlib import Path

from reference_pages import api, command_lines, metrics, schemas

ROOT = Path(__file__).parents[3]
CRDS = {"languagemodel": "languagemodels", "trainingjob": "trainingjobs", "deployment": "deployments"}


def pages() -> dict[str, str]:
    """Every generated page, by its path in docs/."""
    return {
        **{f"reference/{name}.md": api.page(ROOT / "crds" / f"{file}.yaml") for name, file in CRDS.items()},
        "reference/command-lines.md": command_lines.page(),
        "reference/metrics.md": metrics.page(),
        **schemas.pages(),
    }
