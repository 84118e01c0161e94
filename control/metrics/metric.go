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

// histogram makes a metric for [sender.distribution] alone.
func histogram(name, help string, labels ...string) metric { return gauge(name, help, labels...) }

// A sender takes the values of one scrape.
type sender chan<- prometheus.Metric

// send shows a value. The values of labels are in the order of their names. A
// label that is not text spoils its own value, not the page.
func (s sender) send(m metric, value float64, labels ...string) {
	v, err := prometheus.NewConstMetric(m.desc, m.kind, value, labels...)
	s.put(m, v, err)
}

// distribution shows a histogram: how many there were up to each bound, those
// in the buckets before included.
func (s sender) distribution(m metric, count uint64, sum float64, buckets map[float64]uint64, labels ...string) {
	v, err := prometheus.NewConstHistogram(m.desc, count, sum, buckets, labels...)
	s.put(m, v, err)
}

func (s sender) put(m metric, v prometheus.Metric, err error) {
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
