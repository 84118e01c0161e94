// Ports: find, configure, start, close; link and counters.
#include <errno.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <rte_bus.h>
#include <rte_cycles.h>
#include <rte_dev.h>
#include <rte_ethdev.h>
#include <rte_version.h>

#include "rss.h"
#include "shim.h"

// Names that changed within the releases we build against: 21.11 gave ethdev
// its RTE_ETH_ prefixes and moved the MTU into rxmode; 22.11 hid rte_device.
#if RTE_VERSION < RTE_VERSION_NUM(21, 11, 0, 0)
#define RTE_ETH_MQ_RX_NONE ETH_MQ_RX_NONE
#define RTE_ETH_RX_OFFLOAD_IPV4_CKSUM DEV_RX_OFFLOAD_IPV4_CKSUM
#define RTE_ETH_LINK_FULL_DUPLEX ETH_LINK_FULL_DUPLEX
#define RTE_ETH_SPEED_NUM_UNKNOWN ETH_SPEED_NUM_UNKNOWN
#endif
#if RTE_VERSION < RTE_VERSION_NUM(22, 11, 0, 0)
#define rte_dev_name(dev) ((dev)->name)
#define rte_dev_bus(dev) ((dev)->bus)
#define rte_bus_name(bus) ((bus)->name)
#endif

int gw_port_find(const char *name, const char *devargs, uint16_t *port)
{
	struct rte_eth_dev_info info;
	uint16_t id;
	int rc;

	if (rte_eth_dev_get_port_by_name(name, port) == 0)
		return 0;
	rc = rte_dev_probe(devargs);
	if (rc < 0 && rc != -EEXIST)
		return rc;
	if (rte_eth_dev_get_port_by_name(name, port) == 0)
		return 0;
	// Some drivers name their ports otherwise than the device.
	RTE_ETH_FOREACH_DEV(id) {
		if (rte_eth_dev_info_get(id, &info) == 0 && strcmp(rte_dev_name(info.device), name) == 0) {
			*port = id;
			return 0;
		}
	}
	return -ENODEV;
}

int gw_interface_exists(const char *name)
{
	return if_nametoindex(name) != 0;
}

static int is_virtual(const struct rte_eth_dev_info *info)
{
	return strcmp(rte_bus_name(rte_dev_bus(info->device)), "vdev") == 0;
}

// The largest MTU that ethdev lets a driver be asked for.
static uint32_t largest_mtu(const struct rte_eth_dev_info *info)
{
	uint32_t overhead = RTE_ETHER_HDR_LEN + RTE_ETHER_CRC_LEN;

	if (info->max_mtu != UINT16_MAX && info->max_rx_pktlen > info->max_mtu)
		overhead = info->max_rx_pktlen - info->max_mtu;
	if (info->max_rx_pktlen <= overhead)
		return info->max_mtu;
	return RTE_MIN((uint32_t)info->max_mtu, info->max_rx_pktlen - overhead);
}

// These drivers state the length of a classic Ethernet frame, and carry
// whatever fits their buffers. net_tap states the same and keeps to it.
static int understates(const struct rte_eth_dev_info *info)
{
	return strcmp(info->driver_name, "net_af_packet") == 0 || strcmp(info->driver_name, "net_memif") == 0;
}

int gw_port_info(uint16_t port, struct gw_port_info *out)
{
	struct rte_eth_dev_info info;
	struct rte_ether_addr mac;
	int rc = rte_eth_dev_info_get(port, &info);

	if (rc != 0)
		return rc;
	rc = rte_eth_macaddr_get(port, &mac);
	if (rc != 0)
		return rc;
	memset(out, 0, sizeof(*out));
	snprintf(out->driver, sizeof(out->driver), "%s", info.driver_name);
	memcpy(out->mac, mac.addr_bytes, sizeof(out->mac));
	out->socket = rte_eth_dev_socket_id(port);
	out->max_rx_queues = info.max_rx_queues;
	out->max_tx_queues = info.max_tx_queues;
	out->min_mtu = info.min_mtu;
	out->max_mtu = understates(&info) ? info.max_mtu : largest_mtu(&info);
	return 0;
}

