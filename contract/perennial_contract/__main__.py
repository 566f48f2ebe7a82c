"""The command line of the artifact's format: seal, verify. For programs that were written without this package."""

import argparse
import json
import sys
from pathlib import Path

from perennial_contract import exits, manifest


def main(arguments: list[str] | None = None) -> int:
    """Prints what a result says of an artifact: its digest and size."""
    options = _parser().parse_args(arguments)
    try:
        digest = options.run(options)
    except (OSError, ValueError) as error:  # TamperedArtifact is a ValueError
        print(f"{options.folder}: {error}", file=sys.stderr)
        return exits.BAD_DATA
    print(json.dumps({"digest": digest, "sizeBytes": manifest.size(options.folder)}))
    return 0


def _seal(options: argparse.Namespace) -> str:
    facts = json.loads(options.facts.read_bytes()) if options.facts else {}
    if not isinstance(facts, dict) or facts.keys() & {"schema", "files"}:
        raise ValueError(f"{options.facts} must hold an object without 'schema' and 'files'")
    return manifest.write(options.folder, facts)


def _verify(options: argparse.Namespace) -> str:
    manifest.verify(options.folder, options.digest)
    return manifest.digest_of(options.folder)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m perennial_contract", description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    seal = commands.add_parser("seal", help=f"write {manifest.NAME}, which pins every file of the folder")
    seal.add_argument("folder", type=Path)
    seal.add_argument("--facts", type=Path, help="JSON object that the manifest repeats")
    seal.set_defaults(run=_seal)
    verify = commands.add_parser("verify", help="prove that every file is what was sealed")
    verify.add_argument("folder", type=Path)
    verify.add_argument("--digest", help="sha256:… of the artifact; without it the manifest is taken at its word")
    verify.set_defaults(run=_verify)
    return parser


if __name__ == "__main__":
    sys.exit(main())
