// Guest is the program inside the virtual machines of test/vm.
//
//	guest agent           runs what the test asks for by the virtio port "test"
//	guest serve ADDR...   answers HTTP on port 80 and UDP on port 53 of the addresses
//
// It is linked statically, and serves as a machine's first process too.
package main

import (
	"errors"
	"fmt"
	"os"
)

func main() {
	var err error
	switch {
	case len(os.Args) == 2 && os.Args[1] == "agent":
		err = agent()
	case len(os.Args) > 2 && os.Args[1] == "serve":
		err = serve(os.Args[2:])
	default:
		err = errors.New("usage: guest agent, or guest serve with addresses")
	}
	fmt.Fprintln(os.Stderr, "guest:", err)
	os.Exit(1)
}
