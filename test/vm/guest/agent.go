package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// A request is one line of JSON, and so is its answer, in the same order.
type request struct {
	Run     string        // for sh -c
	Timeout time.Duration // then its process group is killed
}

type answer struct {
	Exit   int    // the shell's; 255 if killed by a signal
	Output string // standard output and error
}

// agent answers requests for as long as the machine runs.
func agent() error {
	var device string
	for device == "" { // the driver may come later
		names, err := filepath.Glob("/sys/class/virtio-ports/*/name")
		if err != nil {
			return err
		}
		for _, name := range names {
			if text, err := os.ReadFile(name); err == nil && strings.TrimSpace(string(text)) == "test" {
				device = "/dev/" + filepath.Base(filepath.Dir(name))
			}
		}
		time.Sleep(50 * time.Millisecond)
	}
	// Not by os.OpenFile: the runtime would poll a device that is at its end
	// while the test is not connected.
	fd, err := syscall.Open(device, syscall.O_RDWR|syscall.O_CLOEXEC, 0)
	if err != nil {
		return err
	}
	port := blocking(fd)
	lines := bufio.NewReader(port)
	answers := json.NewEncoder(port)
	for {
		line, err := lines.ReadBytes('\n')
		if errors.Is(err, io.EOF) {
			time.Sleep(50 * time.Millisecond)
			continue
		}
		if err != nil {
			return err
		}
		var r request
		if err := json.Unmarshal(line, &r); err != nil {
			return err
		}
		if err := answers.Encode(run(r)); err != nil {
			return err
		}
	}
}

func run(r request) answer {
	ctx, cancel := context.WithTimeout(context.Background(), r.Timeout)
	defer cancel()
	cmd := exec.CommandContext(ctx, "/bin/sh", "-c", r.Run)
	cmd.Env = []string{"PATH=/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL=C.UTF-8", "HOME=/root"}
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	cmd.WaitDelay = time.Second
	output, err := cmd.CombinedOutput()
	a := answer{Output: string(output)}
	var exit *exec.ExitError
	switch {
	case errors.As(err, &exit):
		a.Exit = exit.ExitCode() & 255
	case err != nil:
		a.Exit = 255
		a.Output += err.Error()
	}
	return a
}

// blocking reads and writes a file descriptor without the runtime's poller.
type blocking int

func (fd blocking) Read(b []byte) (int, error) {
	n, err := syscall.Read(int(fd), b)
	if n == 0 && err == nil {
		err = io.EOF
	}
	return max(n, 0), err
}

func (fd blocking) Write(b []byte) (int, error) {
	done := 0
	for done < len(b) {
		n, err := syscall.Write(int(fd), b[done:])
		if err != nil {
			return done, err
		}
		done += n
	}
	return done, nil
}
