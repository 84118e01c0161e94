package dpdk

// #include "shim.h"
import "C"

import (
	"unsafe" // unsafe.Offsetof only, in constants

	"guideway/pmd"
)

// The layout of frames and bursts as C has it, less the layout as Go has it.
// Each line compiles only where the difference is zero: a constant of an
// unsigned type cannot be negative. shim.c and burst.c prove the same numbers
// against DPDK's headers.
const (
	_ = -uint(C.GW_FRAME_SIZE - pmd.SizeofFrame)
	_ = -uint(C.GW_FRAME_BUF - pmd.OffsetBuf)
	_ = -uint(C.GW_FRAME_DATA_OFF - pmd.OffsetDataOff)
	_ = -uint(C.GW_FRAME_SEGMENTS - pmd.OffsetSegments)
	_ = -uint(C.GW_FRAME_PORT - pmd.OffsetPort)
	_ = -uint(C.GW_FRAME_FLAGS - pmd.OffsetFlags)
	_ = -uint(C.GW_FRAME_PKT_LEN - pmd.OffsetPktLen)
	_ = -uint(C.GW_FRAME_DATA_LEN - pmd.OffsetDataLen)
	_ = -uint(C.GW_FRAME_BUF_LEN - pmd.OffsetBufLen)

	_ = -uint(C.GW_FLAG_IP_CKSUM_BAD - pmd.FlagIPChecksumBad)
	_ = -uint(C.GW_FLAG_IP_CKSUM_GOOD - pmd.FlagIPChecksumGood)

	_ = -uint(C.GW_RSS_TCP4 - pmd.RSSTCP4)
	_ = -uint(C.GW_RSS_UDP4 - pmd.RSSUDP4)
	_ = -uint(C.GW_RSS_SCTP4 - pmd.RSSSCTP4)
	_ = -uint(C.GW_RSS_TCP6 - pmd.RSSTCP6)
	_ = -uint(C.GW_RSS_UDP6 - pmd.RSSUDP6)
	_ = -uint(C.GW_RSS_SCTP6 - pmd.RSSSCTP6)
	_ = -uint(C.GW_RSS_IPV4 - pmd.RSSIPv4)
	_ = -uint(C.GW_RSS_IPV6 - pmd.RSSIPv6)

	_ = -uint(C.GW_MAX_BURST - pmd.MaxBurst)
	_ = -uint(unsafe.Offsetof(C.struct_gw_burst{}.now) - unsafe.Offsetof(pmd.Burst{}.Now))       // a constant
	_ = -uint(unsafe.Offsetof(C.struct_gw_burst{}.n) - unsafe.Offsetof(pmd.Burst{}.N))           // a constant
	_ = -uint(unsafe.Offsetof(C.struct_gw_burst{}.frames) - unsafe.Offsetof(pmd.Burst{}.Frames)) // a constant
	_ = -uint(C.sizeof_struct_gw_burst - unsafe.Sizeof(pmd.Burst{}))                             // a constant
)
