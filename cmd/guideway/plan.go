package main

import (
	"encoding/json"
	"fmt"
	"slices"

	"guideway/control/config"
	"guideway/control/console"
	"guideway/control/plan"
)

func planVerb() verb {
	return verb{
		name:  "plan",
		args:  "OLD NEW [--json]",
		short: "what a reload from one configuration file to another would do",
		long: `VIPs that are added, removed or changed; for each the share of table slots that
move, the share of connections that lose their backend, and the share that each
backend gets; other settings that change, and those that need a restart. Nothing
is touched and no node asked: every backend is taken for healthy. (In the
console, plan says it of the running node, with the health that it sees.)

Exit status: 0 a reload would be taken, 1 it would not, 2 usage.
`,
		run: runPlan,
	}
}

func runPlan(e env, args []string) int {
	var files []string
	asJSON := false
	for _, a := range args {
		switch {
		case a == "-json" || a == "--json":
			asJSON = true
		case slices.Contains([]string{"-h", "-help", "--help"}, a):
			usage(e.out, planVerb())
			return exitOK
		default:
			files = append(files, a)
		}
	}
	if len(files) != 2 {
		fmt.Fprintln(e.err, "guideway plan: which two files?")
		usage(e.err, planVerb())
		return exitUsage
	}
	var sides [2]*config.Config
	for i, path := range files {
		var err error
		if sides[i], _, err = config.Load(path); err != nil {
			fmt.Fprintln(e.err, err)
		}
	}
	if sides[0] == nil || sides[1] == nil {
		return exitFault
	}
	d, err := plan.Preview(sides[0], sides[1])
	if err != nil {
		fmt.Fprintf(e.err, "%s: %v\n", files[1], err)
		return exitFault
	}
	if asJSON {
		out := json.NewEncoder(e.out)
		out.SetIndent("", "  ")
		if err := out.Encode(d); err != nil {
			fmt.Fprintln(e.err, err)
			return exitFault
		}
	} else {
		fmt.Fprint(e.out, console.DiffText(d))
	}
	if len(d.Restart) > 0 {
		return exitFault
	}
	return exitOK
}
