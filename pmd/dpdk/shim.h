// The whole surface between Go and DPDK. Plain C types only: no rte_*.h here,
// so that Go's preamble, and with it the tool that reads it, knows nothing of
// DPDK's inline functions, unions and release-dependent names. Those stay in
// shim.c.
//
// Functions that can fail return 0 or a negative errno.
#ifndef GUIDEWAY_PMD_DPDK_SHIM_H
#define GUIDEWAY_PMD_DPDK_SHIM_H

#include <stdint.h>
#include <stdlib.h> // calloc and free, for Go

// ---- layout: the same numbers that Go has from package pmd. shim.c asserts
// them against struct rte_mbuf, layout.go against pmd.Frame and pmd.Burst.
enum {
	GW_FRAME_SIZE = 64, // the first cache line of an mbuf
	GW_FRAME_BUF = 0,
	GW_FRAME_DATA_OFF = 16,
	GW_FRAME_SEGMENTS = 20,
	GW_FRAME_PORT = 22,
	GW_FRAME_FLAGS = 24,
	GW_FRAME_PKT_LEN = 36,
	GW_FRAME_DATA_LEN = 40,
	GW_FRAME_BUF_LEN = 54,

	GW_FLAG_IP_CKSUM_BAD = 1 << 4,
	GW_FLAG_IP_CKSUM_GOOD = 1 << 7,

	GW_MAX_BURST = 64,
};

// ---- the environment (env.c)
const char *gw_version(void);

// Sends everything that DPDK logs, and what C code writes to stdout and stderr,
// to the socket fd: datagrams of a byte of severity (RTE_LOG_*) and text. Never
// blocks; what does not fit is lost.
int gw_log_open(int fd);
int gw_eal_init(int argc, char **argv);
int gw_eal_cleanup(void);

// Registers the calling thread, which then has its own cache in every pool.
int gw_thread_register(void);
void gw_thread_unregister(void);

// Zeroed memory, aligned to 64 bytes; NULL when there is no more.
void *gw_alloc(uint64_t bytes, int socket);

// Nanoseconds on the clock that stamps bursts.
int64_t gw_now(void);
// Ticks a second of that clock.
uint64_t gw_clock_rate(void);

// ---- pools of frames
struct gw_pool; // a struct rte_mempool

// Makes a pool of n frames, each with data_room bytes behind the headroom.
int gw_pool_new(const char *name, uint32_t n, uint32_t cache, uint32_t data_room, int socket, struct gw_pool **pool);
// The same, with frames that take a page of the kernel each, all of them that is
// not for other things for data: data_room or more.
int gw_pool_new_paged(const char *name, uint32_t n, uint32_t cache, uint32_t data_room, int socket, struct gw_pool **pool);
void gw_pool_delete(struct gw_pool *pool);
uint32_t gw_pool_free_count(const struct gw_pool *pool);

// ---- ports (port.c)
struct gw_port_info {
	char driver[64];
	uint8_t mac[6];
	int socket; // -1 where unknown
	uint32_t max_rx_queues, max_tx_queues;
	uint32_t min_mtu, max_mtu;
};

// Wanted on the way in, granted on the way out.
struct gw_port_setup {
	uint32_t rx_queues, tx_queues;
	uint32_t rx_descriptors, tx_descriptors; // 0: the driver's default
	uint32_t mtu;
	uint32_t promiscuous;
	uint32_t multicast;
	const char *step; // set on failure: what the driver refused
};

// Finds the port of a device by name, creating the device from devargs where
// there is none yet.
int gw_port_find(const char *name, const char *devargs, uint16_t *port);
// Tells whether the kernel has an interface of that name.
int gw_interface_exists(const char *name);
int gw_port_info(uint16_t port, struct gw_port_info *info);
// Configures queues and offloads and settles the sizes of the rings.
int gw_port_configure(uint16_t port, struct gw_port_setup *s);
// Sets the queues up over pool and starts the device.
int gw_port_start(uint16_t port, struct gw_port_setup *s, struct gw_pool *pool);
// Frees what the queues hold, none where the port has not been started, stops
// and closes the port, and removes a virtual device.
int gw_port_close(uint16_t port, uint32_t rx_queues, uint32_t tx_queues);

