package lcore

// The loops for the packets that nearly all are, in the best form that there is for
// this processor: on amd64 another than these in Go.
var (
	readBurst    = readEach
	trackBurst   = trackEach
	encloseBurst = encloseEach
)
