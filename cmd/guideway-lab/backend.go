package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"
	"text/template"
	"time"
)

// nginxConf is one backend's web server: one process in the foreground, nothing
// shared with a system's nginx. The addresses are the VIPs, as on every real
// server behind direct server return.
var nginxConf = template.Must(template.New("nginx.conf").Parse(`# Written by guideway-lab for {{.Name}}.
daemon off;
master_process off;
pid {{.Dir}}/nginx.pid;
error_log stderr;
events { worker_connections 4096; }
http {
    access_log off;
    default_type application/octet-stream;
    keepalive_requests 100000;
    client_max_body_size 64m;
    client_body_temp_path {{.Dir}}/tmp;
    proxy_temp_path {{.Dir}}/tmp;
    fastcgi_temp_path {{.Dir}}/tmp;
    uwsgi_temp_path {{.Dir}}/tmp;
    scgi_temp_path {{.Dir}}/tmp;
    add_header X-Backend {{.Name}} always;
    server {
{{- range .Listen}}
        listen {{.}}:80;
{{- end}}
        root {{.Dir}}/www;
        location = / {
            default_type text/plain;
            return 200 "Hello from {{.Name}}\n";
        }
        location = /slow {
            limit_rate {{.SlowRate}};
        }
        location /upload/ {
            dav_methods PUT DELETE;
        }
    }
}
`))

// A server is one backend at work: an nginx and the end of its tunnel.
type server struct {
	backend
	nginx, tunnel *process
	ask           *json.Encoder  // to the tunnel end: anything, for its counts
	answers       *bufio.Scanner // from it
	closers       []io.Closer
}

// startServer starts one backend and returns when it answers.
func startServer(ctx context.Context, t topology, be backend) (*server, error) {
	s := &server{backend: be}
	if err := s.startNginx(ctx, t); err != nil {
		return s, err
	}
	return s, s.startTunnel(t)
}

func (s *server) startNginx(ctx context.Context, t topology) error {
	dir := t.dir(s.name)
	for _, d := range []string{dir + "/tmp", dir + "/www/upload"} {
		if err := os.MkdirAll(d, 0o755); err != nil {
			return err
		}
	}
	for page, size := range map[string]int{"large": largeSize, "slow": slowSize} {
		if err := os.WriteFile(dir+"/www/"+page, payload(s.name, size), 0o644); err != nil {
			return err
		}
	}
	var listen []string
	for _, v := range vips {
		listen = append(listen, v.host())
	}
	var conf strings.Builder
	if err := nginxConf.Execute(&conf, struct {
		Name, Dir string
		Listen    []string
		SlowRate  int
	}{s.name, dir, listen, slowRate}); err != nil {
		return err
	}
	if err := os.WriteFile(dir+"/nginx.conf", []byte(conf.String()), 0o644); err != nil {
		return err
	}
	log, err := os.Create(t.logFile("nginx-" + s.name))
	if err != nil {
		return err
	}
	defer log.Close()
	s.nginx, err = start(t, s.name, "nginx-"+s.name,
		[]string{"nginx", "-p", dir, "-c", dir + "/nginx.conf", "-e", "stderr"}, nil, log, log)
	if err != nil {
		return err
	}
	return s.awaitNginx(ctx, t, dir+"/nginx.pid")
}

// awaitNginx waits for the pid file, which nginx writes once it listens.
func (s *server) awaitNginx(ctx context.Context, t topology, pid string) error {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	for {
		if _, err := os.Stat(pid); err == nil {
			return nil
		}
		select {
		case <-s.nginx.done:
			log, _ := os.ReadFile(t.logFile(s.nginx.name))
			return fmt.Errorf("%s ended (%v):\n%s", s.nginx.name, s.nginx.err, log)
		case <-ctx.Done():
			return fmt.Errorf("%s does not listen: %w", s.nginx.name, ctx.Err())
		case <-time.After(5 * time.Millisecond):
		}
	}
}

func (s *server) startTunnel(t topology) error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	toR, toW, err := os.Pipe()
	if err != nil {
		return err
	}
	fromR, fromW, err := os.Pipe()
	if err != nil {
		return err
	}
	log, err := os.Create(t.logFile("tunnel-" + s.name))
	if err != nil {
		return err
	}
	s.closers = append(s.closers, toW, fromR)
	s.tunnel, err = start(t, s.name, "tunnel-"+s.name,
		[]string{self, "decap", "--from", lb4.Addr().String() + "," + lb6.Addr().String()}, toR, fromW, log)
	for _, c := range []io.Closer{toR, fromW, log} {
		c.Close()
	}
	if err != nil {
		return err
	}
	s.ask, s.answers = json.NewEncoder(toW), bufio.NewScanner(fromR)
	if !s.answers.Scan() || s.answers.Text() != "ready" {
		said, _ := os.ReadFile(t.logFile(s.tunnel.name))
		return fmt.Errorf("%s did not start: %s", s.tunnel.name, said)
	}
	return nil
}

// counts asks the tunnel end what it has seen.
func (s *server) counts() (tunnelCounts, error) {
	var c tunnelCounts
	if err := s.ask.Encode("counts"); err != nil {
		return c, fmt.Errorf("%s: %w", s.tunnel.name, err)
	}
	if !s.answers.Scan() {
		return c, fmt.Errorf("%s gave no counts", s.tunnel.name)
	}
	return c, json.Unmarshal(s.answers.Bytes(), &c)
}

// stop ends both programs.
func (s *server) stop() {
	for _, p := range []*process{s.nginx, s.tunnel} {
		if p != nil {
			p.stop(2 * time.Second)
		}
	}
	for _, c := range s.closers {
		c.Close()
	}
}
