package fleet

import (
	"bytes"
	"fmt"
	"io"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// The page tells a person with telnet alone how to find out why a client does
// not get through. The test is that person: whatever it says to the node it
// reads there.
const walkPage = "../../docs/console.md"

// The client of the page.
var walker = netip.MustParseAddrPort("198.51.100.7:4711")

// A trouble is why the client does not get through: something is broken, until
// mend is called.
type trouble struct {
	cause func(*walk) (mend func())
	gets  func(*walk) bool // what the client wants; nil: the page of www
}

func nothing(*walk) func() { return func() {} }

// troubles are by the words of the page's table.
var troubles = map[string]trouble{
	"no VIP has the port": {cause: nothing, gets: func(w *walk) bool { return w.web("81") }},
	"too few backends answer": {cause: func(w *walk) func() {
		w.fleet.web[1].Process.Signal(syscall.SIGSTOP)
		return func() { w.fleet.web[1].Process.Signal(syscall.SIGCONT) }
	}},
	"an operator drains the backends": {cause: func(w *walk) func() {
		w.say("drain 10.0.0.1 --force")
		w.say("drain 10.0.0.2 --force")
		return func() {
			w.say("undrain 10.0.0.1")
			w.say("undrain 10.0.0.2")
		}
	}},
	"there is no next hop": {cause: func(w *walk) func() {
		w.ip("n1", "route del default")
		return func() { w.ip("n1", "route add default via "+edge4.Addr().String()) }
	}},
	"there is no BGP session": {cause: func(w *walk) func() {
		w.router.end(syscall.SIGTERM)
		return w.router.start
	}},
	"the node is drained": {cause: func(w *walk) func() {
		w.say("drain node")
		return func() { w.say("undrain node") }
	}},
	"a poll loop is stalled": {cause: func(w *walk) func() { return w.nodes[0].Stall(pollCPU) }},
	"no port has a link": {cause: func(w *walk) func() {
		w.ip("router", "link set n1 down")
		return func() { w.ip("router", "link set n1 up") }
	}},
	"it sends fragments": {cause: nothing, gets: func(w *walk) bool {
		s := w.speakFrom(walker, vip4i6)
		defer s.close()
		return s.ask(large, time.Second, s.write).whole
	}},
	"nothing comes from the client": {cause: func(w *walk) func() {
		w.ip("router", "route add blackhole 203.0.113.10 metric 1")
		return func() { w.ip("router", "route del blackhole 203.0.113.10 metric 1") }
	}},
	"all is well here, and it leaves": {cause: func(w *walk) func() {
		for i := range 2 {
			w.ip(backendName(i), "addr del 203.0.113.10/32 dev lo")
		}
		return func() {
			for i := range 2 {
				w.ip(backendName(i), "addr add 203.0.113.10/32 dev lo")
			}
		}
	}},
}

// A finding is a line of the page's table.
type finding struct {
	what     string
	commands []string
	words    []string // all of them are in the answers
}

// found tells whether answers say so. They have as many spaces as they like.
func (f finding) found(answers map[string]string) bool {
	var all strings.Builder
	for _, c := range f.commands {
		all.WriteString(strings.Join(strings.Fields(answers[c]), " "))
	}
	return !slices.ContainsFunc(f.words, func(word string) bool { return !strings.Contains(all.String(), word) })
}

var (
	walkStep  = regexp.MustCompile("(?m)^\\d+\\. (.*(?:\n   .*)*)")
	walkFound = regexp.MustCompile("(?m)^\\| ([^|`]+) \\| (`[^|]+`) \\| (`[^|]+`) \\|$")
	inTicks   = regexp.MustCompile("`([^`]+)`")
)

// readWalk reads the page: the commands at the beginning of sentences of its
// steps, in their order, and what they find.
func readWalk(t *testing.T) (steps []string, findings []finding) {
	t.Helper()
	page, err := os.ReadFile(walkPage)
	if err != nil {
		t.Fatal(err)
	}
	_, text, ok1 := strings.Cut(string(page), "\n## Why a client does not get through\n")
	text, _, ok2 := strings.Cut(text, "\n## ")
	if !ok1 || !ok2 {
		t.Fatalf("%s has no such part", walkPage)
	}
	for _, m := range walkStep.FindAllStringSubmatch(text, -1) {
		for _, c := range inTicks.FindAllStringSubmatch(m[1], -1) {
			if command := c[1]; isWalkCommand.MatchString(command) && !slices.Contains(steps, command) {
				steps = append(steps, command)
			}
		}
	}
	ticked := func(cell string) (all []string) {
		for _, m := range inTicks.FindAllStringSubmatch(cell, -1) {
			all = append(all, m[1])
		}
		return all
	}
	for _, m := range walkFound.FindAllStringSubmatch(text, -1) {
		findings = append(findings, finding{m[1], ticked(m[2]), ticked(m[3])})
	}
	return steps, findings
}

// What the walk goes by. Marked packets (trace) take a key, and have a test of
// their own.
var isWalkCommand = regexp.MustCompile(`^(show|explain|capture) `)

// A walk is a node, what is around it, and who wants to know.
type walk struct {
	*fleet
	t        *testing.T
	router   router
	steps    []string
	findings []finding
}

// TestWalk breaks one thing after the other, and finds each by the walk.
func TestWalk(t *testing.T) {
	w := &walk{t: t, fleet: build(t, shape{nodes: 1, serves: walkServices})}
	w.steps, w.findings = readWalk(t)
	if len(w.steps) < 10 || len(w.findings) != len(troubles) {
		t.Fatalf("%s has %d commands, and finds %d things", walkPage, len(w.steps), len(w.findings))
	}
	w.ip("router", "route del 203.0.113.0/24", "route del 2001:db8:cafe::/64")
	w.router = newBird(w.fleet, peering{nodes: []netip.Addr{node4.Addr()}})
	w.begin()
	w.nodes[0].WaitLog(`msg=forwarding`)
	// The kernel alone knows the next hops: this leaves something to break.
	w.nodes[0].Write(regexp.MustCompile(`(?m)^gateways .*\n`).ReplaceAllString(w.config(0), ""))
	w.nodes[0].Signal(syscall.SIGHUP)
	w.nodes[0].WaitLog(`msg=reloaded`)
	well := func() bool { return w.web("80") }
	within(t, routerLimit, "the client gets through", well)

	answers := w.walk(w.commands(), well)
	last := w.findings[len(w.findings)-1]
	for _, f := range w.findings {
		if troubles[f.what].gets != nil {
			continue // it is the client's own
		}
		if f.found(answers) != (f.what == last.what) {
			t.Errorf("all is well, and the walk says %q: %v", f.what, f.found(answers))
		}
	}
	for _, f := range w.findings {
		t.Run(f.what, func(t *testing.T) {
			trouble, known := troubles[f.what]
			if !known {
				t.Fatal("nothing is broken that way")
			}
			gets := well
			if trouble.gets != nil {
				gets = func() bool { return trouble.gets(w) }
			}
			began := time.Now()
			mend := sync.OnceFunc(trouble.cause(w))
			defer mend() // before the next is looked for
			within(t, routerLimit, "the client does not get through any more", func() bool { return !gets() })
			// The walk goes step by step, and is over when it has found it.
			upTo := f.commands[len(f.commands)-1]
			var commands []string
			for _, step := range w.steps {
				if commands = append(commands, step); sameKind(step, upTo) {
					break
				}
			}
			commands = append(commands, f.commands...)
			within(t, routerLimit, "the walk finds "+strings.Join(f.words, ", "), func() bool {
				answers = w.walk(commands, gets)
				return f.found(answers)
			})
			t.Logf("found after %v, by command %d of the walk", time.Since(began).Round(time.Millisecond), len(commands)-len(f.commands))
			for _, other := range w.findings {
				if f.what == last.what && other.what != f.what && other.found(answers) {
					t.Errorf("it is also found that %s", other.what)
				}
			}
			mend()
			within(t, routerLimit, "the client gets through again", well)
		})
	}
	w.stop()
}

// commands are all that the page names.
func (w *walk) commands() (all []string) {
	all = slices.Clone(w.steps)
	for _, f := range w.findings {
		all = append(all, f.commands...)
	}
	return all
}

// sameKind tells whether two commands are of one step.
func sameKind(a, b string) bool {
	kind := func(command string) string {
		words := strings.Fields(command)
		if words[0] == "capture" {
			return strings.Join(words[:4], " ")
		}
		if words[0] == "show" {
			return strings.Join(words[:2], " ")
		}
		return words[0]
	}
	return kind(a) == kind(b)
}

// walk gives commands to the node, each once, and returns the answers. While it
// captures, the client tries.
func (w *walk) walk(commands []string, gets func() bool) map[string]string {
	w.t.Helper()
	answers := map[string]string{}
	c := w.telnet()
	defer c.close()
	for _, command := range commands {
		if _, known := answers[command]; known {
			continue
		}
		if !strings.HasPrefix(command, "capture ") {
			answers[command] = c.ask(command)
			continue
		}
		file := command[strings.LastIndex(command, " ")+1:]
		here := filepath.Join(w.dir, filepath.Base(file))
		os.Remove(here) // that of the walk before
		var client sync.WaitGroup
		done := make(chan struct{})
		client.Go(func() {
			for {
				select {
				case <-done:
					return
				default:
					gets()
					time.Sleep(50 * time.Millisecond)
				}
			}
		})
		answers[command] = c.ask(strings.Replace(command, file, here, 1))
		close(done)
		client.Wait()
	}
	return answers
}

// say gives the node a command.
func (w *walk) say(command string) {
	w.t.Helper()
	c := w.telnet()
	defer c.close()
	if answer := c.ask(command); strings.Contains(answer, "error") {
		w.t.Fatalf("%s: %s", command, answer)
	}
}

// web gets the page of www, from the client of the page and by its port if that
// is free.
func (w *walk) web(port string) bool {
	argv := append(inside("client"), "curl", "-sS", "--noproxy", "*", "--interface", walker.Addr().String(), "--local-port", "4711-4730", "-m", "1", "http://203.0.113.10:"+port+"/")
	return exec.Command(argv[0], argv[1:]...).Run() == nil
}

// A conversation is telnet's, the program, with the node's console.
type conversation struct {
	t      *testing.T
	cmd    *exec.Cmd
	in     io.WriteCloser
	screen *screen
	seen   int // what was answered before
}

// A screen is what a program has printed, while others read it.
type screen struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (s *screen) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.buf.Write(p)
}