int gw_port_configure(uint16_t port, struct gw_port_setup *s)
{
	struct rte_eth_conf conf;
	struct rte_eth_dev_info info;
	uint8_t rss_key[GW_RSS_KEY];
	uint16_t rxd = s->rx_descriptors, txd = s->tx_descriptors;
	uint32_t mtu;
	int rc;

	s->step = "rte_eth_dev_info_get";
	rc = rte_eth_dev_info_get(port, &info);
	if (rc != 0)
		return rc;

	mtu = understates(&info) ? RTE_MIN(s->mtu, largest_mtu(&info)) : s->mtu;

	// No transmit offload: RTE_ETH_TX_OFFLOAD_MBUF_FAST_FREE in particular
	// wants all frames of a queue to come from one pool, and ours come from
	// the pool of whichever port received them.
	memset(&conf, 0, sizeof(conf));
	conf.rxmode.offloads = info.rx_offload_capa & RTE_ETH_RX_OFFLOAD_IPV4_CKSUM;
	conf.rxmode.mq_mode = RTE_ETH_MQ_RX_NONE;
	if (s->rx_queues > 1)
		rss_want(&info, &conf, rss_key);
#if RTE_VERSION >= RTE_VERSION_NUM(21, 11, 0, 0)
	conf.rxmode.mtu = mtu;
#else
	conf.rxmode.max_rx_pkt_len = mtu + RTE_ETHER_HDR_LEN + RTE_ETHER_CRC_LEN;
	if (mtu > RTE_ETHER_MTU)
		conf.rxmode.offloads |= info.rx_offload_capa & DEV_RX_OFFLOAD_JUMBO_FRAME;
#endif

	s->step = "rte_eth_dev_configure";
	rc = rte_eth_dev_configure(port, s->rx_queues, s->tx_queues, &conf);
	if (rc != 0 && conf.rx_adv_conf.rss_conf.rss_key != NULL) {
		// A device may insist on a key of its own.
		conf.rx_adv_conf.rss_conf.rss_key = NULL;
		rc = rte_eth_dev_configure(port, s->rx_queues, s->tx_queues, &conf);
	}
	if (rc != 0)
		return rc;

	// This sets the MTU of the kernel's interface, where there is one. Where
	// the driver has been asked for less, that is left to the operator.
	if (mtu == s->mtu) {
		s->step = "rte_eth_dev_set_mtu";
		rc = rte_eth_dev_set_mtu(port, mtu);
		if (rc != 0 && rc != -ENOTSUP)
			return rc;
	}

	if (rxd == 0)
		rxd = info.default_rxportconf.ring_size ? info.default_rxportconf.ring_size : RTE_ETH_DEV_FALLBACK_RX_RINGSIZE;
	if (txd == 0)
		txd = info.default_txportconf.ring_size ? info.default_txportconf.ring_size : RTE_ETH_DEV_FALLBACK_TX_RINGSIZE;
	s->step = "rte_eth_dev_adjust_nb_rx_tx_desc";
	rc = rte_eth_dev_adjust_nb_rx_tx_desc(port, &rxd, &txd);
	if (rc != 0)
		return rc;
	s->rx_descriptors = rxd;
	s->tx_descriptors = txd;
	return 0;
}

int gw_port_start(uint16_t port, struct gw_port_setup *s, struct gw_pool *pool)
{
	unsigned int socket = rte_eth_dev_socket_id(port);
	int rc;

	s->step = "rte_eth_rx_queue_setup";
	for (uint32_t i = 0; i < s->rx_queues; i++) {
		rc = rte_eth_rx_queue_setup(port, i, s->rx_descriptors, socket, NULL, (struct rte_mempool *)pool);
		if (rc != 0)
			return rc;
	}
	s->step = "rte_eth_tx_queue_setup";
	for (uint32_t i = 0; i < s->tx_queues; i++) {
		rc = rte_eth_tx_queue_setup(port, i, s->tx_descriptors, socket, NULL);
		if (rc != 0)
			return rc;
	}
	s->step = "rte_eth_dev_start";
	rc = rte_eth_dev_start(port);
	if (rc != 0)
		return rc;
	s->step = "rte_eth_promiscuous";
	rc = s->promiscuous ? rte_eth_promiscuous_enable(port) : rte_eth_promiscuous_disable(port);
	if (rc != 0 && rc != -ENOTSUP)
		return rc;
	s->step = "rte_eth_allmulticast";
	rc = s->multicast ? rte_eth_allmulticast_enable(port) : rte_eth_allmulticast_disable(port);
	if (rc != 0 && rc != -ENOTSUP)
		return rc;
	(void)rte_eth_stats_reset(port); // where a driver cannot, it has just started from zero
	(void)rte_eth_xstats_reset(port);
	return 0;
}

