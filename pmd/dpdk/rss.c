// Receive side scaling: what to ask of a device, and what it then says it does.
#include <errno.h>
#include <string.h>

#include <rte_ethdev.h>
#include <rte_version.h>

#include "rss.h"
#include "shim.h"

#if RTE_VERSION < RTE_VERSION_NUM(21, 11, 0, 0)
#define RTE_ETH_MQ_RX_RSS ETH_MQ_RX_RSS
#define RTE_ETH_RSS_IPV4 ETH_RSS_IPV4
#define RTE_ETH_RSS_FRAG_IPV4 ETH_RSS_FRAG_IPV4
#define RTE_ETH_RSS_NONFRAG_IPV4_TCP ETH_RSS_NONFRAG_IPV4_TCP
#define RTE_ETH_RSS_NONFRAG_IPV4_UDP ETH_RSS_NONFRAG_IPV4_UDP
#define RTE_ETH_RSS_NONFRAG_IPV4_SCTP ETH_RSS_NONFRAG_IPV4_SCTP
#define RTE_ETH_RSS_NONFRAG_IPV4_OTHER ETH_RSS_NONFRAG_IPV4_OTHER
#define RTE_ETH_RSS_IPV6 ETH_RSS_IPV6
#define RTE_ETH_RSS_FRAG_IPV6 ETH_RSS_FRAG_IPV6
#define RTE_ETH_RSS_NONFRAG_IPV6_TCP ETH_RSS_NONFRAG_IPV6_TCP
#define RTE_ETH_RSS_NONFRAG_IPV6_UDP ETH_RSS_NONFRAG_IPV6_UDP
#define RTE_ETH_RSS_NONFRAG_IPV6_SCTP ETH_RSS_NONFRAG_IPV6_SCTP
#define RTE_ETH_RSS_NONFRAG_IPV6_OTHER ETH_RSS_NONFRAG_IPV6_OTHER
#define RTE_ETH_RETA_GROUP_SIZE RTE_RETA_GROUP_SIZE
#endif

// The kinds that go into a hash by the fixed headers alone. Those called _EX
// are not among them: they take addresses out of extension headers.
static const struct {
	uint64_t ethdev;
	uint32_t kind; // 0: what we ask for and need not know
} kinds[] = {
	{RTE_ETH_RSS_NONFRAG_IPV4_TCP, GW_RSS_TCP4},
	{RTE_ETH_RSS_NONFRAG_IPV4_UDP, GW_RSS_UDP4},
	{RTE_ETH_RSS_NONFRAG_IPV4_SCTP, GW_RSS_SCTP4},
	{RTE_ETH_RSS_NONFRAG_IPV4_OTHER, GW_RSS_IPV4},
	{RTE_ETH_RSS_IPV4, GW_RSS_IPV4},
	{RTE_ETH_RSS_FRAG_IPV4, 0},
	{RTE_ETH_RSS_NONFRAG_IPV6_TCP, GW_RSS_TCP6},
	{RTE_ETH_RSS_NONFRAG_IPV6_UDP, GW_RSS_UDP6},
	{RTE_ETH_RSS_NONFRAG_IPV6_SCTP, GW_RSS_SCTP6},
	{RTE_ETH_RSS_NONFRAG_IPV6_OTHER, GW_RSS_IPV6},
	{RTE_ETH_RSS_IPV6, GW_RSS_IPV6},
	{RTE_ETH_RSS_FRAG_IPV6, 0},
};

enum { KEY_PERIOD = 40 };

// Microsoft's, see rss.go.
static const uint8_t microsoft[KEY_PERIOD] = {
	0x6d, 0x5a, 0x56, 0xda, 0x25, 0x5b, 0x0e, 0xc2, 0x41, 0x67, 0x25, 0x3d, 0x43, 0xa3, 0x8f, 0xb0,
	0xd0, 0xca, 0x2b, 0xcb, 0xae, 0x7b, 0x30, 0xb4, 0x77, 0xcb, 0x2d, 0xa3, 0x80, 0x30, 0xf2, 0x0c,
	0x6a, 0x42, 0xb7, 0x3b, 0xbe, 0xac, 0x01, 0xfa,
};

void rss_want(const struct rte_eth_dev_info *info, struct rte_eth_conf *conf, uint8_t key[static GW_RSS_KEY])
{
	struct rte_eth_rss_conf *rss = &conf->rx_adv_conf.rss_conf;

	for (size_t i = 0; i < RTE_DIM(kinds); i++)
		rss->rss_hf |= kinds[i].ethdev & info->flow_type_rss_offloads;
	if (rss->rss_hf == 0)
		return;
	conf->rxmode.mq_mode = RTE_ETH_MQ_RX_RSS;
	rss->rss_key_len = info->hash_key_size != 0 ? info->hash_key_size : KEY_PERIOD;
	for (size_t i = 0; i < rss->rss_key_len; i++)
		key[i] = microsoft[i % KEY_PERIOD];
	rss->rss_key = key;
}

static int read_hash(uint16_t port, struct gw_rss *out)
{
	struct rte_eth_rss_conf conf = {.rss_key = out->key, .rss_key_len = out->key_len};
	int rc = rte_eth_dev_rss_hash_conf_get(port, &conf);

	if (rc != 0)
		return rc;
#if RTE_VERSION >= RTE_VERSION_NUM(23, 11, 0, 0)
	if (conf.algorithm != RTE_ETH_HASH_FUNCTION_DEFAULT && conf.algorithm != RTE_ETH_HASH_FUNCTION_TOEPLITZ)
		return -ENOTSUP;
#endif
	for (size_t i = 0; i < RTE_DIM(kinds); i++)
		if (conf.rss_hf & kinds[i].ethdev)
			out->kinds |= kinds[i].kind;
	return out->kinds != 0 ? 0 : -ENOTSUP;
}

static int settle_table(uint16_t port, uint32_t rx_queues, struct gw_rss *out)
{
	enum { GROUP = RTE_ETH_RETA_GROUP_SIZE };
	struct rte_eth_rss_reta_entry64 reta[GW_RSS_TABLE / GROUP] = {0};
	int rc;

	for (uint32_t i = 0; i < out->table_len; i++) {
		reta[i / GROUP].mask |= UINT64_C(1) << i % GROUP;
		reta[i / GROUP].reta[i % GROUP] = i % rx_queues;
	}
	// Where it cannot be written, it may still be read.
	(void)rte_eth_dev_rss_reta_update(port, reta, out->table_len);
	rc = rte_eth_dev_rss_reta_query(port, reta, out->table_len);
	if (rc != 0)
		return rc;
	for (uint32_t i = 0; i < out->table_len; i++) {
		out->table[i] = reta[i / GROUP].reta[i % GROUP];
		if (out->table[i] >= rx_queues)
			return -ERANGE;
	}
	return 0;
}

int gw_port_rss(uint16_t port, uint32_t rx_queues, struct gw_rss *out)
{
	struct rte_eth_dev_info info;
	int rc = rte_eth_dev_info_get(port, &info);

	if (rc != 0)
		return rc;
	memset(out, 0, sizeof(*out));
	out->key_len = info.hash_key_size != 0 ? info.hash_key_size : KEY_PERIOD;
	out->table_len = info.reta_size;
	if (out->key_len < KEY_PERIOD || !rte_is_power_of_2(out->table_len) || out->table_len > GW_RSS_TABLE)
		return -ENOTSUP;
	rc = read_hash(port, out);
	return rc != 0 ? rc : settle_table(port, rx_queues, out);
}
