"""Folders that are either complete or ignored: checkpoints, the best weights so far, the tokenizer.

A folder is complete when it has a valid manifest, which is written last and pins every file. The manifest of a folder
that a killed pod did not finish, or that a disk damaged, is missing or invalid.
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
    """Marks a folder as complete: syncs its files to disk and writes its manifest with these facts."""
    manifest.write(folder, facts)
    manifest.sync_folder(folder.parent)


def facts(folder: Path) -> dict[str, Any] | None:
    """The facts of a complete folder; None for an incomplete one."""
    try:
        return manifest.verify(folder, None)
    except manifest.TamperedArtifact:
        return None


def step(folder: Path) -> int:
    """STEP of the Trainer's checkpoint-STEP."""
    return int(folder.name.removeprefix("checkpoint-"))


class Checkpoints:
    """The checkpoints of one job below `work`: checkpoint-STEP/ (the Trainer's) and best-STEP/ (weights).

    `identity` is the digest of configuration and data; a checkpoint with another one is ignored. `mirror` keeps copies
    in a bucket if `work` is lost with the pod.
    """

    def __init__(self, work: Path, identity: str, keep: int, mirror: "Mirror | None" = None) -> None:
        self.work = work
        self.identity = identity
        self.keep = keep
        self.mirror = mirror

    def folder(self, step: int) -> Path:
        """Folder of the Trainer's checkpoint of this step."""
        return self.work / f"checkpoint-{step}"

    def best(self, step: int) -> Path:
        return self.work / f"best-{step}"

    def last(self, report: Report) -> Path | None:
        """The newest usable checkpoint. Newer ones are deleted, so that they are not mistaken for it later."""
        for folder in self._newest_first():
            if self._is_usable(folder, report):
                return folder
            shutil.rmtree(folder)
        for folder in self.work.glob("best-*"):
            shutil.rmtree(folder)
        return None

    def whole(self, report: Report) -> Iterator[Path]:
        """The usable checkpoints, newest first."""
        return (folder for folder in self._newest_first() if self._is_usable(folder, report))

    def seal(self, step: int, best_step: int, finished: bool) -> None:
        """Marks the Trainer's checkpoint of `step` as complete, then deletes the oldest beyond `keep`."""
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
        """Deletes each best-* that is neither the current best nor that of a kept checkpoint."""
        needed = {self.best(best_step)}
        for folder in self._newest_first():
            if checkpoint := facts(folder):
                needed.add(self.best(checkpoint["bestStep"]))
        for folder in self.work.glob("best-*"):
            if folder not in needed:
                shutil.rmtree(folder)

    def _is_usable(self, folder: Path, report: Report) -> bool:
        checkpoint = facts(folder)
        if checkpoint is None or facts(self.best(checkpoint["bestStep"])) is None:
            report(f"{folder.name} is incomplete: ignored")
            return False
        if checkpoint["identity"] != self.identity:
            report(f"{folder.name} was made from other data or another configuration: ignored")
            return False
        return True

    def _newest_first(self) -> list[Path]:
        folders = [folder for folder in self.work.glob("checkpoint-*") if folder.name[11:].isdigit()]
        return sorted(folders, key=step, reverse=True)