// How the device spreads packets over its receive queues: pmd.RSS. Kinds are
// pmd.RSSKind.
enum {
	GW_RSS_TCP4 = 1 << 0,
	GW_RSS_UDP4 = 1 << 1,
	GW_RSS_SCTP4 = 1 << 2,
	GW_RSS_TCP6 = 1 << 3,
	GW_RSS_UDP6 = 1 << 4,
	GW_RSS_SCTP6 = 1 << 5,
	GW_RSS_IPV4 = 1 << 6,
	GW_RSS_IPV6 = 1 << 7,

	GW_RSS_KEY = 256, // at most
	GW_RSS_TABLE = 4096,
};
struct gw_rss {
	uint32_t kinds, key_len, table_len;
	uint8_t key[GW_RSS_KEY];
	uint16_t table[GW_RSS_TABLE];
};
// Fills the table of a started port evenly, where it can be, and reads
// everything back. Fails where the device does not say all of it.
int gw_port_rss(uint16_t port, uint32_t rx_queues, struct gw_rss *rss);

struct gw_link {
	uint32_t speed_mbps; // 0 where unknown
	uint8_t up, full_duplex;
};
int gw_port_link(uint16_t port, struct gw_link *link);

struct gw_stats {
	uint64_t rx_packets, tx_packets, rx_bytes, tx_bytes;
	uint64_t rx_missed, rx_errors, tx_errors, rx_no_frame;
};
int gw_port_stats(uint16_t port, struct gw_stats *stats);

enum { GW_XSTAT_NAME = 64 };
// Returns how many extended counters there are, or a negative errno. Fills
// names with GW_XSTAT_NAME bytes each, when n is enough.
int gw_port_xstat_names(uint16_t port, char *names, uint32_t n);
// Fills values in the order of the names; returns as above.
int gw_port_xstats(uint16_t port, uint64_t *values, uint32_t n);

// ---- bursts (burst.c): the calls that every packet pays for.

// pmd.Burst. The frames are struct rte_mbuf *; they are numbers here because
// cgo scans what an argument points to for Go pointers, at every call and for
// longer than the call takes, unless its type has no pointers.
struct gw_burst {
	int64_t now;
	int64_t n;
	uint64_t frames[GW_MAX_BURST];
};

struct gw_queue {
	uint16_t port, index;
	uint16_t receives;   // 0: the device has fewer receive queues than we have cores
	uint16_t tx_retries; // how often a burst is offered again
	uint32_t tx_longest; // longer frames are not offered; 0: the driver sees to that
	uint64_t ns_mult;    // nanoseconds per tick of the time stamp counter, times 2^32
};

struct gw_queue *gw_queue_new(uint16_t port, uint16_t index, int receives, uint32_t tx_retries, uint32_t tx_longest,
	int socket);
void gw_queue_delete(struct gw_queue *q);
void gw_rx(struct gw_queue *q, struct gw_burst *b, uint32_t limit);
uint32_t gw_tx(struct gw_queue *q, struct gw_burst *b);
void gw_free(struct gw_burst *b);
// Appends n fresh frames to the burst, or none; returns how many.
uint32_t gw_pool_take(struct gw_pool *pool, struct gw_burst *b, uint32_t n);

// ---- filters (filter.c)
enum {
	GW_FILTER_LEN = 256, // instructions
	GW_FILTER_ERROR = 256,
};
struct gw_instruction {
	uint32_t k;
	uint16_t code;
	uint8_t jt, jf;
};
// Compiles a filter of tcpdump's syntax for Ethernet frames or, with inside,
// for what they carry, IP packets. Returns how many instructions it takes, of
// which the first GW_FILTER_LEN are in code, or -1 with the reason in error, in
// libpcap's words. Not to be called by two threads at once.
int gw_filter_compile(const char *text, int inside, struct gw_instruction *code, char *error);

#endif
