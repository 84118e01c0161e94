package main

import (
	"context"
	"fmt"
	"os"
	"strconv"
	"strings"
	"syscall"
	"text/template"
	"time"

	"golang.org/x/sys/unix"
)

// guidewayConf is the load balancer's configuration. The port's kernel addresses
// are none, so its own are told here, and the next hop by its MAC address.
var guidewayConf = template.Must(template.New("guideway.toml").Parse(`# Written by guideway-lab. Edit it and send SIGHUP to see a reload.
[node]
name   = "lb1"
source = ["{{.LB4.Addr}}", "{{.LB6.Addr}}"]

[dpdk]
lcores       = [{{.Lcore}}]
{{- if ge .Control 0}}
control_cpus = [{{.Control}}]
{{- end}}
memory       = "{{.MemoryMiB}}MiB"
huge         = {{.Huge}}
idle         = "sleep"

[[port]]
name         = "wan"
device       = "net_{{.Driver}}0,iface=wan"
addresses    = ["{{.LB4}}", "{{.LB6}}"]
next_hop_mac = "{{.RouterMAC}}"
mtu          = {{.MTU}}

[conntrack]
flows_per_core = 65536
keep           = "" # what an earlier lab has left is nothing to this one
{{range $pool := .Pools}}
[[pool]]
name     = "{{.Name}}"
backends = [
{{- range .Backends}}
    { address = "{{.}}" },
{{- end}}
]
{{end}}
{{- range .VIPs}}
[[vip]]
name     = "{{.Name}}"
address  = "{{.Addr}}"
protocol = "tcp"
ports    = ["80"]
pools    = ["{{.Pool}}"]
{{end}}
[metrics]
listen = "{{.Metrics}}"
`))

// memoryMiB is what guidewayd gets in the lab: packet buffers for one port with
// one queue and a small connection table.
const memoryMiB = 256

// resources say what of this machine guidewayd gets.
type resources struct {
	Lcore   int    // CPU of the poll loop
	Control int    // CPU of everything else; negative: the machine has but one
	Huge    bool   // hugepages, or ordinary ones
	why     string // Huge is false
}

func (r resources) String() string {
	pages, rest := "hugepages", fmt.Sprintf("CPU %d for the rest", r.Control)
	if !r.Huge {
		pages = "ordinary pages, " + r.why
	}
	if r.Control < 0 {
		rest = "no other for the rest"
	}
	return fmt.Sprintf("CPU %d to poll, %s, and %d MiB in %s", r.Lcore, rest, memoryMiB, pages)
}

// survey picks the CPUs and the kind of memory. With two CPUs or more the poll
// loop has the last one to itself; on one, all share it, which the "sleep" idle
// mode makes bearable. huge asks for hugepages where there are enough.
func survey(huge bool) (resources, error) {
	var set unix.CPUSet
	if err := unix.SchedGetaffinity(0, &set); err != nil {
		return resources{}, fmt.Errorf("allowed CPUs: %w", err)
	}
	var cpus []int
	for cpu := 0; len(cpus) < set.Count(); cpu++ {
		if set.IsSet(cpu) {
			cpus = append(cpus, cpu)
		}
	}
	r := resources{Lcore: cpus[len(cpus)-1], Control: -1}
	if len(cpus) > 1 {
		r.Control = cpus[0]
	}
	if !huge {
		r.why = "as asked"
		return r, nil
	}
	meminfo, err := os.ReadFile("/proc/meminfo")
	if err != nil {
		return r, err
	}
	free := hugeFreeMiB(string(meminfo))
	if r.Huge = free >= memoryMiB; !r.Huge {
		r.why = fmt.Sprintf("since only %d MiB of hugepages are free", free)
	}
	return r, nil
}

// hugeFreeMiB is the memory in free hugepages of the default size, from the text
// of /proc/meminfo.
func hugeFreeMiB(meminfo string) int {
	value := func(key string) int {
		_, after, _ := strings.Cut(meminfo, key+":")
		fields := strings.Fields(after)
		if len(fields) == 0 {
			return 0
		}
		n, _ := strconv.Atoi(fields[0])
		return n
	}
	return value("HugePages_Free") * value("Hugepagesize") / 1024
}

// configText is guidewayd's configuration with the given backends in every pool.
func configText(t topology, r resources, backends []backend) (string, error) {
	type poolText struct {
		Name     string
		Backends []string
	}
	type vipText struct{ Name, Addr, Pool string }
	var pools []poolText
	for _, p := range []pool{overIPv4, overIPv6} {
		text := poolText{Name: p.name}
		for _, b := range backends {
			text.Backends = append(text.Backends, p.address(b).String())
		}
		pools = append(pools, text)
	}
	var services []vipText
	for _, v := range vips {
		services = append(services, vipText{v.name, v.addr.String(), v.pool.name})
	}
	var out strings.Builder
	err := guidewayConf.Execute(&out, map[string]any{
		"LB4": lb4, "LB6": lb6, "RouterMAC": routerMAC, "MTU": t.driver.fabric,
		"Control": r.Control, "Lcore": r.Lcore, "Huge": r.Huge, "MemoryMiB": memoryMiB,
		"Driver": t.driver.name, "Pools": pools, "VIPs": services, "Metrics": t.metricsAddr(),
	})
	return out.String(), err
}

// A balancer is the guidewayd under test.
type balancer struct {
	*process
	log    *logWatch
	config string // path
}

// startBalancer starts guidewayd and returns when it forwards.
func startBalancer(ctx context.Context, t topology, path, config string) (*balancer, error) {
	b := &balancer{config: t.dir("guideway.toml")}
	if err := os.WriteFile(b.config, []byte(config), 0o644); err != nil {
		return nil, err
	}
	file, err := os.Create(t.logFile("guidewayd"))
	if err != nil {
		return nil, err
	}
	b.log = newLogWatch(file)
	b.process, err = start(t, "lb", "guidewayd", []string{path, "--config", b.config, "--state", ""}, nil, b.log, b.log)
	if err != nil {
		return nil, err
	}
	go func() {
		<-b.done
		file.Close()
	}()
	_, err = b.log.await(ctx, b.process, 0, 30*time.Second, "msg=forwarding")
	return b, err
}

// reload writes a new configuration, sends SIGHUP and waits until guidewayd says
// that it is in force.
func (b *balancer) reload(ctx context.Context, config string) error {
	// By rename, so that guidewayd never reads half a file.
	if err := os.WriteFile(b.config+".new", []byte(config), 0o644); err != nil {
		return err
	}
	if err := os.Rename(b.config+".new", b.config); err != nil {
		return err
	}
	mark := b.log.mark()
	if err := b.cmd.Process.Signal(syscall.SIGHUP); err != nil {
		return fmt.Errorf("SIGHUP to guidewayd: %w", err)
	}
	line, err := b.log.await(ctx, b.process, mark, 10*time.Second, "msg=reloaded", "level=ERROR")
	if err == nil && strings.Contains(line, "level=ERROR") {
		err = fmt.Errorf("guidewayd refused the reload:\n%s", b.log.tail(20))
	}
	return err
}
