// Between port.c and rss.c: not part of the surface that Go sees.
#ifndef GUIDEWAY_PMD_DPDK_RSS_H
#define GUIDEWAY_PMD_DPDK_RSS_H

#include <rte_ethdev.h>

#include "shim.h"

// Asks in conf for all that the device offers of what we know to predict. Puts
// the hash's key into key, which must live until the device is configured.
void rss_want(const struct rte_eth_dev_info *info, struct rte_eth_conf *conf, uint8_t key[static GW_RSS_KEY]);

#endif
