package console

import (
	"context"
	"errors"
	"net/netip"
	"time"

	"guideway/control/config"
	"guideway/control/plan"
	"guideway/control/trace"
	"guideway/lcore"
	"guideway/pmd"
)

// A Node is the process as the console knows it. All methods may be called at any
// time and from any goroutine. Those with a context may take their time; they end
// when it does. What they return is the caller's to read, not to change.
type Node interface {
	Version() Version

	// Status is what is in effect. It must be at least as new as the reports
	// that were made before it is called.
	Status() Status

	// Reports asks the cores for their counters, as [lcore.Group.Reports]: a
	// core that does not answer in time has its last report, or nil, and is named
	// by the error. Asking must not take the longest poll gap away from others
	// who ask.
	Reports(context.Context) ([]*lcore.Report, error)

	Ports() []Port
	Checks() []Check
	Nodes() []FleetNode
	Kernel() Kernel
	BGP() BGP

	// Explain says what would become of a packet, by the plan in effect and by
	// what the connection table of the flow's core remembers: the question comes
	// without that, and without a hash. What cores do not say before ctx ends is in
	// the note.
	Explain(context.Context, plan.Question) (*Explanation, error)

	// Reload loads the file and returns when every core works by it, as SIGHUP
	// does without waiting. Without force it returns an error that is a
	// [ErrForce] where it would take away more backends than allowed.
	Reload(ctx context.Context, force bool) (*Change, error)

	// Plan says what Reload would do, and does nothing.
	Plan(context.Context) (*plan.Diff, error)

	// Override has a backend drained or killed, or with [plan.NoOverride] as the
	// file says again, until further notice; of all VIPs, or of one. It returns
	// when every core works by it. Force is as with Reload.
	Override(ctx context.Context, of plan.Target, to plan.Override, force bool) (*Change, error)

	// DrainNode withdraws every route, and returns when that is done; nothing
	// stops. With undo they are announced again.
	DrainNode(ctx context.Context, undo bool) error

	// Capture copies packets to a file until one of the limits is reached or ctx
	// ends, which is no error. The file must not exist.
	Capture(context.Context, Capture) (*Captured, error)

	// Trace sends marked packets and returns what the nodes answered until ctx
	// ends, which is no error.
	Trace(context.Context, trace.Request) (*trace.Result, error)
}

// ErrForce is what a change is refused with that takes away too much at once. An
// error that is one says what it would take away; the console adds how to insist.
var ErrForce = errors.New("add --force to do it all the same")

// Version is what runs.
type Version struct {
	Version string    `json:"version"`
	Go      string    `json:"go"`
	DPDK    string    `json:"dpdk"`
	Node    string    `json:"node"` // this machine's name
	PID     int       `json:"pid"`
	Started time.Time `json:"started"`
}

// Status is what the control plane knows of itself.
type Status struct {
	Path     string // of the configuration file
	Config   *config.Config
	Warnings config.Warnings // of Config
	Plan     *plan.Plan      // for Config, handed to the cores
	Planned  time.Duration   // what making Plan took
	Since    time.Time       // when Plan was handed out

	Reloads   map[string]uint64 // by result
	LastError error             // of the last load; nil: it is in effect
	Overrides map[plan.Target]plan.Override
	Draining  bool   // the node is: DrainNode
	Unhealthy string // why the watchdog has withdrawn everything; "": it has not

	Kept      bool   // the next process goes on with the connection tables
	TakenOver uint64 // flows that this one had from the process before
}

// A Port is a port or a port's kernel interface.
type Port struct {
	Info   pmd.Info
	Link   pmd.Link
	Stats  pmd.Stats
	Error  string // why Stats are not known
	XStats []pmd.XStat
}

// A Check is what one check says of one backend. The JSON names are those of the
// answer to "show checks".
type Check struct {
	Address   netip.Addr `json:"address"`
	Name      string     `json:"check"` // as pools call it
	Type      string     `json:"type"`
	Via       string     `json:"via"` // "direct", or the VIP that it goes to in the tunnel
	State     string     `json:"state"`
	Since     time.Time  `json:"since"` // of the state
	Reason    string     `json:"reason"`
	Latency   Seconds    `json:"latency_seconds"` // of the last answer; 0: there was none
	LastError string     `json:"last_error"`      // "": never
	ErrorAt   time.Time  `json:"last_error_at,omitzero"`
	Probes    uint64     `json:"probes"`
	Failed    uint64     `json:"failed"`
}

