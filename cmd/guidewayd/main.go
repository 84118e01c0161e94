// Command guidewayd is the load balancer: poll loops on their own cores, a
// control plane on another.
//
//	guidewayd --config /etc/guideway/guideway.toml
//
// SIGHUP reloads the file. SIGTERM and SIGINT stop in order: what has been
// received is forwarded, then the ports are closed. It exits with 0 after an
// ordered stop, 1 if it could not start or something was lost, 2 on wrong use.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"syscall"
	"time"

	"guideway/control"
	"guideway/control/config"
	"guideway/control/console"
	"guideway/control/metrics"
	"guideway/pmd/dpdk"
)

// version is set by the linker.
var version = "unversioned"

func main() {
	path := flag.String("config", "/etc/guideway/guideway.toml", "configuration `file`")
	state := flag.String("state", "/var/lib/guideway", "`directory` for what outlives the process; empty: nothing does")
	showVersion := flag.Bool("version", false, "print the version and exit")
	flag.Parse()
	if flag.NArg() != 0 {
		fmt.Fprintf(os.Stderr, "guidewayd: unexpected argument %q\n", flag.Arg(0))
		flag.Usage()
		os.Exit(2)
	}
	if *showVersion {
		fmt.Println("guidewayd", version, "with", dpdk.Version())
		return
	}
	log := slog.New(slog.NewTextHandler(os.Stderr, nil))
	if err := run(*path, *state, log); err != nil {
		var faults config.Faults
		if errors.As(err, &faults) {
			fmt.Fprintln(os.Stderr, faults.Error())
			log.Error("not started: the configuration has faults", "file", *path, "faults", len(faults))
		} else {
			log.Error("guidewayd failed", "error", err)
		}
		os.Exit(1)
	}
}

// Limits of an orderly stop.
const (
	readyLimit = 10 * time.Second
	stopLimit  = 5 * time.Second
)

// run is the life of the daemon.
func run(path, state string, log *slog.Logger) (err error) {
	signals := make(chan os.Signal, 8)
	signal.Notify(signals, syscall.SIGHUP, syscall.SIGTERM, syscall.SIGINT)

	lastGood := control.LastGood{Dir: state, Path: path}
	cfg, warnings, err := load(path, lastGood, log)
	if err != nil {
		return err
	}
	for _, w := range warnings {
		log.Warn(w.String())
	}
	log.Info("starting", "version", version, "dpdk", dpdk.Version(), "node", cfg.Node.Name)
	systemd := newSupervisor(log)
	node, err := openNode(cfg, log)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, node.close()) }()

	manager, err := control.New(control.Options{
		Path: path, Config: cfg, Warnings: warnings, Group: node.group, Ports: node.ports, Kernel: node.kernel, Health: node.health, LastGood: lastGood,
		Speaker: control.Routers{Speaker: node.routers}, Supervisor: systemd,
		Workers: node.planners(), Keeper: node.kept, Left: node.kept.Left(), Log: log,
	})
	if err != nil {
		return err
	}
	server, err := metrics.Serve(cfg.Metrics.Listen, metrics.Source{
		Version: version, Reports: node.group.Reports, Ports: node.allPorts(), Pools: node.eal.Pools,
		Status: manager.Metrics, Takeover: node.takeover, Log: log,
	})
	if err != nil {
		return err
	}
	defer server.Close()
	operator := control.Operator{
		Manager: manager, Build: version, DPDK: dpdk.Version(), Devices: node.allPorts(), Started: time.Now(), Capturer: node.capturer(), Takeover: node.takeover,
	}
	door, err := console.Serve(console.Options{
		Listen: cfg.Console.Listen, Node: operator, Settings: func() config.Console { return manager.Status().Config.Console }, Log: log,
	})
	if err != nil {
		return err
	}
	defer door.Close()

	if err := node.poll(); err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	ready, done := context.WithTimeout(ctx, readyLimit)
	err = manager.Ready(ready)
	done()
	if err != nil {
		return err
	}
	go manager.Run(ctx)
	go manager.Watch(ctx)
	go manager.AnswerTraces(ctx)
	if cfg.Reload.Watch {
		if err := manager.WatchFile(ctx, cfg.Reload.Settle); err != nil {
			return err
		}
	}
	log.Info("forwarding", "vips", len(cfg.VIPs), "ports", len(cfg.Ports), "lcores", fmt.Sprint(cfg.DPDK.Lcores), "metrics", server.URL())
	systemd.Settled(manager.Status())

	for s := range signals {
		if s == syscall.SIGHUP {
			manager.Reload()
			continue
		}
		log.Info("stopping", "signal", s.String())
		cancel()
		node.leave(signals, manager.Status().Config.BGP.GracefulShutdown, systemd)
		return nil
	}
	return nil
}
