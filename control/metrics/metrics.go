// Package metrics shows the process to Prometheus. Everything is collected
// when it is scraped: cores copy their counters out when they are asked, and
// ports are read.
//
//	collector.go  one scrape, from asking the cores to the last metric
//	control.go    what is in effect, and how the last change went
//	cores.go      what each core did with its packets
//	vips.go       the same by VIP and backend, summed over the cores
//	ports.go      what the devices count
//	machine.go    memory that packets live in
//	cpus.go       CPUs that cores poll on
//	serve.go      the page
//
// docs/metrics.md lists every metric and says when to look at it.
package metrics

import (
	"context"
	"log/slog"
	"net/http"
	"os"
	"time"

	"guideway/control/health"
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

	// Reports is [lcore.Group.Reports]. Status must be at least as new as the
	// reports that were made before it is called.
	Reports func(context.Context) ([]*lcore.Report, error)
	Status  func() Status

	// Takeover says what became of the connection tables of the process before;
	// nil: nothing is said.
	Takeover func() Takeover

	Ports []pmd.Port
	Pools func() []pmd.Pool
	Log   *slog.Logger
}

// Status is what the control plane knows of itself.
type Status struct {
	Lcores         []int      // CPU of each core, in the order of Source.Reports
	Limits         Limits     // of each core
	Plan           *plan.Plan // handed to the cores
	Planned        time.Duration
	Since          time.Time // when Plan was handed out
	LastSuccessful bool
	Reloads        map[string]uint64 // by result
	Traces         map[string]uint64 // marked packets that cores have told of, by result
	Announced      map[string]int    // VIPs whose route is to be announced, by name: how many routers it was sent to
	Held           bool              // nothing is announced, whatever is wanted
	Peers          []Peer
	Checks         []Check
	Answers        map[string]health.Histogram // how long answers took, by check
	Nodes          map[string]bool             // other nodes of the fleet, by name: do they answer? Those not known yet are left out
}

// A Takeover is how the connection tables came to be.
type Takeover struct {
	Tables  map[string]int    // how many, by result
	Entries map[string]uint64 // of those that were taken over, by result
	Kept    bool              // the next process will find them
}

// Limits are of what one core has room for.
type Limits struct {
	Flows     int // of each family, in the connection table
	Datagrams int // whose backend is remembered
	Held      int // fragments
	HeldBytes int
}

// A Check is what one check says of one backend. What has no verdict yet is left
// out.
type Check struct {
	Backend, Check string
	Up             bool
}

// A Peer is the session with one router.
type Peer struct {
	Address    string
	Up         bool
	Wanted     int // routes that it is to have
	Routes     int // sent to it
	BFD, BFDUp bool
}

// Handler serves the metrics in Prometheus's text formats.
func Handler(s Source) http.Handler {
	return promhttp.HandlerFor(newRegistry(&collector{Source: s, sys: os.DirFS("/sys"), proc: os.DirFS("/proc/self")}),
		promhttp.HandlerOpts{
			ErrorLog:            slog.NewLogLogger(s.Log.Handler(), slog.LevelError),
			ErrorHandling:       promhttp.ContinueOnError,
			MaxRequestsInFlight: maxScrapes,
		})
}

func newRegistry(c *collector) *prometheus.Registry {
	r := prometheus.NewRegistry()
	r.MustRegister(
		collectors.NewGoCollector(),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
		c,
	)
	return r
}
