package control

import (
	"net/netip"
	"strings"

	"guideway/control/config"
	"guideway/control/health"
	"guideway/control/metrics"
	"guideway/control/plan"
)

// watchTargets has probed what the configuration has checks for, and the other
// nodes of the fleet.
func (m *Manager) watchTargets(c *config.Config) {
	if m.o.Health == nil {
		return
	}
	targets := m.nodeTargets(c)
	checks := checksByName(c)
	for _, v := range c.VIPs {
		for backend, names := range c.ChecksOf(v) {
			for _, name := range names {
				targets = append(targets, target(c, v, backend, checks[name]))
			}
		}
	}
	m.o.Health.Watch(targets)
}

func checksByName(c *config.Config) map[string]config.Check {
	checks := make(map[string]config.Check, len(c.Checks))
	for _, check := range c.Checks {
		checks[check.Name] = check
	}
	return checks
}

// target is who is asked what by a check of a VIP's backend. Those of two VIPs are
// the same, and asked once, unless they go to the VIP in its tunnel.
func target(c *config.Config, v config.VIP, backend netip.Addr, check config.Check) health.Target {
	t := health.Target{
		Addr: backend, Check: question(check),
		Interval: check.Interval, Timeout: check.Timeout, Rise: check.Rise, Fall: check.Fall,
	}
	if check.Via == config.ViaTunnel {
		t.VIP = v.Prefix.Addr()
		t.Source, t.Inside = c.Node.Source(backend), c.Node.Source(t.VIP)
	}
	return t
}

// question is a check as package health asks it.
func question(c config.Check) health.Check {
	return health.Check{
		Type: checkTypes[c.Type], Port: c.Port,
		Send: c.Send, Expect: octets(c), Method: c.Method, Path: c.Path, Host: c.Host,
		HTTP2: c.HTTPVersion == config.HTTP2, Statuses: health.StatusesOf(c.Expect...), Body: c.Body,
		Secure: health.Secure{
			On: c.TLS, ServerName: c.ServerName, CAFile: c.CAFile, Insecure: c.Insecure, CertFile: c.CertFile, KeyFile: c.KeyFile,
		},
		Query: c.Query, Record: uint16(c.Record), Rcode: uint8(c.Rcode), Answer: record(c), Service: c.Service,
		WeightHeader: c.WeightHeader, WeightBody: c.WeightBody,
	}
}

// octets is the answer that is wanted of TCP and UDP, record that of DNS: the file
// has one key for both.
func octets(c config.Check) string {
	if c.Type == config.CheckDNS {
		return ""
	}
	return c.Answer
}

func record(c config.Check) string {
	if c.Type != config.CheckDNS {
		return ""
	}
	return c.Answer
}

var checkTypes = map[config.CheckType]health.Type{
	config.CheckICMP: health.ICMP, config.CheckTCP: health.TCP, config.CheckHTTP: health.HTTP, config.CheckHTTPS: health.HTTPS,
	config.CheckTLS: health.TLS, config.CheckUDP: health.UDP, config.CheckDNS: health.DNS, config.CheckGRPC: health.GRPC,
}

// healthOf answers the planner's question of what checks say.
func (m *Manager) healthOf(c *config.Config) func(config.VIP, netip.Addr, string) plan.Health {
	if m.o.Health == nil {
		return nil
	}
	checks := checksByName(c)
	return func(v config.VIP, backend netip.Addr, name string) plan.Health {
		st := m.o.Health.Of(target(c, v, backend, checks[name]))
		h := plan.Health{Percent: 100, Begins: st.State == health.Unknown && st.Reason == health.Unchanged}
		switch st.State {
		case health.Up:
			h.Verdict, h.Percent = plan.Up, (st.Weight.Share()+weightStep-1)/weightStep*weightStep
		case health.Down:
			h.Verdict = plan.Down
		}
		return h
	}
}

// weightStep is to what weights that backends ask for are rounded up, in percent:
// one that wavers would have tables built all the time.
const weightStep = 5

// tellBackends logs what has changed of backends since the plan before.
func (m *Manager) tellBackends(before, after *plan.Plan) {
	was := map[plan.Target]plan.Verdict{}
	for _, v := range before.VIPs {
		for _, b := range v.Backends {
			was[plan.Target{VIP: v.Name, Backend: b.Address}] = b.Health
		}
	}
	told := map[netip.Addr]bool{}
	for _, v := range after.VIPs {
		for _, b := range v.Backends {
			previous, known := was[plan.Target{VIP: v.Name, Backend: b.Address}]
			if !known || previous == b.Health || told[b.Address] {
				continue
			}
			told[b.Address] = true
			args := []any{"backend", b.Address.String(), "was", previous.String(), "is", b.Health.String(), "checks", strings.Join(b.Checks, ",")}
			if b.Health == plan.Down {
				m.o.Log.Warn("a backend is down", append(args, "error", m.lastError(b.Address))...)
			} else {
				m.o.Log.Info("a backend has a new verdict", args...)
			}
		}
	}
	for i := range after.VIPs {
		v := &after.VIPs[i]
		for j := range before.VIPs {
			if w := &before.VIPs[j]; w.Name == v.Name && w.Condition != v.Condition {
				m.o.Log.Warn("a VIP is in another condition", "vip", v.Name, "was", w.Condition.String(), "is", v.Condition.String(),
					"healthy", v.Healthy, "wanted", v.Wanted, "needed", v.Needed)
			}
		}
	}
}

// lastError is what the last failed probe of an address said.
func (m *Manager) lastError(a netip.Addr) string {
	for _, st := range m.o.Health.Status() {
		if st.Target.Addr == a && st.State == health.Down {
			return st.Error
		}
	}
	return ""
}

// verdicts are what every check says of every backend, for metrics: of checks in
// the tunnel, that a backend is up if all its VIPs say so.
func (m *Manager) verdicts(s *Status) []metrics.Check {
	if m.o.Health == nil {
		return nil
	}
	checks := checksByName(s.Config)
	at := map[[2]string]int{}
	var all []metrics.Check
	for _, v := range s.Config.VIPs {
		for backend, names := range s.Config.ChecksOf(v) {
			for _, name := range names {
				st := m.o.Health.Of(target(s.Config, v, backend, checks[name]))
				if st.State == health.Unknown {
					continue
				}
				key := [2]string{backend.String(), name}
				i, known := at[key]
				if !known {
					i = len(all)
					at[key] = i
					all = append(all, metrics.Check{Backend: key[0], Check: name, Up: true})
				}
				all[i].Up = all[i].Up && st.State == health.Up
			}
		}
	}
	return all
}

// answers tells how long answers to each check took. Checks that ask the same
// are one question, and have the same answers.
func (m *Manager) answers(s *Status) map[string]health.Histogram {
	if m.o.Health == nil {
		return nil
	}
	all := map[string]health.Histogram{}
	for _, c := range s.Config.Checks {
		if h, asked := m.o.Health.Answers(question(c)); asked {
			all[c.Name] = h
		}
	}
	return all
}
