package main

import (
	"encoding/binary"
	"fmt"
	"math/big"
	"net/netip"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"guideway/fragments"
	"guideway/lcore"
	"guideway/maglev"
	"guideway/maglev/conntrack"
	"guideway/maglev/fib"
	"guideway/maglev/flow"
	"guideway/maglev/packet"
	"guideway/pmd"
	"guideway/pmd/dpdk"
)

// refill stands between a worker and a net_null queue, which hands out
// buffers with whatever was in them: it writes a packet into each, of one of
// many flows.
type refill struct {
	pmd.Queue
	frame []byte // the packet; its source address and port are patched
	ports int    // offset of the ports
	src   int    // offset of the last four bytes of the source address
	flows uint32
	step  uint32
	next  uint32
}

// visit makes it go through so many flows in an order that no cache foresees: by
// steps that have no factor in common with their number.
func (q *refill) visit(flows uint32) {
	q.flows, q.step = flows, 0x9e3779b1%flows|1
	for new(big.Int).GCD(nil, nil, big.NewInt(int64(q.step)), big.NewInt(int64(flows))).Int64() != 1 {
		q.step += 2
	}
}

func (q *refill) Rx(b *pmd.Burst, limit int) {
	q.Queue.Rx(b, limit)
	for _, f := range b.Frames[:b.N] {
		p := f.Bytes()
		copy(p, q.frame)
		binary.BigEndian.PutUint32(p[q.src:], 0x0a000000|q.next&0xffffff)
		binary.BigEndian.PutUint16(p[q.ports:], uint16(q.next>>12))
		if q.next += q.step; q.next >= q.flows {
			q.next -= q.flows
		}
	}
}

// benchEAL is started once for all benchmarks of the package; EAL cannot be
// started twice.
var benchEAL = sync.OnceValues(func() (*dpdk.EAL, error) {
	ealStarted = true
	memory, free := uint64(512<<20), hugepagesFree()
	if free >= 500 {
		memory, mostFlows = 980<<20, 10<<20
	}
	return dpdk.Start(dpdk.Config{ControlCPUs: []int{0}, Memory: memory, Huge: free >= 400})
})

// ealStarted is whether it has been.
var ealStarted bool

func hugepagesFree() (n int) {
	text, err := os.ReadFile("/proc/meminfo")
	if err != nil {
		return 0
	}
	for line := range strings.Lines(string(text)) {
		fmt.Sscanf(line, "HugePages_Free: %d", &n)
	}
	return n
}

func nullPort(b *testing.B, name string, size int) (*dpdk.EAL, *dpdk.Port) {
	b.Helper()
	eal, err := benchEAL()
	if err != nil {
		b.Fatal(err)
	}
	port, err := eal.Open(dpdk.PortConfig{Name: name, Device: fmt.Sprintf("net_null_%s,size=%d", name, size), Lcores: 1, MTU: 1600})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		if err := port.Close(); err != nil {
			b.Error(err)
		}
	})
	return eal, port
}

// packet64 is a 64-byte TCP packet to the benchmark's VIP.
func packet64(ipv6 bool) (frame []byte, src, ports int) {
	frame = make([]byte, 96)
	if ipv6 {
		n := packet.PutEthernet(frame, [6]byte{2}, [6]byte{4}, 0, packet.EtherTypeIPv6)
		packet.PutIPv6(frame[n:], 64, packet.ProtoTCP, netip.MustParseAddr("2001:db8::1").As16(), netip.MustParseAddr("2001:db8:cafe::10").As16())
		packet.SetIPv6(frame[n:], 0, 20)
		src, ports = n+packet.IPv6Src+12, n+packet.IPv6Len
		frame = frame[:n+packet.IPv6Len+20]
	} else {
		n := packet.PutEthernet(frame, [6]byte{2}, [6]byte{4}, 0, packet.EtherTypeIPv4)
		packet.PutIPv4(frame[n:], 64, packet.ProtoTCP, 0, 0xcb00710a)
		packet.SetIPv4(frame[n:], 0, 46, packet.IPv4Rest(frame[n:]))
		src, ports = n+packet.IPv4Src, n+packet.IPv4Len
		frame = frame[:64]
	}
	binary.BigEndian.PutUint16(frame[ports+2:], 80)
	frame[ports+13] = packet.TCPAck
	return frame, src, ports
}

