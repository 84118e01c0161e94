package monitoring

import (
	"strings"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// A fault is something that really goes wrong, on the nodes of a site.
type fault struct {
	name  string
	cause func(*site) (mend func())
	fires []string // "Alert", or "Alert node"
	rests bool     // what fires does not end when the fault does, or not in the time of a test

	after  []string    // what fires once the fault has ended
	settle func(*site) // and ends by this
}

// unprovoked are the alerts that nothing but data provokes here, and why.
var unprovoked = map[string]string{
	"GuidewayFramesUnaccounted": "a bug: no frame may end twice, or never",
	"GuidewayUnsetVerdict":      "a bug: no frame may end without a reason",
	"GuidewayNoBuffer":          "pools have room for all that can hold frames at once (cmd/guidewayd/ports.go): only a leak would empty one",
	"GuidewayWrongSpread":       "takes a card that tells of an RSS and does another: of DPDK's virtual devices net_null alone tells of one, and what that receives is no packet",
}

// phases come one after the other; all faults of one are there at the same time.
var phases = [][]fault{
	{
		{name: "a backend is dead", fires: []string{"GuidewayBackendDown", "GuidewayVIPDown lb1", "GuidewayVIPShort lb2"}, cause: func(s *site) func() {
			s.alive[dies].Store(false)
			return func() { s.alive[dies].Store(true) }
		}},
		{name: "one node loses its way to a backend", fires: []string{"GuidewayBackendDisputed", "GuidewayTablesDiffer"}, cause: func(s *site) func() {
			s.ip("lb2", "route add unreachable "+disputed)
			return func() { s.ip("lb2", "route del unreachable "+disputed) }
		}},
		{name: "a backend comes and goes", fires: []string{"GuidewayBackendFlaps lb1"}, rests: true, cause: func(s *site) func() {
			stop := make(chan struct{})
			var done sync.WaitGroup
			done.Go(func() {
				for up := false; ; up = !up {
					s.alive[flaps].Store(up)
					select {
					case <-stop:
						s.alive[flaps].Store(true)
						return
					case <-time.After(1200 * time.Millisecond): // longer than from one scrape to the next
					}
				}
			})
			return func() { close(stop); done.Wait() }
		}},
		{
			name: "VIPs without a next hop, and with a check that has no answer", cause: func(s *site) func() {
				s.reload("lb1", s.config("lb1", `
[[pool]]
name     = "hopeless"
backends = [{ address = "192.0.2.77" }]
[[vip]]
name      = "hopeless"
address   = "203.0.113.15"
ports     = ["80"]
pools     = ["hopeless"]
when_down = "fail-open"
[[pool]]
name     = "slow"
check    = "slow"
backends = [{ address = "192.0.2.77" }]
[[vip]]
name    = "slow"
address = "203.0.113.16"
ports   = ["80"]
pools   = ["slow"]
`))
				hopeful := s.stream("lb1", 1, 20*time.Millisecond, hopeless)
				return func() {
					hopeful.stop()
					s.reload("lb1", s.config("lb1", ""))
				}
			},
			fires: []string{"GuidewayNextHopsMissing lb1", "GuidewayPacketsWithoutBackend lb1", "GuidewayVIPWaiting lb1"},
		},
		{
			name: "routers are gone, or without IPv6, or without BFD", cause: func(s *site) func() {
				s.bird(false)
				return func() { s.bird(true) }
			},
			fires: []string{"GuidewayBGPPeerDown lb2", "GuidewayNoRouter lb2", "GuidewayRoutesNotSent lb1", "GuidewayBFDDown lb1"},
		},
		{name: "a file with a fault", fires: []string{"GuidewayFileNotInEffect lb2", "GuidewayReloadRejected lb2"}, cause: func(s *site) func() {
			s.reload("lb2", s.config("lb2", "[[vip]]\nname = \"nowhere\"\n"))
			return func() { s.reload("lb2", s.config("lb2", "")) }
		}},
		{name: "a poll loop may run anywhere", fires: []string{"GuidewayCoreNotPinned lb2"}, cause: func(s *site) func() {
			thread := s.nodes["lb2"].PollLoop(1)
			bind := func(cpus ...int) {
				var set unix.CPUSet
				for _, c := range cpus {
					set.Set(c)
				}
				if err := unix.SchedSetaffinity(thread, &set); err != nil {
					s.t.Fatal(err)
				}
			}
			bind(0, 1)
			return func() { bind(1) }
		}},
		{
			name: "floods and forgers", cause: func(s *site) func() {
				var streams []*stream
				const pause = 20 * time.Millisecond
				add := func(node string, each int, pause time.Duration, frames ...func(string) []byte) {
					streams = append(streams, s.stream(node, each, pause, frames...))
				}
				long := func(node string) []byte { return datagram(node, 1470) }
				var last []byte
				pair := func(node string) []byte {
					if now := last; now != nil {
						last = nil
						return now
					}
					last = datagram(node, 8)
					return last
				}
				add("lb1", 3000, time.Second, stray) // checks get their answers in between
				add("lb1", 1, pause, forged, long)
				add("lb1", 40, pause, syn)
				add("lb2", 80, pause, pair)
				// Of eight clients' datagrams some are this node's own, some the other's.
				var n uint32
				wave := func(node string) []byte { n++; return later(node, byte(n%8), uint16(n>>3)) }
				for i := range held * 4 {
					if s.send("lb1", wave("lb1")); i%256 == 0 {
						time.Sleep(3 * time.Millisecond)
					}
				}
				add("lb1", 40, pause, wave)
				return func() {
					for _, st := range streams {
						st.stop()
					}
				}
			},
			fires: []string{
				"GuidewayKernelLimited lb1", "GuidewayStrangeRedirects lb1", "GuidewayTooBig lb1", "GuidewayConntrackEvicts lb1", "GuidewayConntrackFull lb2",
				"GuidewayFragmentsExpire lb2", "GuidewayFragmentsPushedOut lb1", "GuidewayPoolLow lb1",
			},
			rests: true,
		},
	},
	{
		{name: "a node is being drained", fires: []string{"GuidewayNothingAnnounced lb2"}, cause: func(s *site) func() {
			s.say("lb2", "drain node")
			return func() { s.say("lb2", "undrain node") }
		}},
		{name: "a poll loop is stopped while packets come", fires: []string{"GuidewayCoreStalled lb1", "GuidewayNothingAnnounced lb1", "GuidewayRxMissed lb1"}, cause: func(s *site) func() {
			resume := s.nodes["lb1"].Stall(1)
			for range 20_000 {
				s.send("lb1", syn("lb1"))
			}
			return resume
		}},
		{
			// What came while it was stopped is announced with the next change of
			// anything, and around this node nothing changes.
			name: "and another, and its file is reloaded", cause: func(s *site) func() {
				s.launch("lb3", alone)
				s.wait("a scrape of lb3", func() bool { return s.value("lb3", "guideway_core_generation") == 1 })
				resume := s.nodes["lb3"].Stall(1)
				s.reload("lb3", alone+"[[vip]]\nname = \"new\"\naddress = \"203.0.113.17\"\nports = [\"80\"]\npools = [\"web\"]\n")
				return resume
			},
			fires:  []string{"GuidewayCoreBehind lb3", "GuidewayReloadLate lb3", "GuidewayFileNotInEffect lb3"},
			after:  []string{"GuidewayPollGap lb3", "GuidewayVIPNotAnnounced lb3"},
			settle: func(s *site) { s.reload("lb3", alone) },
		},
	},
	{
		{
			name: "a full machine that sends to a port that is down", cause: func(s *site) func() {
				s.overload()
				return func() { s.nodes["lb3"].Kill() }
			},
			fires: []string{"GuidewayCoreSaturated lb3", "GuidewayTransmitFull lb3", "GuidewayPortErrors lb3", "GuidewayPortDown lb3"},
			rests: true,
		},
		{
			name: "a node dies, and is started again and again, the wrong folder in its file", cause: func(s *site) func() {
				s.nodes["lb2"].Kill()
				s.wait("its death to be noticed", func() bool { return s.isFiring("GuidewayNodeSilent lb2") && s.isFiring("GuidewayFleetNodeDown") })
				for range 3 {
					seen := s.value("lb2", "process_start_time_seconds")
					s.nodes["lb2"].Kill()
					s.launch("lb2", strings.Replace(s.config("lb2", ""), "[conntrack]", "[conntrack]\nkeep = \"/sys/flows\"", 1))
					s.wait("a scrape of lb2 since", func() bool {
						is := s.value("lb2", "process_start_time_seconds")
						return is > 0 && is != seen
					})
				}
				return func() {}
			},
			fires: []string{"GuidewayNodeSilent lb2", "GuidewayFleetNodeDown", "GuidewayRestarted lb2", "GuidewayRestartsAgainAndAgain lb2", "GuidewayConnectionsNotKept lb2"},
			rests: true,
		},
	},
	{
		{name: "the job has another name", fires: []string{"GuidewayNotScraped"}, cause: func(s *site) func() {
			s.server.rename("guideway", "balancers")
			return func() { s.server.rename("balancers", "guideway") }
		}},
	},
}
