package metrics

import "github.com/prometheus/client_golang/prometheus"

// A metric is one name of the page.
type metric struct {
	kind prometheus.ValueType
	desc *prometheus.Desc
}

func counter(name, help string, labels ...string) metric {
	return metric{prometheus.CounterValue, prometheus.NewDesc("guideway_"+name, help, labels, nil)}
}

func gauge(name, help string, labels ...string) metric {
	return metric{prometheus.GaugeValue, prometheus.NewDesc("guideway_"+name, help, labels, nil)}
}

// A sender takes the values of one scrape.
type sender chan<- prometheus.Metric

// send shows a value. The values of labels are in the order of their names. A
// label that is not text spoils its own value, not the page.
func (s sender) send(m metric, value float64, labels ...string) {
	v, err := prometheus.NewConstMetric(m.desc, m.kind, value, labels...)
	if err != nil {
		v = prometheus.NewInvalidMetric(m.desc, err)
	}
	s <- v
}

func truth(b bool) float64 {
	if b {
		return 1
	}
	return 0
}
