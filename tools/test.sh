#!/usr/bin/env bash
# Runs every check and every test, each step told with the time it usually takes, and sums up at the end.
set -uo pipefail
cd "$(dirname "$0")/.."
failed=()

step() {
    local name=$1 usually=$2 started=$SECONDS
    shift 2
    echo "==> $name (usually $usually)"
    "$@" || failed+=("$name")
    echo "    $((SECONDS - started)) s; $SECONDS s in all"
}

step "Style and layers" "10 s" make --no-print-directory lint
step "Types" "30 s" make --no-print-directory types
step "Unit tests" "9 min" make --no-print-directory test-unit
step "Tests against a control plane" "5 min; the first time Kubernetes is built before, 6 to 9 min" \
    make --no-print-directory test-api
step "The operator under fire" "7 min" make --no-print-directory test-faults
step "The story in real pods" "32 min; the first time images are built before, 5 min" make --no-print-directory test-e2e

if ((${#failed[@]})); then
    printf 'Failed: %s\n' "${failed[@]}"
    exit 1
fi
echo "All steps passed in $SECONDS s."
