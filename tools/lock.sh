#!/usr/bin/env bash
# Writes requirements/*.txt: every dependency with its version and hashes, and no registry's address.
# test.txt is the whole; the others are parts of it, so that one package has one version everywhere.
# torch and what only torch needs stand apart (torch.txt), since an image's base may bring its own torch.
set -euo pipefail
cd "$(dirname "$0")/.."
uv=${UV:-.venv/bin/uv}
compile() { "$uv" pip compile --quiet --universal --generate-hashes --python-version 3.11 --no-header --no-annotate "$@"; }

compile pyproject.toml --all-extras --output-file requirements/test.txt
compile --constraint requirements/test.txt --output-file requirements/operator.txt pyproject.toml
compile --group docs --constraint requirements/test.txt --output-file requirements/docs.txt
echo torch | compile --constraint requirements/test.txt --output-file requirements/torch.txt -
only_torch=$(sed -nE 's/^((torch|triton|cuda|nvidia)[a-z0-9-]*)==.*/--no-emit-package \1/p' requirements/torch.txt)
for part in training serving; do
    sed -n "/^$part = \[/,/^\]/s/^ *\"\([^\"]*\)\".*/\1/p" pyproject.toml |
        compile --constraint requirements/test.txt $only_torch --output-file "requirements/$part.txt" -
done
