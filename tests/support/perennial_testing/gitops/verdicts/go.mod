// What GitOps tools say of an object, pinned. Built by tests/support/perennial_testing/gitops/verdicts.py.
module perennial.dev/tests/verdicts

go 1.26

require (
	github.com/yuin/gopher-lua v1.1.2
	k8s.io/apimachinery v0.37.2
	sigs.k8s.io/cli-utils v0.37.2
)