// snapshot100 is one VIP per family, each with a hundred backends.
func snapshot100(b *testing.B) *fib.Snapshot {
	b.Helper()
	spec := fib.Spec{Generation: 1, Endpoints: make([]fib.EndpointSpec, 201)}
	for family, vip := range []string{"203.0.113.10/32", "2001:db8:cafe::10/128"} {
		var members []maglev.Member
		service := fib.ServiceSpec{Prefix: netip.MustParsePrefix(vip), Protocol: packet.ProtoTCP, Ports: []fib.PortRange{{Low: 80, High: 80}}}
		for i := range 100 {
			address := netip.AddrFrom4([4]byte{192, 0, 2, byte(i + 1)})
			members = append(members, maglev.Member{Addr: address, Weight: 1})
			id := uint32(family*100 + i + 1)
			value := fib.MakeValue(id, 0)
			service.Values = append(service.Values, value)
			spec.Endpoints[id] = fib.EndpointSpec{Value: value, Service: uint16(family), State: fib.Serving, Tunnel: uint32(len(spec.Tunnels)), Ways: 1}
			spec.Tunnels = append(spec.Tunnels, fib.TunnelSpec{Src: netip.MustParseAddr("192.0.2.254"), Dst: address, InnerIPv6: family == 1, MTU: 1600})
		}
		var err error
		if service.Table, err = maglev.Build(members, 65537); err != nil {
			b.Fatal(err)
		}
		spec.Services = append(spec.Services, service)
	}
	s, err := fib.Build(spec)
	if err != nil {
		b.Fatal(err)
	}
	return s
}

// mostFlows is for how many there is memory.
var mostFlows = 1 << 20

var tables []byte

// tableMemory returns the memory of the one connection table that there is at
// a time. EAL's memory cannot be given back before EAL ends.
func tableMemory(eal *dpdk.EAL) (_ []byte, err error) {
	if tables == nil {
		tables, err = eal.Alloc(conntrack.Bytes(mostFlows+1024), -1)
	}
	return tables, err
}

// onPollThread runs f as a poll loop runs: registered with EAL and pinned.
func onPollThread(b *testing.B, eal *dpdk.EAL, f func()) {
	b.Helper()
	t, err := eal.Poll(1, f)
	if err != nil {
		b.Fatal(err)
	}
	t.Wait()
}

// threadTime is the CPU time of the calling thread. On a machine whose cores
// are shared it is steadier than the clock on the wall; on a quiet one they
// are the same, since a poll loop never waits.
func threadTime() time.Duration {
	var ts unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_THREAD_CPUTIME_ID, &ts); err != nil {
		panic(err)
	}
	return time.Duration(ts.Nano())
}

func perPacket(b *testing.B, packets int, elapsed time.Duration) {
	b.ReportMetric(float64(elapsed.Nanoseconds())/float64(packets), "ns/packet")
	b.ReportMetric(float64(packets)/elapsed.Seconds()/1e6, "Mpps")
	b.ReportMetric(0, "ns/op")
}

