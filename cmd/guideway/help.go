package main

import (
	"fmt"
	"io"
)

func helpVerb() verb {
	return verb{
		name:  "help",
		args:  "[VERB]",
		short: "list the verbs, or say more about one",
		run:   runHelp,
	}
}

func runHelp(e env, args []string) int {
	if len(args) == 0 {
		overview(e.out)
		return exitOK
	}
	v, ok := find(args[0])
	if !ok {
		return unknownVerb(e, args[0])
	}
	usage(e.out, v)
	return exitOK
}

// overview lists the verbs.
func overview(w io.Writer) {
	fmt.Fprint(w, "guideway VERB [ARGUMENTS]\n\n")
	for _, v := range verbs() {
		fmt.Fprintf(w, "  %-11s %s\n", v.name, v.short)
	}
}

// usage says how one verb is used.
func usage(w io.Writer, v verb) {
	fmt.Fprintf(w, "guideway %s %s: %s\n", v.name, v.args, v.short)
	if v.long != "" {
		fmt.Fprintf(w, "\n%s", v.long)
	}
}
