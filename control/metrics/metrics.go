// Package metrics shows the process to Prometheus. Everything is collected
// when it is scraped: cores copy their counters out when they are asked, ports
// are read, and nothing is kept in between.
package metrics

import (
	"context"
	"log/slog"
	"net/http"
	"strconv"
	"time"

	"guideway/control/plan"
	"guideway/lcore"
	"guideway/pmd"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// A Source is what is shown. All functions may be called at any time and from
// any goroutine.
type Source struct {
	Version string
	Reports func(context.Context) ([]*lcore.Report, error)
	Ports   []pmd.Port
	Pools   func() []pmd.Pool
	Status  func() Status
	Log     *slog.Logger
}

// Status is what the control plane knows of itself.
type Status struct {
	Plan           *plan.Plan
	LastSuccessful bool
	Reloads        map[string]uint64 // by result
}

// answerLimit is how long cores may take to answer a scrape.
const answerLimit = 500 * time.Millisecond

// Handler serves the metrics in Prometheus's text formats.
func Handler(s Source) http.Handler {
	registry := prometheus.NewRegistry()
	registry.MustRegister(
		collectors.NewGoCollector(),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
		collector{s},
	)
	return promhttp.HandlerFor(registry, promhttp.HandlerOpts{
		ErrorLog:      slog.NewLogLogger(s.Log.Handler(), slog.LevelError),
		ErrorHandling: promhttp.ContinueOnError,
	})
}

// collector implements prometheus.Collector, unchecked: what it shows depends
// on the configuration.
type collector struct{ Source }

// Describe sends nothing, which makes the collector an unchecked one.
func (c collector) Describe(chan<- *prometheus.Desc) {}

// Collect sends everything.
func (c collector) Collect(out chan<- prometheus.Metric) {
	s := sender(out)
	ctx, cancel := context.WithTimeout(context.Background(), answerLimit)
	defer cancel()
	reports, err := c.Reports(ctx)
	if err != nil {
		c.Log.Warn("metrics show old values", "error", err)
	}
	status := c.Status()
	s.gauge("build_info", "The version that runs; always 1.", 1, "version", c.Version)
	s.control(status)
	s.cores(reports)
	s.vips(status.Plan, reports)
	for _, p := range c.Ports {
		c.port(s, p)
	}
	for _, p := range c.Pools() {
		s.gauge("mempool_free", "Frames in the pool.", float64(p.Free), "pool", p.Name)
		s.gauge("mempool_size", "Frames that the pool has in all.", float64(p.Size), "pool", p.Name)
	}
}

// sender makes metrics of values. Labels are pairs of name and value.
type sender chan<- prometheus.Metric

func (s sender) counter(name, help string, value float64, labels ...string) {
	s.send(prometheus.CounterValue, name, help, value, labels)
}

func (s sender) gauge(name, help string, value float64, labels ...string) {
	s.send(prometheus.GaugeValue, name, help, value, labels)
}

func (s sender) send(kind prometheus.ValueType, name, help string, value float64, labels []string) {
	var names, values []string
	for i := 0; i+1 < len(labels); i += 2 {
		names, values = append(names, labels[i]), append(values, labels[i+1])
	}
	desc := prometheus.NewDesc("guideway_"+name, help, names, nil)
	m, err := prometheus.NewConstMetric(desc, kind, value, values...)
	if err != nil {
		m = prometheus.NewInvalidMetric(desc, err)
	}
	s <- m
}

func truth(b bool) float64 {
	if b {
		return 1
	}
	return 0
}

func cpu(n int) string { return strconv.Itoa(n) }