// BenchmarkPort is what the port costs by itself: receive, refill, send.
// BenchmarkPipeline minus this is the cost of the packet path.
func BenchmarkPort(b *testing.B) {
	for _, ipv6 := range []bool{false, true} {
		b.Run(family(ipv6), func(b *testing.B) {
			q := new(refill)
			q.visit(1)
			q.frame, q.src, q.ports = packet64(ipv6)
			eal, port := nullPort(b, "port", len(q.frame))
			q.Queue = port.Queue(0)
			burst := new(pmd.Burst)
			onPollThread(b, eal, func() {
				packets, began := 0, threadTime()
				b.ResetTimer()
				for packets < b.N*pmd.MaxBurst {
					q.Rx(burst, pmd.MaxBurst)
					packets += burst.N
					q.Tx(burst)
				}
				perPacket(b, packets, threadTime()-began)
			})
		})
	}
}

// A pipeline is the whole packet path on net_null: 64-byte TCP to one VIP with a
// hundred backends, table size 65537, connection table on.
type pipeline struct {
	eal    *dpdk.EAL
	port   *dpdk.Port
	table  *conntrack.Table
	worker *lcore.Worker
	group  *lcore.Group
	flows  int
}

func newPipeline(b *testing.B, ipv6 bool, flows uint32) *pipeline {
	b.Helper()
	q := new(refill)
	q.visit(flows)
	q.frame, q.src, q.ports = packet64(ipv6)
	p := &pipeline{flows: int(flows)}
	p.eal, p.port = nullPort(b, "pipe", len(q.frame))
	q.Queue = p.port.Queue(0)
	memory, err := tableMemory(p.eal)
	if err != nil {
		b.Fatal(err)
	}
	clear(memory)
	p.table, err = conntrack.New(conntrack.Config{
		Flows: p.flows + 1024, Memory: memory, Seed: flow.Seed{A: 1, B: 2, C: 3},
		Timeouts: conntrack.Timeouts{TCPNew: time.Minute, TCPEstablished: time.Hour, TCPClosing: time.Minute, UDP: time.Minute, Other: time.Minute},
	})
	if err != nil {
		b.Fatal(err)
	}
	pieces, err := fragments.New(fragments.Config{Datagrams: 64, Held: 16, Bytes: 1 << 20, Timeout: time.Second})
	if err != nil {
		b.Fatal(err)
	}
	p.worker = lcore.New(lcore.Config{CPU: 1, Conntrack: p.table, Fragments: pieces, Ports: []lcore.PortQueue{{Queue: q}}})
	p.group = lcore.NewGroup(p.worker)
	p.group.Publish(lcore.Program{Snapshot: snapshot100(b)})
	return p
}

// warm gives every flow its entry. On the poll thread.
func (p *pipeline) warm() {
	for range 3 * p.flows / pmd.MaxBurst {
		p.worker.Turn()
	}
}

// measure is the benchmark, on the poll thread.
func (p *pipeline) measure(b *testing.B) {
	packets, began := 0, threadTime()
	b.ResetTimer()
	for packets < b.N*pmd.MaxBurst {
		packets += p.worker.Turn()
	}
	perPacket(b, packets, threadTime()-began)
}

// end gives all frames back to the port.
func (p *pipeline) end() {
	p.group.Stop()
	p.worker.Run()
}

func BenchmarkPipeline(b *testing.B) {
	if _, err := benchEAL(); err != nil {
		b.Fatal(err)
	}
	numbers := []uint32{1, 1 << 16, 1 << 20}
	if mostFlows > 1<<20 {
		numbers = append(numbers, uint32(mostFlows))
	}
	for _, ipv6 := range []bool{false, true} {
		for _, flows := range numbers {
			b.Run(fmt.Sprintf("%s/flows=%d", family(ipv6), flows), func(b *testing.B) {
				p := newPipeline(b, ipv6, flows)
				onPollThread(b, p.eal, func() {
					p.warm()
					p.measure(b)
					p.end()
				})
				if got := p.table.Len(); got < p.flows*999/1000 || got > p.flows {
					b.Fatalf("%d entries in the connection table, want %d", got, p.flows)
				}
			})
		}
	}
}

func family(ipv6 bool) string {
	if ipv6 {
		return "IPv6"
	}
	return "IPv4"
}
