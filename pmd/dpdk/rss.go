package dpdk

// #include "shim.h"
import "C"

import "guideway/pmd"

// Every port hashes under one key and fills its table one way, queue i modulo
// n in place i. So the queue of a flow does not hang on the port it comes by,
// where the numbers of queues are equal and either a power of two or the
// tables are of one length.
//
// The key is the one of Microsoft's published test vectors, which every vendor
// checks his hardware with; for devices whose keys are longer than its 40 bytes
// (52 is common) it starts over, and no header that we ask for reaches that
// far. It spreads well and is no secret. A secret one would keep nobody from
// loading one core: a single flow does that.

// readRSS returns what the device says of how it spreads packets over its n
// receive queues; nil where it does not say all of it.
func readRSS(port C.uint16_t, n int) *pmd.RSS {
	rss := new(C.struct_gw_rss)
	if n < 2 || C.gw_port_rss(port, C.uint32_t(n), rss) != 0 {
		return nil
	}
	r := &pmd.RSS{Kinds: pmd.RSSKind(rss.kinds)}
	for _, b := range rss.key[:rss.key_len] {
		r.Key = append(r.Key, byte(b))
	}
	for _, queue := range rss.table[:rss.table_len] {
		r.Table = append(r.Table, uint16(queue))
	}
	return r
}
