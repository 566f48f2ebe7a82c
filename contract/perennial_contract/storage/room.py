"""Free space on the disk, checked before a download."""

import shutil
from pathlib import Path

from perennial_contract.exits import BAD_DATA, Failure

RESERVED_BYTES = 64 * 2**20  # left free for everything else


def check_room(uri: str, size: int, folder: Path) -> None:
    """Raises exits.Failure if `size` more bytes of `uri` do not fit on the disk of `folder`."""
    free = shutil.disk_usage(folder).free - RESERVED_BYTES
    if size > free:
        raise Failure("InputTooLarge", f"{uri} needs {size:,} more bytes, and {max(free, 0):,} are free", BAD_DATA)