// A FleetNode is one node of [fragments].nodes.
type FleetNode struct {
	Name    string     `json:"name"`
	Address netip.Addr `json:"address"`
	Self    bool       `json:"self"`
	State   string     `json:"state"` // of this node "up"
	Since   time.Time  `json:"since,omitzero"`
	Latency Seconds    `json:"latency_seconds"`
	Share   float64    `json:"share"` // of the datagrams, that it owns now
	Error   string     `json:"last_error"`
}

// Kernel is the network as the kernel has it.
type Kernel struct {
	Interfaces []Interface `json:"interfaces"`
	NextHops   []NextHop   `json:"next_hops"` // to every destination of a tunnel
}

// An Interface is a port's kernel interface.
type Interface struct {
	Name      string         `json:"name"`
	Port      string         `json:"port"`
	MAC       string         `json:"mac"`
	MTU       int            `json:"mtu"`
	Up        bool           `json:"up"`
	Carrier   bool           `json:"carrier"`
	Addresses []netip.Prefix `json:"addresses"`
}

// A NextHop is one way that the kernel has to a destination. One without an
// Interface says that there is none.
type NextHop struct {
	Destination netip.Addr `json:"destination"`
	Route       string     `json:"route"` // prefix; "on-link", "gateway" of the file, "fixed"
	Interface   string     `json:"interface"`
	Via         netip.Addr `json:"via,omitzero"` // not valid: next_hop_mac
	MAC         string     `json:"mac"`
	State       string     `json:"state"`
	Weight      int        `json:"weight"`
}

// BGP is how VIPs are announced.
type BGP struct {
	ASN      uint32     `json:"asn"` // 0: there is no BGP
	RouterID netip.Addr `json:"router_id,omitzero"`
	Peers    []Peer     `json:"peers"`
	Routes   []Route    `json:"routes"`
}

// A Peer is one router.
type Peer struct {
	Address   netip.Addr `json:"address"`
	ASN       uint32     `json:"asn"`
	State     string     `json:"state"`
	Since     time.Time  `json:"since,omitzero"`
	Families  []string   `json:"families"`
	Sent      int        `json:"sent"`     // routes
	Received  int        `json:"received"` // routes, of which none is used
	BFD       string     `json:"bfd"`      // "": off
	LastError string     `json:"last_error"`
}

// A Route is one prefix that is announced.
type Route struct {
	Prefix      netip.Prefix `json:"prefix"`
	VIPs        []string     `json:"vips"`
	Communities []string     `json:"communities"`
}

// An Explanation is what would become of a packet.
type Explanation struct {
	Noted // what was not to be had of the cores
	plan.Explanation
	But    string `json:"but"`    // why the packet does not come here as things are; "": routers send it, or nothing is known of them. The console fills it in
	Packet string `json:"packet"` // as it was asked for; the console fills it in
	Core   *int   `json:"core"`   // CPU of the core that has the flow; null: it is not known
	Entry  *Entry `json:"entry"`  // of the connection table; null: none
}

// An Entry is what a connection table has of a flow.
type Entry struct {
	Backend netip.Addr `json:"backend"`
	State   string     `json:"state"`
	Idle    Seconds    `json:"idle_seconds"`
}

// A Change is what a command has changed.
type Change struct {
	Generation uint64     `json:"generation"` // of the snapshot that the cores work by
	Took       Seconds    `json:"took_seconds"`
	Warnings   []string   `json:"warnings"`
	Diff       *plan.Diff `json:"diff"`
}

// A Capture says what to copy.
type Capture struct {
	Filter  string // as tcpdump's; "": everything
	After   bool   // encapsulation, as packets are sent; false: as they are received
	Count   int    // frames at most
	Seconds int    // at most
	File    string // from /, a pcapng file
}

// Captured is how a capture ended.
type Captured struct {
	File   string `json:"file"`
	Frames int    `json:"frames"`
	Bytes  int64  `json:"bytes"`
	Missed uint64 `json:"missed"` // frames that there was no time for
	Ended  string `json:"ended"`  // by which limit
}
