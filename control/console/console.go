// Package console is the operator's door to a running process: commands by line
// over TCP or a Unix socket, for telnet, nc, scripts and the guideway command.
//
//	server.go   listening, and how many may come in
//	login.go    the password
//	telnet.go   bytes to lines, with telnet's own commands taken out
//	session.go  one session: a line, an answer, a prompt
//	output.go   answers as text or JSON, on their way out
//	parse.go    a line to words
//	commands.go the table of all commands, and how a line finds its own
//	complete.go what may follow what is typed
//	node.go     what the console knows of the process: the interface that the
//	            control plane implements, and nothing else
//	show*.go    answers, each a value that is written as text or as JSON
//	page.go     tables and units
//
// Whatever a command answers with is one value. JSON is that value; the text is
// made from it and from nothing else, so that neither says what the other lacks.
//
// A session that does not read, or says nothing, or too much, harms itself only:
// answers are complete before the first byte is written, and nothing is locked
// while one is.
package console

import (
	"log/slog"
	"time"

	"guideway/control/config"
)

// Options are what a Server is made of.
type Options struct {
	Listen config.Listen
	Node   Node

	// Settings gives the settings in effect: limits and the password count for
	// the next session. Listen in it is not looked at.
	Settings func() config.Console

	// Log gets a line for every command that changes something, with who gave
	// it and how it ended, and for every login that failed.
	Log *slog.Logger

	loginDelay, loginLimit, writeLimit time.Duration // 0: the constants of server.go
}
