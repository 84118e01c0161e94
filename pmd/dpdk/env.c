// The environment: start and stop, log, threads, memory, pools.
#define _GNU_SOURCE // fopencookie
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <rte_eal.h>
#include <rte_errno.h>
#include <rte_lcore.h>
#include <rte_log.h>
#include <rte_malloc.h>
#include <rte_mbuf.h>
#include <rte_mbuf_pool_ops.h>
#include <rte_mempool.h>
#include <rte_version.h>

#include "shim.h"

#if RTE_VERSION < RTE_VERSION_NUM(21, 11, 0, 0)
#define RTE_MEMPOOL_F_NO_SPREAD MEMPOOL_F_NO_SPREAD
#endif

const char *gw_version(void)
{
	return rte_version();
}

// rte_errno as a negative errno that is never 0.
static int failed(void)
{
	return rte_errno > 0 ? -rte_errno : -EIO;
}

enum { LOG_LINE = 2048 };

static int log_fd = -1;

static ssize_t log_send(int level, const char *text, size_t n)
{
	char line[1 + LOG_LINE];
	size_t k = n < LOG_LINE ? n : LOG_LINE;

	line[0] = (char)level;
	memcpy(line + 1, text, k);
	// MSG_DONTWAIT: a poll loop may be the one that logs.
	(void)!send(log_fd, line, 1 + k, MSG_DONTWAIT | MSG_NOSIGNAL);
	return (ssize_t)n;
}

static ssize_t log_write(void *cookie, const char *text, size_t n)
{
	(void)cookie;
	int level = rte_log_cur_msg_loglevel();

	return log_send(level > 0 ? level : (int)RTE_LOG_INFO, text, n);
}

static ssize_t stdout_write(void *cookie, const char *text, size_t n)
{
	(void)cookie;
	return log_send(RTE_LOG_INFO, text, n);
}

static ssize_t stderr_write(void *cookie, const char *text, size_t n)
{
	(void)cookie;
	return log_send(RTE_LOG_WARNING, text, n);
}

static FILE *log_stream(cookie_write_function_t *write, int buffering)
{
	cookie_io_functions_t io = {.write = write};
	FILE *f = fopencookie(NULL, "w", io);

	if (f != NULL)
		setvbuf(f, NULL, buffering, LOG_LINE);
	return f;
}

int gw_log_open(int fd)
{
	FILE *log = log_stream(log_write, _IOFBF); // rte_log flushes after every message
	FILE *out = log_stream(stdout_write, _IOLBF);
	FILE *err = log_stream(stderr_write, _IOLBF);

	if (log == NULL || out == NULL || err == NULL)
		return -ENOMEM;
	log_fd = fd;
	// EAL prints its usage, and libbpf its troubles, past the log. Go does
	// not use C's streams, so these are DPDK's alone.
	stdout = out;
	stderr = err;
	return rte_openlog_stream(log);
}

int gw_eal_init(int argc, char **argv)
{
	return rte_eal_init(argc, argv) < 0 ? failed() : 0;
}

int gw_eal_cleanup(void)
{
	return rte_eal_cleanup();
}

int gw_thread_register(void)
{
	return rte_thread_register() < 0 ? failed() : 0;
}

void gw_thread_unregister(void)
{
	rte_thread_unregister();
}

void *gw_alloc(uint64_t bytes, int socket)
{
	return rte_zmalloc_socket("gw_alloc", bytes, RTE_CACHE_LINE_SIZE, socket < 0 ? SOCKET_ID_ANY : socket);
}

int gw_pool_new(const char *name, uint32_t n, uint32_t cache, uint32_t data_room, int socket, struct gw_pool **pool)
{
	struct rte_mempool *p;

	if (data_room + RTE_PKTMBUF_HEADROOM > UINT16_MAX)
		return -EMSGSIZE;
	p = rte_pktmbuf_pool_create(name, n, cache, 0, (uint16_t)(data_room + RTE_PKTMBUF_HEADROOM),
		socket < 0 ? SOCKET_ID_ANY : socket);
	if (p == NULL)
		return failed();
	*pool = (struct gw_pool *)p;
	return 0;
}

int gw_pool_new_paged(const char *name, uint32_t n, uint32_t cache, uint32_t data_room, int socket, struct gw_pool **pool)
{
	const unsigned flags = RTE_MEMPOOL_F_NO_SPREAD; // which would make objects a line longer than a page
	const uint32_t page = (uint32_t)sysconf(_SC_PAGESIZE);
	const uint32_t least = rte_mempool_calc_obj_size(sizeof(struct rte_mbuf) + RTE_PKTMBUF_HEADROOM, flags, NULL);
	struct rte_pktmbuf_pool_private about = {0};
	struct rte_mempool *p;
	int rc;

	if (least + data_room > page)
		return -EMSGSIZE;
	about.mbuf_data_room_size = (uint16_t)(page - least + RTE_PKTMBUF_HEADROOM);
	p = rte_mempool_create_empty(name, n, sizeof(struct rte_mbuf) + about.mbuf_data_room_size, cache, sizeof(about),
		socket < 0 ? SOCKET_ID_ANY : socket, flags);
	if (p == NULL)
		return failed();
	rc = rte_mempool_set_ops_byname(p, rte_mbuf_best_mempool_ops(), NULL);
	if (rc == 0) {
		rte_pktmbuf_pool_init(p, &about);
		rc = rte_mempool_populate_default(p); // how many, or an error
	}
	if (rc < 0) {
		rte_mempool_free(p);
		return rc;
	}
	rte_mempool_obj_iter(p, rte_pktmbuf_init, NULL);
	*pool = (struct gw_pool *)p;
	return 0;
}

void gw_pool_delete(struct gw_pool *pool)
{
	rte_mempool_free((struct rte_mempool *)pool);
}

uint32_t gw_pool_free_count(const struct gw_pool *pool)
{
	return rte_mempool_avail_count((const struct rte_mempool *)pool);
}