// Takes back what a driver would forget on close: net_ring what waits to be
// received, net_af_xdp what has been sent and not yet collected. Both bounded,
// because some devices never run dry.
static void drain(uint16_t port, uint32_t rx_queues, uint32_t tx_queues)
{
	struct rte_mbuf *frames[GW_MAX_BURST];

	for (uint32_t q = 0; q < rx_queues; q++) {
		for (int i = 0; i < 128; i++) {
			uint16_t n = rte_eth_rx_burst(port, q, frames, GW_MAX_BURST);

			if (n == 0)
				break;
			rte_pktmbuf_free_bulk(frames, n);
		}
	}
	for (int i = 0; i < 3; i++) {
		for (uint32_t q = 0; q < tx_queues; q++)
			(void)rte_eth_tx_burst(port, q, frames, 0);
		rte_delay_us_sleep(1000);
	}
}

int gw_port_close(uint16_t port, uint32_t rx_queues, uint32_t tx_queues)
{
	struct rte_eth_dev_info info;
	struct rte_device *dev = NULL;
	int rc, first;

	if (rte_eth_dev_info_get(port, &info) == 0 && is_virtual(&info))
		dev = info.device;
	if (tx_queues > 0)
		drain(port, rx_queues, tx_queues);
	first = rte_eth_dev_stop(port);
	rc = rte_eth_dev_close(port);
	if (first == 0)
		first = rc;
	if (dev != NULL) {
		rc = rte_dev_remove(dev);
		if (first == 0)
			first = rc;
	}
	return first;
}

// Whether a port that is a socket on one of the kernel's interfaces has lost
// its link. Drivers of such ports (AF_XDP, AF_PACKET, pcap) say that it is up from
// start to stop; the kernel knows the carrier, and whether the interface is there.
static int kernel_lost_link(uint16_t port)
{
	struct rte_eth_dev_info info;
	struct ifreq r;
	int fd, lost = 0;

	if (rte_eth_dev_info_get(port, &info) != 0 || info.if_index == 0 || !is_virtual(&info))
		return 0;
	memset(&r, 0, sizeof(r));
	if (if_indextoname(info.if_index, r.ifr_name) == NULL)
		return errno == ENXIO;
	fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return 0; // for want of file descriptors, say: no word on the link
	if (ioctl(fd, SIOCGIFFLAGS, &r) == 0)
		lost = (r.ifr_flags & (IFF_UP | IFF_RUNNING)) != (IFF_UP | IFF_RUNNING);
	close(fd);
	return lost;
}

int gw_port_link(uint16_t port, struct gw_link *out)
{
	struct rte_eth_link link;
	int rc = rte_eth_link_get_nowait(port, &link);

	if (rc != 0)
		return rc;
	out->speed_mbps = link.link_speed == RTE_ETH_SPEED_NUM_UNKNOWN ? 0 : link.link_speed;
	out->up = link.link_status && !kernel_lost_link(port);
	out->full_duplex = link.link_duplex == RTE_ETH_LINK_FULL_DUPLEX;
	return 0;
}

int gw_port_stats(uint16_t port, struct gw_stats *out)
{
	struct rte_eth_stats s;
	int rc = rte_eth_stats_get(port, &s);

	if (rc != 0)
		return rc;
	out->rx_packets = s.ipackets;
	out->tx_packets = s.opackets;
	out->rx_bytes = s.ibytes;
	out->tx_bytes = s.obytes;
	out->rx_missed = s.imissed;
	out->rx_errors = s.ierrors;
	out->tx_errors = s.oerrors;
	out->rx_no_frame = s.rx_nombuf;
	return 0;
}

_Static_assert(sizeof(struct rte_eth_xstat_name) == GW_XSTAT_NAME, "names are passed on as they are");

int gw_port_xstat_names(uint16_t port, char *names, uint32_t n)
{
	return rte_eth_xstats_get_names(port, (struct rte_eth_xstat_name *)names, n);
}

int gw_port_xstats(uint16_t port, uint64_t *values, uint32_t n)
{
	struct rte_eth_xstat stats[n > 0 ? n : 1];
	int got = rte_eth_xstats_get(port, stats, n);

	for (int i = 0; i < got && (uint32_t)got <= n; i++)
		values[stats[i].id] = stats[i].value;
	return got;
}
