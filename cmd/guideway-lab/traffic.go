package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
)

const (
	// requestsPerConnection on keep-alive connections of the main run: enough to
	// see one stray, few enough for many connections.
	requestsPerConnection = 4

	// parallel connections of the main run.
	parallel = 16
)

// mainPlan spreads the requests over the VIPs in turn, a few on each connection:
// of twenty requests two fetch 1 MiB, one sends 1 MiB and one reads it back.
func mainPlan(requests int) fetchPlan {
	p := fetchPlan{Parallel: parallel}
	for id := 0; requests > 0; id++ {
		v := vips[id%len(vips)]
		steps := []string{stepHello, stepHello, stepHello, stepHello}
		switch (id / len(vips)) % 5 { // one round of five connections for each VIP
		case 1, 3:
			steps[2] = stepLarge
		case 2:
			steps[1], steps[3] = stepUpload, stepReadBack
		}
		steps = steps[:min(requests, requestsPerConnection)]
		p.Jobs = append(p.Jobs, job{ID: id, VIP: v.name, Base: v.url(""), Steps: steps})
		requests -= len(steps)
	}
	return p
}

// uniformPlan opens the same number of connections to each VIP, all with the same
// list of steps or, given several lists, with each in its turn.
func uniformPlan(perVIP, parallel int, steps ...[]string) fetchPlan {
	p := fetchPlan{Parallel: parallel}
	for i := range perVIP * len(vips) {
		v := vips[i%len(vips)]
		p.Jobs = append(p.Jobs, job{
			ID: i, VIP: v.name, Base: v.url(""), Steps: steps[(i/len(vips))%len(steps)],
		})
	}
	return p
}

// A client is a fetch at work in the client's namespace.
type client struct {
	*process
	said   bytes.Buffer // on stderr; read after done
	resent int          // TCP segments; read after finish
	events chan fetchEvent
	fault  error // of the event stream; read after events is closed
}

// startClient sends a plan to a new client, which ends early should ctx.
func startClient(ctx context.Context, t topology, plan fetchPlan) (*client, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	text, err := json.Marshal(plan)
	if err != nil {
		return nil, err
	}
	r, w, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	// Room for every event: one for each transfer under way, one for each
	// connection, the last word. Nobody has to listen for the client to go on.
	c := &client{events: make(chan fetchEvent, 2*len(plan.Jobs)+1)}
	c.process, err = start(t, "client", "fetch", []string{self, "fetch"}, bytes.NewReader(text), w, &c.said)
	w.Close()
	if err != nil {
		r.Close()
		return nil, err
	}
	unbind := context.AfterFunc(ctx, func() { c.cmd.Process.Kill() })
	go func() {
		defer close(c.events)
		defer unbind()
		defer r.Close()
		for dec := json.NewDecoder(r); ; {
			var e fetchEvent
			if err := dec.Decode(&e); err != nil {
				if !errors.Is(err, io.EOF) {
					c.fault = err
				}
				return
			}
			c.events <- e
		}
	}()
	return c, nil
}

// underway waits until n slow transfers have moved their first bytes. Connections
// that end before are returned.
func (c *client) underway(n int) ([]connection, error) {
	var done []connection
	for n > 0 {
		e, ok := <-c.events
		if !ok {
			return done, errors.Join(fmt.Errorf("the client ended with %d transfers never begun", n), c.end())
		}
		if e.Underway {
			n--
		}
		if e.Done != nil {
			done = append(done, *e.Done)
		}
	}
	return done, nil
}

// finish collects the connections until the client ends.
func (c *client) finish() ([]connection, error) {
	var done []connection
	for e := range c.events {
		if e.Done != nil {
			done = append(done, *e.Done)
		}
		if e.Resent != nil {
			c.resent = *e.Resent
		}
	}
	return done, c.end()
}

// end tells how the client ended, once its events are over.
func (c *client) end() error {
	<-c.done
	if c.err != nil {
		return fmt.Errorf("fetch: %w: %s", c.err, strings.TrimSpace(c.said.String()))
	}
	return c.fault
}

// fetch carries out a whole plan and counts what came of it.
func fetch(ctx context.Context, t topology, plan fetchPlan) (*tally, error) {
	c, err := startClient(ctx, t, plan)
	if err != nil {
		return nil, err
	}
	conns, err := c.finish()
	if err != nil {
		return nil, err
	}
	result := judge(conns)
	result.Resent = c.resent
	return result, nil
}
