package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// A sample is one line of a Prometheus exposition.
type sample struct {
	name   string
	labels map[string]string
	value  float64
}

// scrape reads guidewayd's metrics as Prometheus would, over the management link.
func scrape(ctx context.Context, url string) ([]sample, error) {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return nil, err
	}
	// Not the default client: a proxy of the environment has no business here.
	resp, err := (&http.Transport{}).RoundTrip(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("%s: %s", url, resp.Status)
	}
	return parseMetrics(resp.Body)
}

// parseMetrics reads the text format, as far as guidewayd writes it: a name,
// perhaps labels, a value; comments are passed over.
func parseMetrics(r io.Reader) ([]sample, error) {
	var samples []sample
	scan := bufio.NewScanner(r)
	for n := 1; scan.Scan(); n++ {
		line := strings.TrimSpace(scan.Text())
		if line == "" || line[0] == '#' {
			continue
		}
		s, err := parseSample(line)
		if err != nil {
			return nil, fmt.Errorf("metrics, line %d: %w", n, err)
		}
		samples = append(samples, s)
	}
	return samples, scan.Err()
}

func parseSample(line string) (sample, error) {
	s := sample{labels: map[string]string{}}
	end := strings.IndexAny(line, "{ ")
	if end <= 0 {
		return s, fmt.Errorf("no value in %q", line)
	}
	s.name, line = line[:end], line[end:]
	if line[0] == '{' {
		for line = line[1:]; ; line = strings.TrimPrefix(line, ",") {
			if rest, ok := strings.CutPrefix(line, "}"); ok {
				line = rest
				break
			}
			key, rest, ok := strings.Cut(line, "=")
			quoted, err := strconv.QuotedPrefix(rest)
			if !ok || err != nil {
				return s, fmt.Errorf("bad label in %q", line)
			}
			value, err := strconv.Unquote(quoted)
			if err != nil {
				return s, fmt.Errorf("bad label value %s", quoted)
			}
			s.labels[key], line = value, rest[len(quoted):]
		}
	}
	fields := strings.Fields(line) // a timestamp may follow
	if len(fields) == 0 {
		return s, fmt.Errorf("no value for %s", s.name)
	}
	var err error
	s.value, err = strconv.ParseFloat(fields[0], 64)
	return s, err
}

// sum adds up the samples of a metric by one of its labels.
func sum(samples []sample, name, label string) map[string]float64 {
	by := map[string]float64{}
	for _, s := range samples {
		if s.name == name {
			by[s.labels[label]] += s.value
		}
	}
	return by
}
