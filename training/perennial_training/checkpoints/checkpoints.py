"""Folders that are whole or not there: checkpoints, the best weights so far, the tokenizer.

A folder counts as whole once a manifest in it, written last, pins every file. What a killed pod left half
written, or what a disk lost, has no valid manifest and is never used.
"""

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from perennial_contract import manifest
from perennial_contract.report import Report

if TYPE_CHECKING:
    from perennial_training.checkpoints.mirror import Mirror


def seal(folder: Path, facts: dict[str, Any]) -> None:
    """Declares a folder whole: its files are on disk, and `facts` say what it is."""
    manifest.write(folder, facts)
    manifest.sync_folder(folder.parent)


def facts(folder: Path) -> dict[str, Any] | None:
    """The facts of a whole folder, else None."""
    try:
        return manifest.verify(folder, None)
    except manifest.TamperedArtifact:
        return None


def step(folder: Path) -> int:
    """Of the Trainer's checkpoint-STEP."""
    return int(folder.name.removeprefix("checkpoint-"))


class Checkpoints:
    """The checkpoints of one job below `work`: checkpoint-STEP/ (the Trainer's) and best-STEP/ (weights).

    `identity` names configuration and data; a checkpoint with another one is of no use. `mirror` keeps copies
    elsewhere if `work` dies with the pod.
    """

    def __init__(self, work: Path, identity: str, keep: int, mirror: "Mirror | None" = None) -> None:
        self.work = work
        self.identity = identity
        self.keep = keep
        self.mirror = mirror

    def folder(self, step: int) -> Path:
        """Where the Trainer writes its checkpoint of this step."""
        return self.work / f"checkpoint-{step}"

    def best(self, step: int) -> Path:
        return self.work / f"best-{step}"

    def last(self, report: Report) -> Path | None:
        """The newest whole checkpoint; all others are removed, so that none is mistaken for it later."""
        found = None
        for folder in self._newest_first():
            if found is None and self._usable(folder, report):
                found = folder
            elif found is None:
                shutil.rmtree(folder)
        if found is None:
            for folder in self.work.glob("best-*"):
                shutil.rmtree(folder)
        return found

    def whole(self, report: Report) -> Iterator[Path]:
        """The whole checkpoints, the newest first."""
        return (folder for folder in self._newest_first() if self._usable(folder, report))

    def seal(self, step: int, best_step: int, finished: bool) -> None:
        """Declares the Trainer's checkpoint of `step` whole, then drops those past `keep`."""
        seal(
            self.folder(step),
            {"step": step, "bestStep": best_step, "finished": finished, "identity": self.identity},
        )
        for folder in self._newest_first()[self.keep :]:
            shutil.rmtree(folder)
        self.drop_weights(best_step)
        if self.mirror is not None:
            self.mirror.push()

    def drop_weights(self, best_step: int) -> None:
        """Drops best-* that neither is the best now nor was when a kept checkpoint was written."""
        needed = {self.best(best_step)}
        for folder in self._newest_first():
            if known := facts(folder):
                needed.add(self.best(known["bestStep"]))
        for folder in self.work.glob("best-*"):
            if folder not in needed:
                shutil.rmtree(folder)

    def _usable(self, folder: Path, report: Report) -> bool:
        known = facts(folder)
        if known is None or facts(self.best(known["bestStep"])) is None:
            report(f"{folder.name} is not whole: ignored")
            return False
        if known["identity"] != self.identity:
            report(f"{folder.name} was made from other data or another configuration: ignored")
            return False
        return True

    def _newest_first(self) -> list[Path]:
        folders = [folder for folder in self.work.glob("checkpoint-*") if folder.name[11:].isdigit()]
        return sorted(folders, key=step, reverse=True)
