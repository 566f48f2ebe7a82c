"""Writes the JSON Schemas into a folder: `python -m perennial_contract.schemas FOLDER`."""

import sys
from pathlib import Path

from perennial_contract.schemas import files

if __name__ == "__main__":
    (folder,) = sys.argv[1:]
    for name, content in files().items():
        (Path(folder) / name).write_text(content)
