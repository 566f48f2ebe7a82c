// verdicts says what GitOps tools make of Kubernetes objects: kstatus, by which Flux waits, and Argo CD by a health script.
//
// It reads a JSON array of objects and writes one of verdicts. The script runs as in Argo CD: in the same interpreter,
// with the object in `obj`; of the libraries it has the base, which Argo CD gives to every script.
package main

import (
	stdjson "encoding/json"
	"fmt"
	"io"
	"log"
	"os"

	lua "github.com/yuin/gopher-lua"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/json"
	"sigs.k8s.io/cli-utils/pkg/kstatus/status"
)

type verdict struct {
	Kstatus        string `json:"kstatus"`
	KstatusMessage string `json:"kstatusMessage"`
	Health         string `json:"health"`
	HealthMessage  string `json:"healthMessage"`
}

func main() {
	script, err := os.ReadFile(os.Args[1])
	check(err)
	input, err := io.ReadAll(os.Stdin)
	check(err)
	var objects []any
	check(json.Unmarshal(input, &objects)) // as the clients of Kubernetes do: integers stay integers
	verdicts := []verdict{}
	for _, object := range objects {
		verdicts = append(verdicts, judge(object.(map[string]any), string(script)))
	}
	check(stdjson.NewEncoder(os.Stdout).Encode(verdicts))
}

func judge(object map[string]any, script string) verdict {
	result, err := status.Compute(&unstructured.Unstructured{Object: object})
	check(err)
	health := run(script, object)
	return verdict{result.Status.String(), result.Message, health("status"), health("message")}
}

// run returns the fields of the table that the script returns.
func run(script string, object map[string]any) func(string) string {
	state := lua.NewState(lua.Options{SkipOpenLibs: true})
	defer state.Close()
	state.Push(state.NewFunction(lua.OpenBase))
	state.Call(0, 0)
	state.SetGlobal("obj", value(state, object))
	check(state.DoString(script))
	table, ok := state.Get(-1).(*lua.LTable)
	if !ok {
		check(fmt.Errorf("the script returns %s, not a table", state.Get(-1).Type()))
	}
	return func(name string) string { return table.RawGetString(name).String() }
}

func value(state *lua.LState, from any) lua.LValue {
	switch from := from.(type) {
	case bool:
		return lua.LBool(from)
	case int64:
		return lua.LNumber(from)
	case float64:
		return lua.LNumber(from)
	case string:
		return lua.LString(from)
	case []any:
		table := state.NewTable()
		for _, item := range from {
			table.Append(value(state, item))
		}
		return table
	case map[string]any:
		table := state.NewTable()
		for name, item := range from {
			table.RawSetString(name, value(state, item))
		}
		return table
	}
	return lua.LNil
}

func check(err error) {
	if err != nil {
		log.Fatal(err)
	}
}
