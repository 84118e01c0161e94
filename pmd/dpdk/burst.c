// The hot calls: one crossing from Go per burst and direction.
#include <stdlib.h>

#include <rte_cycles.h>
#include <rte_ethdev.h>
#include <rte_malloc.h>
#include <rte_mbuf.h>
#include <rte_prefetch.h>

#include "shim.h"

static inline struct rte_mbuf **mbufs(struct gw_burst *b)
{
	return (struct rte_mbuf **)b->frames;
}

static uint64_t ns_mult(void)
{
	return ((unsigned __int128)1000000000 << 32) / rte_get_tsc_hz();
}

// Ticks to nanoseconds by multiplication: a division here would cost as much
// as a packet. The error of the factor is below 2^-31, the same for all cores.
static inline int64_t ns(uint64_t ticks, uint64_t mult)
{
	return (int64_t)(((unsigned __int128)ticks * mult) >> 32);
}

int64_t gw_now(void)
{
	return ns(rte_rdtsc(), ns_mult());
}

uint64_t gw_clock_rate(void)
{
	return rte_get_tsc_hz();
}

struct gw_queue *gw_queue_new(uint16_t port, uint16_t index, int receives, uint32_t tx_retries, uint32_t tx_longest,
	int socket)
{
	struct gw_queue *q = rte_zmalloc_socket("gw_queue", sizeof(*q), RTE_CACHE_LINE_SIZE, socket);

	if (q == NULL)
		return NULL;
	q->port = port;
	q->index = index;
	q->receives = receives != 0;
	q->tx_retries = tx_retries;
	q->tx_longest = tx_longest;
	q->ns_mult = ns_mult();
	return q;
}

void gw_queue_delete(struct gw_queue *q)
{
	rte_free(q);
}

void gw_rx(struct gw_queue *q, struct gw_burst *b, uint32_t limit)
{
	struct rte_mbuf **frames = mbufs(b);
	uint16_t n = 0;

	if (likely(q->receives))
		n = rte_eth_rx_burst(q->port, q->index, frames, RTE_MIN(limit, (uint32_t)GW_MAX_BURST));
	b->now = ns(rte_rdtsc(), q->ns_mult);
	b->n = n;
	// The driver has just written the mbufs; the data came by DMA.
	for (uint16_t i = 0; i < n; i++)
		rte_prefetch0(rte_pktmbuf_mtod(frames[i], void *));
}

// Frees the frames that are longer than longest, and returns how many are left.
static uint16_t drop_longer(struct rte_mbuf **frames, uint16_t n, uint32_t longest)
{
	uint16_t kept = 0;

	for (uint16_t i = 0; i < n; i++) {
		if (rte_pktmbuf_pkt_len(frames[i]) > longest)
			rte_pktmbuf_free(frames[i]);
		else
			frames[kept++] = frames[i];
	}
	return kept;
}

uint32_t gw_tx(struct gw_queue *q, struct gw_burst *b)
{
	struct rte_mbuf **frames = mbufs(b);
	uint16_t n = RTE_MIN(b->n, (int64_t)GW_MAX_BURST);
	uint16_t sent;

	if (unlikely(q->tx_longest != 0))
		n = drop_longer(frames, n, q->tx_longest);
	sent = rte_eth_tx_burst(q->port, q->index, frames, n);

	for (uint16_t retry = 0; unlikely(sent < n) && retry < q->tx_retries; retry++) {
		rte_pause();
		sent += rte_eth_tx_burst(q->port, q->index, frames + sent, n - sent);
	}
	if (unlikely(sent < n))
		rte_pktmbuf_free_bulk(frames + sent, n - sent);
	b->n = 0;
	return sent;
}

void gw_free(struct gw_burst *b)
{
	rte_pktmbuf_free_bulk(mbufs(b), RTE_MIN(b->n, (int64_t)GW_MAX_BURST));
	b->n = 0;
}

uint32_t gw_pool_take(struct gw_pool *pool, struct gw_burst *b, uint32_t n)
{
	if (n > GW_MAX_BURST - RTE_MIN(b->n, (int64_t)GW_MAX_BURST))
		return 0;
	if (rte_pktmbuf_alloc_bulk((struct rte_mempool *)pool, mbufs(b) + b->n, n) != 0)
		return 0;
	b->n += n;
	return n;
}
