package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"slices"
	"syscall"

	"guideway/control/console"
	"guideway/control/trace"
)

func traceVerb() verb {
	return verb{
		name:  "trace",
		args:  "-k FILE FLOW [--json]",
		short: "send marked packets the way of a flow: each node answers with what it did",
		long: `FLOW is ` + console.TraceArgs + `,
PROTOCOL being tcp, udp or sctp; a shell wants the ">" left out or in quotes.

The packets go from here, as they go from a node by the console's trace: best from
the client's own machine, so that they take the client's way. That needs root or
CAP_NET_RAW, and answers by UDP must be let through to this machine.

  -k FILE    the key that the nodes have in [trace].key_file
  --json     the answer as JSON
  count N    so many packets, up to 100 (default 3)
  fragments  each is a datagram in two fragments

Exit status: 0 what became of every packet is known, 1 it is not, 2 usage.
`,
		run: runTrace,
	}
}

func runTrace(e env, args []string) int {
	asJSON := slices.ContainsFunc(args, jsonFlag)
	args = slices.DeleteFunc(slices.Clone(args), func(a string) bool { return jsonFlag(a) || a == ">" })
	flags := flag.NewFlagSet("trace", flag.ContinueOnError)
	flags.SetOutput(e.err)
	flags.Usage = func() { usage(e.err, traceVerb()) }
	path := flags.String("k", "", "")
	switch err := flags.Parse(args); {
	case err == flag.ErrHelp:
		return exitOK
	case err != nil:
		return exitUsage
	}
	request, err := console.ParseTrace(flags.Args())
	if err == nil && *path == "" {
		err = fmt.Errorf("which key? -k names its file")
	}
	if err != nil {
		fmt.Fprintf(e.err, "guideway trace: %v\n", err)
		return exitUsage
	}
	key, err := trace.ReadKey(*path)
	if err != nil {
		fmt.Fprintf(e.err, "guideway trace: %v\n", err)
		return exitFault
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	ctx, cancel := context.WithTimeout(ctx, console.TraceTime(request))
	defer cancel()
	result, err := trace.Run(ctx, key, request)
	if err != nil {
		fmt.Fprintf(e.err, "guideway trace: %v\n", err)
		return exitFault
	}
	text, err := console.TraceText(result, asJSON)
	if err != nil {
		fmt.Fprintf(e.err, "guideway trace: %v\n", err)
		return exitFault
	}
	io.WriteString(e.out, text)
	if len(result.Open) > 0 {
		return exitFault
	}
	return exitOK
}

func jsonFlag(a string) bool { return a == "-json" || a == "--json" }
