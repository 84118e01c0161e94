// What Go believes about an mbuf and a burst, proved by the compiler.
#include <stddef.h>

#include <rte_mbuf.h>
#include <rte_version.h>

#include "shim.h"

#define SAME_OFFSET(field, want) \
	_Static_assert(offsetof(struct rte_mbuf, field) == (want), "pmd.Frame and rte_mbuf disagree on " #field)

SAME_OFFSET(buf_addr, GW_FRAME_BUF);
SAME_OFFSET(data_off, GW_FRAME_DATA_OFF);
SAME_OFFSET(nb_segs, GW_FRAME_SEGMENTS);
SAME_OFFSET(port, GW_FRAME_PORT);
SAME_OFFSET(ol_flags, GW_FRAME_FLAGS);
SAME_OFFSET(pkt_len, GW_FRAME_PKT_LEN);
SAME_OFFSET(data_len, GW_FRAME_DATA_LEN);
SAME_OFFSET(buf_len, GW_FRAME_BUF_LEN);
SAME_OFFSET(cacheline1, GW_FRAME_SIZE);

// Names of flags lost a prefix in 21.11.
#if RTE_VERSION < RTE_VERSION_NUM(21, 11, 0, 0)
#define RTE_MBUF_F_RX_IP_CKSUM_BAD PKT_RX_IP_CKSUM_BAD
#define RTE_MBUF_F_RX_IP_CKSUM_GOOD PKT_RX_IP_CKSUM_GOOD
#endif

_Static_assert(RTE_MBUF_F_RX_IP_CKSUM_BAD == GW_FLAG_IP_CKSUM_BAD, "flag");
_Static_assert(RTE_MBUF_F_RX_IP_CKSUM_GOOD == GW_FLAG_IP_CKSUM_GOOD, "flag");
_Static_assert(sizeof(void *) == 8, "a burst's layout is that of a 64-bit machine");