func (s *screen) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return strings.ReplaceAll(s.buf.String(), "\r", "")
}

func (w *walk) telnet() *conversation {
	w.t.Helper()
	argv := append(inside("n1"), "telnet", "127.0.0.1", "2323")
	c := &conversation{t: w.t, cmd: exec.Command(argv[0], argv[1:]...), screen: &screen{}}
	c.cmd.Stdout, c.cmd.Stderr = c.screen, c.screen
	c.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	var err error
	if c.in, err = c.cmd.StdinPipe(); err == nil {
		err = c.cmd.Start()
	}
	if err != nil {
		w.t.Fatal(err)
	}
	c.answer("the greeting")
	return c
}

// ask gives a command and returns the answer.
func (c *conversation) ask(command string) string {
	c.t.Helper()
	if _, err := io.WriteString(c.in, command+"\n"); err != nil {
		c.t.Fatal(err)
	}
	return c.answer(command)
}

// answer waits for the next prompt.
func (c *conversation) answer(to string) (text string) {
	c.t.Helper()
	const prompt = "n1> "
	for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(5 * time.Millisecond) {
		text = c.screen.String()[c.seen:]
		if strings.HasSuffix(text, prompt) {
			break
		}
		if time.Now().After(deadline) {
			c.cmd.Process.Kill()
			c.t.Fatalf("%s is not answered; on the screen is %q", to, text)
		}
	}
	c.seen += len(text)
	return strings.TrimSuffix(text, prompt)
}

func (c *conversation) close() {
	io.WriteString(c.in, "quit\n")
	c.cmd.Wait()
	c.in.Close()
}

// walkServices is a VIP that needs both of its backends, and one that is
// reached by datagrams.
func walkServices(int) string {
	return fmt.Sprintf(`
[console]
listen = "127.0.0.1:2323"

[bgp]
asn = %d
[[bgp.peer]]
address       = "%s"
asn           = %d
connect_retry = "2s"

[[check]]
name     = "web"
type     = "http"
interval = "200ms"
timeout  = "200ms"
rise     = 1
fall     = 2

[[pool]]
name     = "web"
check    = "web"
backends = [{ address = "10.0.0.1" }, { address = "10.0.0.2" }]

[[vip]]
name        = "www"
address     = "203.0.113.10"
ports       = ["80"]
pools       = ["web"]
min_healthy = "2"

[[vip]]
name     = "dns"
address  = "203.0.113.11"
protocol = "udp"
ports    = ["%d"]
pools    = ["web"]
`, nodeAS, edge4.Addr(), routerAS, recorderPort)
}
