package lcore

// counters are a core's own: plain words that only the core touches. The
// control plane gets copies (see Report), made by the core between bursts, so
// that they agree with each other.
// writer: core; readers: core
type counters struct {
	received      uint64 // frames from ports and from the kernel
	taken         uint64 // frames from other cores
	made          uint64 // frames
	receivedBytes uint64
	spreadChecks  uint64 // packets looked at for whether they arrived where the device said
	spreadMisses  uint64 // those that did not
	traced        uint64 // packets that the control plane was told of
	tracesLimited uint64 // packets that it was not, for their number
	verdicts      [Verdicts]uint64
	services      []serviceCounter // by service id
	endpoints     []uint64         // packets, by endpoint id
}

type serviceCounter struct{ packets, bytes uint64 }

func newCounters(services, endpoints int) *counters {
	return &counters{
		services:  apart[serviceCounter](services),
		endpoints: apart[uint64](endpoints),
	}
}

// apart makes a slice that shares no cache line with another core's.
func apart[T any](n int) []T {
	const pad = cacheLine / 8 // elements have at least eight bytes
	return make([]T, n+2*pad)[pad : n+pad : n+pad]
}

// reset begins anew the counters of ids that have a new holder.
func (c *counters) reset(f fresh) {
	for _, id := range f.services {
		c.services[id] = serviceCounter{}
	}
	for _, id := range f.endpoints {
		c.endpoints[id] = 0
	}
}

// copyFrom takes over the values of an older, smaller set.
func (c *counters) copyFrom(old *counters) {
	services, endpoints := c.services, c.endpoints
	copy(services, old.services)
	copy(endpoints, old.endpoints)
	*c = *old
	c.services, c.endpoints = services, endpoints
}
