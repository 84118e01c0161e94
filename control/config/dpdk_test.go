package config

import "testing"

func TestHugeMemory(t *testing.T) {
	const flows = 1000 // 80,000 bytes of a table: one page of 2 MiB, and one beside it
	for _, c := range []struct {
		name string
		c    Config
		want uint64
	}{
		{"kept", Config{DPDK: DPDK{Huge: true, Memory: 1 << 30, Lcores: []int{1, 2}}, Conntrack: Conntrack{FlowsPerCore: flows, Keep: "/dev/hugepages/guideway"}}, 1<<30 + 8<<20},
		{"large", Config{DPDK: DPDK{Huge: true, Memory: 1 << 30, Lcores: []int{1}}, Conntrack: Conntrack{FlowsPerCore: 1 << 20, Keep: "/dev/hugepages/guideway"}}, 1<<30 + 82<<20},
		{"elsewhere", Config{DPDK: DPDK{Huge: true, Memory: 1 << 30, Lcores: []int{1}}, Conntrack: Conntrack{FlowsPerCore: flows, Keep: "/run/guideway/flows"}}, 1 << 30},
		{"ordinary", Config{DPDK: DPDK{Memory: 1 << 30, Lcores: []int{1}}, Conntrack: Conntrack{FlowsPerCore: flows, Keep: "/dev/hugepages/guideway"}}, 0},
	} {
		if got := c.c.HugeMemory(); got != c.want {
			t.Errorf("%s: %d MiB and %d, want %d MiB", c.name, got>>20, got%(1<<20), c.want>>20)
		}
	}
}
