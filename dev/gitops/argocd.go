package main

import (
	"context"
	"fmt"
	"time"

	lua "github.com/yuin/gopher-lua"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// argocdHealth runs a health script as Argo CD does one of argocd-cm: the resource is the global obj, of the libraries only
// package, base and table are there (Argo CD adds os.time and os.date, which health has no use for), after a while it is stopped.
// A script that fails makes the health Unknown, its error the message.
func argocdHealth(resource *unstructured.Unstructured, script string, patience time.Duration) statement {
	if resource.GetDeletionTimestamp() != nil {
		return statement{"Progressing", "Pending deletion"} // whatever the script says
	}
	said, err := runHealth(resource.Object, script, patience)
	if err != nil {
		return statement{"Unknown", err.Error()}
	}
	return said
}

func runHealth(object map[string]any, script string, patience time.Duration) (statement, error) {
	state := lua.NewState(lua.Options{SkipOpenLibs: true})
	defer state.Close()
	for _, library := range []struct {
		name string
		open lua.LGFunction
	}{{lua.LoadLibName, lua.OpenPackage}, {lua.BaseLibName, lua.OpenBase}, {lua.TabLibName, lua.OpenTable}} {
		call := lua.P{Fn: state.NewFunction(library.open), Protect: true}
		if err := state.CallByParam(call, lua.LString(library.name)); err != nil {
			return statement{}, err
		}
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	state.SetContext(ctx)
	state.SetGlobal("obj", asLua(state, object))
	if err := state.DoString(script); err != nil {
		return statement{}, err
	}
	returned, ok := state.Get(-1).(*lua.LTable)
	if !ok {
		return statement{}, fmt.Errorf("expected a table, the script returned %s", state.Get(-1).Type())
	}
	return readHealth(returned)
}

func readHealth(table *lua.LTable) (statement, error) {
	said := statement{}
	for field, target := range map[string]*string{"status": &said.Status, "message": &said.Message} {
		switch value := table.RawGetString(field).(type) {
		case lua.LString:
			*target = string(value)
		case *lua.LNilType:
		default:
			return statement{}, fmt.Errorf("%s is a %s, not a string", field, value.Type())
		}
	}
	switch said.Status {
	case "Progressing", "Healthy", "Suspended", "Degraded", "Missing", "Unknown":
		return said, nil
	}
	return statement{}, fmt.Errorf("%q is no health status of Argo CD", said.Status)
}

func asLua(state *lua.LState, value any) lua.LValue {
	switch value := value.(type) {
	case bool:
		return lua.LBool(value)
	case string:
		return lua.LString(value)
	case int64:
		return lua.LNumber(value)
	case float64:
		return lua.LNumber(value)
	case []any:
		table := state.CreateTable(len(value), 0)
		for _, item := range value {
			table.Append(asLua(state, item))
		}
		return table
	case map[string]any:
		table := state.CreateTable(0, len(value))
		for name, item := range value {
			table.RawSetString(name, asLua(state, item))
		}
		return table
	}
	return lua.LNil
}
