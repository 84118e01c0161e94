// Command claims shows that Guideway does what the Maglev paper (NSDI 2016)
// says of Maglev, as far as one machine can show it: balance and disruption of
// its tables against other methods, which connections break when backends and
// nodes change, fragments, floods, and what packets cost.
//
//	go run ./test/claims [-docs docs] [-short]
//
// It prints a table of the claims, the paper's figures beside ours, and exits
// with 1 if one does not hold. With -docs the tables of claims.md there, and its
// figures, are made anew. What is played here is the packet path itself, lcore,
// on ports in memory; what it is compared with (Karger's and rendezvous
// hashing) is hashing.go's, for this alone.
//
// All but what depends on the machine's speed follows from fixed seeds. Speed
// is shown, and never a fault.
package main

import (
	"flag"
	"fmt"
	"os"
	"time"
)

// experiments run one after another, in the order of the claims as far as one
// shows several.
var experiments = []struct {
	name string
	show func(*report)
}{
	{"the paper's example", showGolden},
	{"balance", showBalance},
	{"weights", showWeights},
	{"build", showBuild},
	{"disruption", showDisruption},
	{"cost", showCost},
	{"scaling", showScaling},
	{"cores", showCores},
	{"steering", showSteering},
	{"lone packets", showLone},
	{"breakage", showBreakage},
	{"nodes and backends", showBoth},
	{"floods", showFloods},
	{"fragments", showFragments},
}

func main() {
	docs := flag.String("docs", "", "folder of claims.md, to make its tables and figures anew; empty: print only")
	short := flag.Bool("short", false, "the short form, which is part of the tests: less of everything")
	flag.Parse()
	r := newReport(*short)
	began := time.Now()
	for _, e := range experiments {
		fmt.Fprintf(os.Stderr, "%5.0f s  %s\n", time.Since(began).Seconds(), e.name)
		e.show(r)
	}
	r.tables["claims"] = r.summary()
	fmt.Print(r.tables["claims"])
	if *docs != "" {
		r.need(r.write(*docs), "writing")
	}
	if err := r.err(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	fmt.Fprintf(os.Stderr, "all claims hold; %.0f s\n", time.Since(began).Seconds())
}
