package metrics

import (
	"context"
	"io/fs"
	"strconv"
	"sync"
	"time"

	"guideway/lcore"

	"github.com/prometheus/client_golang/prometheus"
)

// answerLimit is how long cores may take to answer a scrape.
const answerLimit = 500 * time.Millisecond

var buildInfo = gauge("build_info", "The version that runs; always 1.", "version")

// collector implements prometheus.Collector, unchecked: what it shows depends
// on the configuration.
type collector struct {
	Source
	sys, proc fs.FS // /sys, and /proc/self

	mu   sync.Mutex      // one scrape asks the cores at a time, each with its whole answerLimit
	last []*lcore.Report // of the scrape before
}

// A core is what a scrape learns of one.
type core struct {
	name     string
	report   *lcore.Report // an old one if it did not answer; nil: it never did
	previous *lcore.Report // of the scrape before; nil: there was none
	answered bool
}

// Describe sends nothing, which makes the collector an unchecked one.
func (c *collector) Describe(chan<- *prometheus.Desc) {}

// Collect sends everything.
func (c *collector) Collect(out chan<- prometheus.Metric) {
	s := sender(out)
	reports, previous := c.ask()
	status := c.Status() // after the reports: see Source
	s.send(buildInfo, 1, c.Version)
	s.control(status)
	if c.Takeover != nil {
		s.takeover(c.Takeover())
	}
	s.cores(cores(reports, previous, status.Lcores), status.Limits)
	s.vips(status, reports)
	s.traces(status, reports)
	for _, p := range c.Ports {
		c.port(s, p)
	}
	c.memory(s)
	c.cpus(s, status.Lcores)
}

// ask gets the reports of now, as far as cores answer, and those of the scrape
// before.
func (c *collector) ask() (reports, previous []*lcore.Report) {
	c.mu.Lock()
	defer c.mu.Unlock()
	ctx, cancel := context.WithTimeout(context.Background(), answerLimit)
	defer cancel()
	reports, err := c.Reports(ctx)
	if err != nil {
		c.Log.Warn("metrics show old values", "error", err)
	}
	previous, c.last = c.last, reports
	return reports, previous
}

// cores holds reports against those of the scrape before. A core that did not
// answer still has the same one.
func cores(reports, previous []*lcore.Report, lcores []int) []core {
	var all []core
	for i, r := range reports {
		c := core{report: r}
		if i < len(previous) {
			c.previous = previous[i]
		}
		c.answered = r != c.previous
		switch {
		case r != nil:
			c.name = strconv.Itoa(r.CPU)
		case i < len(lcores):
			c.name = strconv.Itoa(lcores[i])
		default:
			continue
		}
		all = append(all, c)
	}
	return all
}
