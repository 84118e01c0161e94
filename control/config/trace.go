package config

// Trace says whether this node answers to the packet tracer.
type Trace struct {
	KeyFile string // holds what all nodes, and who traces, have in common; "": it does not
	Rate    int    // packets that each lcore tells of a second
}

func readTrace(s *section) Trace {
	t := Trace{
		KeyFile: secret(s, "key_file"),
		Rate:    read(s, "rate", 200, number[int](1, 10_000)),
	}
	if s.has("rate") && !s.has("key_file") {
		s.r.warn(s.place("rate"), "%s: this does nothing without key_file", s.path("rate"))
	}
	return t
}
