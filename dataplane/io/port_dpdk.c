/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * port_dpdk.c - the lane as a port: tagged frames in, tagged responses out.
 *
 *   rx_burst ─► ahead ─► frame_read ─► query (the mbuf is its handle)
 *      └──────► kept: from upstreams, for the transport, which asks and reads them itself
 *   send ─► response into the same mbuf, headers turned round ─► tx_burst
 *   send_later ─► headers from the client's ticket into a new mbuf ─► tx_burst
 *
 * The only file that knows DPDK.
 */
#include "io/port_dpdk.h"

#include <errno.h>
#include <dirent.h>
#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <bpf/libbpf.h>
#include <linux/capability.h>
#include <linux/if_xdp.h>
#include <net/if.h>
#include <rte_eal.h>
#include <rte_errno.h>
#include <rte_ethdev.h>
#include <rte_lcore.h>
#include <rte_mbuf.h>
#include <xdp/libxdp.h>
#include "io/frame.h"
#include "io/hugepages.h"
#include "io/port.h"
#include "lane53/abi.h"
#include "lane53/wire.h"

/*
 * The PMD takes 2,048 mbufs for its fill ring and as many may be on the way out; with
 * 2,047 it fails, with 3,000 it works (ARCHITECTURE 14).  As many again may be read ahead,
 * and 512 are kept: 8,191 is the next 2^n - 1.
 */
#define MBUFS        8191
#define MBUF_CACHE   256
#define RING_ENTRIES 2048
/* One page less the mbuf's head would be 3,584; the lane's frames are 1,614 at most. */
#define MBUF_ROOM (2048 + RTE_PKTMBUF_HEADROOM)

/* Bytes of a frame on the lane: its MTU counts from behind the Ethernet header. */
#define FRAME_MAX (RTE_ETHER_HDR_LEN + LANE53_LANE_MTU)

#define REPLY_ROOM 4096

/*
 * Queries read ahead of their turn: as many as the ring holds, so whoever had a place
 * before has one now.  A turn reads 512 frames at the most; 2.5 million a second arrive
 * until the next one then.
 */
#define AHEAD_ROOM   RING_ENTRIES
#define AHEAD_BURSTS 16
#define KEPT_ROOM    512

/* Frames that go out together. */
#define TX_ROOM (2 * PORT_BATCH)

/* A ring that stays full for so many tries belongs to a lane that is gone. */
#define TX_TRIES 16

/* Ordinary memory for one lane; and for each further one, whose mbufs take 20 MB. */
#define PLAIN_MB 128
#define LANE_MB  32

struct ticket {
	uint8_t prefix_len;
	uint8_t prefix[FRAME_PREFIX_MAX];
};

_Static_assert(sizeof(struct ticket) <= CLIENT_TICKET_BYTES, "tickets fit");
_Static_assert(FRAME_MAX <= 2048, "frames fit an mbuf");

struct dpdk_port {
	struct port base; /* first */
	uint16_t id;
	int fd;
	unsigned ifindex;
	char interface[IF_NAMESIZE + 16];
	struct rte_mempool *pool;
	struct port_dpdk_counts counts;
	struct rte_mbuf *tx[TX_ROOM];
	unsigned tx_count;
	bool expecting;                   /* upstreams' answers: see read_ahead() */
	struct rte_mbuf *kept[KEPT_ROOM]; /* from upstreams */
	unsigned kept_count;
	struct rte_mbuf *ahead[AHEAD_ROOM]; /* queries, from ahead_at round */
	unsigned ahead_at, ahead_count;
	uint64_t overflowed;
	uint8_t reply[PORT_BATCH][REPLY_ROOM]; /* one per query handed out */
	unsigned free_replies[PORT_BATCH], free_count;
};

/* What a query's handle points at: its mbuf knows its reply. */
struct mbuf_private {
	unsigned reply;
};

#define MBUF_PRIVATE RTE_ALIGN(sizeof(struct mbuf_private), RTE_MBUF_PRIV_ALIGN)

static struct dpdk_port *of(struct port *port)
{
	return (struct dpdk_port *)port;
}

/* ---- queries in ---- */

static void client_fill(struct client *client, const struct frame *f,
			const uint8_t *bytes)
{
	struct ticket ticket = { .prefix_len = (uint8_t)f->dns_off };

	memcpy(client->remote, f->remote, 16);
	memcpy(client->local, f->local, 16);
	client->remote_port = f->remote_port;
	client->local_port = f->local_port;
	client->view = f->view;
	client->ifindex = f->ifindex;
	client->proto = CLIENT_UDP;
	memcpy(ticket.prefix, bytes, f->dns_off);
	memcpy(client->ticket, &ticket, sizeof(ticket));
}

static bool query_fill(struct dpdk_port *port, struct query *query,
		       struct rte_mbuf *mbuf)
{
	const uint8_t *bytes = rte_pktmbuf_mtod(mbuf, const uint8_t *);
	struct mbuf_private *private = rte_mbuf_to_priv(mbuf);
	struct frame f;

	switch (frame_read(&f, bytes, rte_pktmbuf_data_len(mbuf))) {
	case FRAME_OK:
		break;
	case FRAME_NOT_LANE: /* the kernel's own: router solicitations and such */
		return false;
	case FRAME_BAD_TAG:
	case FRAME_NOT_UDP:
		port->counts.rx_bad++;
		return false;
	}
	port->counts.rx++;
	client_fill(&query->client, &f, bytes);
	private->reply = port->free_replies[--port->free_count];
	query->message = bytes + f.dns_off;
	query->len = f.dns_len;
	query->reply = port->reply[private->reply];
	query->reply_room = REPLY_ROOM;
	query->reply_len = 0;
	query->handle = mbuf;
	return true;
}

/* Where does @mbuf wait?  There is room among the kept. */
static void sort(struct dpdk_port *port, struct rte_mbuf *mbuf)
{
	if (frame_is_upstream(rte_pktmbuf_mtod(mbuf, const uint8_t *),
			      rte_pktmbuf_data_len(mbuf))) {
		port->kept[port->kept_count++] = mbuf;
	} else if (port->ahead_count < AHEAD_ROOM) {
		port->ahead[(port->ahead_at + port->ahead_count++) % AHEAD_ROOM] = mbuf;
	} else {
		port->overflowed++;
		rte_pktmbuf_free(mbuf);
	}
}

/*
 * Under a flood of queries the ring is always full, and what falls beside it is drawn by
 * lot: an upstream's answer, for which the work is done already and a local port waits,
 * as well as a query.  So while answers are due the ring is emptied in each turn, and
 * queries for which nobody has time end here.
 */
static void read_ahead(struct dpdk_port *port)
{
	unsigned bursts = port->expecting ? AHEAD_BURSTS : port->ahead_count == 0;
	struct rte_mbuf *mbufs[PORT_BATCH];
	uint16_t got = PORT_BATCH;

	for (; bursts && got == PORT_BATCH; bursts--) {
		if (port->kept_count + PORT_BATCH > KEPT_ROOM)
			return;
		got = rte_eth_rx_burst(port->id, 0, mbufs, PORT_BATCH);
		for (uint16_t i = 0; i < got; i++)
			rte_prefetch0(rte_pktmbuf_mtod(mbufs[i], const void *));
		for (uint16_t i = 0; i < got; i++)
			sort(port, mbufs[i]);
	}
}

static unsigned port_recv(struct port *base, struct query *queries, unsigned max)
{
	struct dpdk_port *port = of(base);
	unsigned used = 0;

	read_ahead(port);
	if (max > port->free_count)
		max = port->free_count;
	while (used < max && port->ahead_count) {
		struct rte_mbuf *mbuf = port->ahead[port->ahead_at];

		port->ahead_at = (port->ahead_at + 1) % AHEAD_ROOM;
		port->ahead_count--;
		if (query_fill(port, &queries[used], mbuf))
			used++;
		else
			rte_pktmbuf_free(mbuf);
	}
	return used;
}

/* ---- responses out ---- */

/* Put prefix and message into @mbuf as a response.  Return: is it ready to go? */
static bool mbuf_reply(struct dpdk_port *port, struct rte_mbuf *mbuf,
		       const struct client *client, const uint8_t *message, size_t len)
{
	uint8_t cut[REPLY_ROOM];
	struct ticket ticket;
	uint8_t *bytes;

	memcpy(&ticket, client->ticket, sizeof(ticket));
	if (ticket.prefix_len + len > FRAME_MAX) {
		if (len > sizeof(cut))
			goto drop; /* not one of ours: a limit is 4,096 at most */
		memcpy(cut, message, len);
		len = frame_truncate(cut, len);
		message = cut;
	}
	rte_pktmbuf_reset(mbuf);
	bytes = (uint8_t *)rte_pktmbuf_append(mbuf,
					      (uint16_t)(ticket.prefix_len + len));
	if (!bytes || ticket.prefix_len + len > FRAME_MAX)
		goto drop;
	memcpy(bytes, ticket.prefix, ticket.prefix_len);
	memcpy(bytes + ticket.prefix_len, message, len);
	frame_reply(bytes, ticket.prefix_len, len);
	return true;

drop:
	port->counts.tx_dropped++;
	rte_pktmbuf_free(mbuf);
	return false;
}

static void transmit(struct dpdk_port *port)
{
	const unsigned count = port->tx_count;
	unsigned done = 0;

	for (int tries = 0; done < count && tries < TX_TRIES; tries++)
		done += rte_eth_tx_burst(port->id, 0, port->tx + done,
					 (uint16_t)(count - done));
	port->counts.tx += done;
	port->counts.tx_dropped += count - done;
	for (; done < count; done++)
		rte_pktmbuf_free(port->tx[done]);
	port->tx_count = 0;
}

static void tx_put(struct dpdk_port *port, struct rte_mbuf *mbuf)
{
	if (port->tx_count == TX_ROOM)
		transmit(port);
	port->tx[port->tx_count++] = mbuf;
}

static void reply_give(struct dpdk_port *port, const struct query *query)
{
	struct mbuf_private *private = rte_mbuf_to_priv(query->handle);

	port->free_replies[port->free_count++] = private->reply;
}

static void port_send(struct port *base, struct query *queries, unsigned count)
{
	struct dpdk_port *port = of(base);

	for (unsigned i = 0; i < count; i++) {
		struct query *q = &queries[i];

		reply_give(port, q);
		/* the message was read from this mbuf, the reply is elsewhere */
		if (mbuf_reply(port, q->handle, &q->client, q->reply, q->reply_len))
			tx_put(port, q->handle);
	}
	transmit(port);
}

static void port_drop(struct port *base, struct query *queries, unsigned count)
{
	for (unsigned i = 0; i < count; i++) {
		reply_give(of(base), &queries[i]);
		rte_pktmbuf_free(queries[i].handle);
	}
}

static void port_send_later(struct port *base, const struct client *client,
			    const uint8_t *bytes, size_t len)
{
	struct dpdk_port *port = of(base);
	struct rte_mbuf *mbuf = rte_pktmbuf_alloc(port->pool);

	if (!mbuf) {
		port->counts.tx_dropped++;
		return;
	}
	if (mbuf_reply(port, mbuf, client, bytes, len))
		tx_put(port, mbuf);
}

void port_dpdk_flush(struct port *base)
{
	if (of(base)->tx_count)
		transmit(of(base));
}

/* ---- upstreams ---- */

bool port_dpdk_send_frame(struct port *base, const uint8_t *bytes, size_t len)
{
	struct dpdk_port *port = of(base);
	struct rte_mbuf *mbuf = len <= FRAME_MAX ? rte_pktmbuf_alloc(port->pool) : NULL;
	char *room = mbuf ? rte_pktmbuf_append(mbuf, (uint16_t)len) : NULL;

	if (!room) {
		port->counts.tx_dropped++;
		rte_pktmbuf_free(mbuf); /* NULL is allowed */
		return false;
	}
	memcpy(room, bytes, len);
	tx_put(port, mbuf);
	return true;
}

void port_dpdk_expect_upstream(struct port *base, bool expecting)
{
	of(base)->expecting = expecting;
}

bool port_dpdk_has_upstream(const struct port *base)
{
	return ((const struct dpdk_port *)base)->kept_count > 0;
}

void port_dpdk_each_upstream(struct port *base,
			     void (*each)(void *context, const uint8_t *bytes,
					  size_t len),
			     void *context)
{
	struct dpdk_port *port = of(base);

	port->counts.rx += port->kept_count;
	for (unsigned i = 0; i < port->kept_count; i++) {
		each(context, rte_pktmbuf_mtod(port->kept[i], const uint8_t *),
		     rte_pktmbuf_data_len(port->kept[i]));
		rte_pktmbuf_free(port->kept[i]);
	}
	port->kept_count = 0;
}

/* The process ends next; 22.11 cannot give the socket back before (port_dpdk.h). */
static void port_close(struct port *base)
{
	(void)rte_eth_dev_stop(of(base)->id);
	free(base);
}

static const struct port_ops ops = {
	.name = "dpdk",
	.recv = port_recv,
	.send = port_send,
	.drop = port_drop,
	.send_later = port_send_later,
	.close = port_close,
};

/* ---- EAL ---- */

/* One lcore that may run wherever we may: EAL would pin it, and start one per CPU. */
static void format_lcores(char *text, size_t room)
{
	size_t len = (size_t)snprintf(text, room, "--lcores=0@(");
	const char *comma = "";
	cpu_set_t cpus;

	CPU_ZERO(&cpus);
	(void)sched_getaffinity(0, sizeof(cpus), &cpus); /* empty: CPU 0, below */
	if (CPU_COUNT(&cpus) == 0)
		CPU_SET(0, &cpus);
	for (int cpu = 0; cpu < CPU_SETSIZE && len + 8 < room; cpu++)
		if (CPU_ISSET(cpu, &cpus)) {
			len += (size_t)snprintf(text + len, room - len, "%s%d", comma,
						cpu);
			comma = ",";
		}
	snprintf(text + len, room - len, ")");
}

/* Of @first, whose name may be too long to be an interface's. */
static void format_interface(char *text, size_t room, const char *first, unsigned idx)
{
	if (idx)
		snprintf(text, room, LANE53_LANE_FORMAT, first, idx);
	else
		snprintf(text, room, "%s", first);
}

static void format_device(char *text, size_t room, unsigned idx)
{
	snprintf(text, room, "net_af_xdp%u", idx);
}

/* The device of lane number @idx, as EAL wants it. */
static void format_vdev(char *text, size_t room, const char *first, unsigned idx)
{
	char interface[IF_NAMESIZE + 16], device[32];

	format_interface(interface, sizeof(interface), first, idx);
	format_device(device, sizeof(device), idx);
	snprintf(text, room,
		 "--vdev=%s,iface=%s,start_queue=0,queue_count=1,busy_budget=0", device,
		 interface);
}

static unsigned memory_mb(const struct port_dpdk_config *config, bool hugepages)
{
	return hugepages ? (unsigned)(hugepages_wanted_bytes(config->count) >> 20)
			 : PLAIN_MB + (config->count - 1) * LANE_MB;
}

static int eal_start(const struct port_dpdk_config *config, bool hugepages)
{
	char lcores[1024], prefix[96], memory[16], vdevs[LANE53_LANES_MAX][128];
	char *argv[16 + LANE53_LANES_MAX];
	int argc = 0;

	format_lcores(lcores, sizeof(lcores));
	snprintf(prefix, sizeof(prefix), "--file-prefix=lane53-%s", config->instance);
	snprintf(memory, sizeof(memory), "%u", memory_mb(config, hugepages));
	argv[argc++] = (char *)"lane53-worker";
	argv[argc++] = lcores;
	argv[argc++] = prefix;
	for (unsigned i = 0; i < config->count; i++) {
		format_vdev(vdevs[i], sizeof(vdevs[i]), config->interface, i);
		argv[argc++] = vdevs[i];
	}
	argv[argc++] = (char *)"--no-pci";
	argv[argc++] = (char *)"--no-telemetry";
	argv[argc++] = (char *)"--log-level=critical";
	argv[argc++] = (char *)"-m";
	argv[argc++] = memory;
	if (hugepages) {
		argv[argc++] = (char *)"--in-memory";
	} else { /* --no-huge --in-memory does not work (ARCHITECTURE 14) */
		argv[argc++] = (char *)"--no-huge";
		argv[argc++] = (char *)"--no-shconf";
	}
	argv[argc] = NULL;
	return rte_eal_init(argc, argv) < 0 ? -rte_errno : 0;
}

/* EAL makes it even if it keeps nothing there; a kill -9 must not leave it behind. */
static void remove_directory(const struct port_dpdk_config *config)
{
	char path[4096];

	snprintf(path, sizeof(path), "%s/dpdk/lane53-%s", config->run_dir,
		 config->instance);
	(void)rmdir(path); /* stays if EAL does keep something */
	snprintf(path, sizeof(path), "%s/dpdk", config->run_dir);
	(void)rmdir(path);
}

/* ---- the port ---- */

/*
 * One mbuf right behind the other, as the PMD counts them when it registers the UMEM.
 * rte_pktmbuf_pool_create() lets none cross a page: that leaves gaps, and the last mbufs
 * (four of ten without hugepages) were beyond the UMEM's end.  The kernel takes such a
 * one from the fill ring for nothing, so in the end nothing came in any more.
 */
static struct rte_mempool *pool_create(uint16_t id)
{
	struct rte_pktmbuf_pool_private private = {
		.mbuf_data_room_size = MBUF_ROOM,
		.mbuf_priv_size = MBUF_PRIVATE,
	};
	struct rte_mempool *pool;
	char name[32];

	snprintf(name, sizeof(name), "lane%u", id);
	pool = rte_mempool_create_empty(
		name, MBUFS, sizeof(struct rte_mbuf) + MBUF_PRIVATE + MBUF_ROOM,
		MBUF_CACHE, sizeof(private), SOCKET_ID_ANY,
		RTE_MEMPOOL_F_NO_IOVA_CONTIG);
	if (!pool)
		return NULL;
	rte_pktmbuf_pool_init(pool, &private);
	if (rte_mempool_populate_default(pool) < 0 || pool->nb_mem_chunks != 1) {
		rte_mempool_free(pool);
		rte_errno = ENOMEM;
		return NULL;
	}
	rte_mempool_obj_iter(pool, rte_pktmbuf_init, NULL);
	return pool;
}

static int port_configure(struct dpdk_port *port)
{
	struct rte_eth_conf conf = { 0 };
	int r;

	port->pool = pool_create(port->id);
	if (!port->pool)
		return -rte_errno;
	r = rte_eth_dev_configure(port->id, 1, 1, &conf);
	if (r == 0)
		r = rte_eth_dev_set_mtu(port->id, LANE53_LANE_MTU);
	if (r == 0)
		r = rte_eth_rx_queue_setup(port->id, 0, RING_ENTRIES, SOCKET_ID_ANY,
					   NULL, port->pool);
	if (r == 0)
		r = rte_eth_tx_queue_setup(port->id, 0, RING_ENTRIES, SOCKET_ID_ANY,
					   NULL);
	return r == 0 ? rte_eth_dev_start(port->id) : r;
}

static bool is_of(int fd, struct port *const *ports, unsigned count)
{
	for (unsigned i = 0; i < count; i++)
		if (port_dpdk_fd(ports[i]) == fd)
			return true;
	return false;
}

/*
 * The PMD shows its socket to nobody, but it is a descriptor of ours: the one that none of
 * @ports has, which were opened before.
 */
static int find_xdp_socket(struct port *const *ports, unsigned count)
{
	DIR *dir = opendir("/proc/self/fd");
	struct dirent *entry;
	int found = -1;

	while (dir && found < 0 && (entry = readdir(dir))) {
		int fd = atoi(entry->d_name), domain = 0;
		socklen_t len = sizeof(domain);

		if (entry->d_name[0] != '.' &&
		    getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &len) == 0 &&
		    domain == AF_XDP && !is_of(fd, ports, count))
			found = fd;
	}
	if (dir)
		closedir(dir);
	return found;
}

static bool choose_hugepages(const struct port_dpdk_config *config)
{
	switch (config->hugepages) {
	case DPDK_HUGEPAGES_YES:
		return true;
	case DPDK_HUGEPAGES_NO:
		return false;
	case DPDK_HUGEPAGES_AUTO:
		break;
	}
	return hugepages_may_take(hugepages_wanted_bytes(config->count));
}

/* What the PMD and its UMEM need; without one of them it says EINVAL, too. */
#define RIGHTS                                                                \
	(1ull << CAP_NET_ADMIN | 1ull << CAP_NET_RAW | 1ull << CAP_IPC_LOCK | \
	 1ull << CAP_SYS_ADMIN | 1ull << CAP_BPF)

static bool has_rights(void)
{
	FILE *file = fopen("/proc/self/status", "re");
	unsigned long long have = RIGHTS; /* not known: no complaint */
	char line[256];

	while (file && fgets(line, sizeof(line), file))
		(void)sscanf(line, "CapEff: %llx", &have);
	if (file)
		fclose(file);
	return (have & RIGHTS) == RIGHTS;
}

static const char *advice(int r)
{
	if (!has_rights())
		return "; it needs root, or CAP_NET_ADMIN, CAP_NET_RAW, CAP_IPC_LOCK, "
		       "CAP_SYS_ADMIN and CAP_BPF";
	switch (r) {
	case -EINVAL:
	case -EBUSY:
		return "; is another worker or XDP program on it?";
	default:
		return "";
	}
}

/* Is every lane there, and memory for them? */
static int check_needs(const struct port_dpdk_config *config, bool hugepages, char *why,
		       size_t room)
{
	const uint64_t wanted = hugepages_wanted_bytes(config->count);
	const uint64_t have = hugepages_free_bytes();
	char interface[IF_NAMESIZE + 16];

	for (unsigned i = 0; i < config->count; i++) {
		format_interface(interface, sizeof(interface), config->interface, i);
		if (if_nametoindex(interface))
			continue;
		snprintf(why, room, "no network interface %s: lane53d makes the lane",
			 interface);
		return -ENODEV;
	}
	if (hugepages && have < wanted) {
		snprintf(why, room,
			 "%u of %u MB of hugepages are free: reserve more "
			 "(vm.nr_hugepages), or --hugepages no",
			 (unsigned)(have >> 20), (unsigned)(wanted >> 20));
		return -ENOMEM;
	}
	return 0;
}

/* Lane number @idx, the lower ones being in @ports already, as this one then is. */
static int open_one(struct port **ports, const struct port_dpdk_config *config,
		    unsigned idx)
{
	struct dpdk_port *port = calloc(1, sizeof(*port));
	char device[32];
	int r;

	if (!port)
		return -ENOMEM;
	port->base.ops = &ops;
	for (unsigned i = 0; i < PORT_BATCH; i++)
		port->free_replies[port->free_count++] = i;
	format_interface(port->interface, sizeof(port->interface), config->interface,
			 idx);
	port->ifindex = if_nametoindex(port->interface);
	format_device(device, sizeof(device), idx);
	r = rte_eth_dev_get_port_by_name(device, &port->id);
	if (r == 0)
		r = port_configure(port);
	if (r < 0) {
		free(port);
		return r;
	}
	port->fd = find_xdp_socket(ports, idx);
	ports[idx] = &port->base;
	return 0;
}

int port_dpdk_open(struct port **ret_ports, const struct port_dpdk_config *config,
		   char *why, size_t room)
{
	bool hugepages = choose_hugepages(config);
	struct port *ports[LANE53_LANES_MAX];
	char interface[IF_NAMESIZE + 16];
	int r = check_needs(config, hugepages, why, room);

	if (r < 0)
		return r;
	/* the dispatcher is refused under lockdown and slows AF_XDP (ARCHITECTURE 2) */
	setenv("LIBXDP_SKIP_DISPATCHER", "1", 0);
	/* where EAL makes its directory, as systemd would say it */
	setenv("RUNTIME_DIRECTORY", config->run_dir, 1);
	/* what goes wrong is said by us, in one line */
	libxdp_set_print(NULL);
	(void)libbpf_set_print(NULL);
	r = eal_start(config, hugepages);
	remove_directory(config);
	if (r < 0) {
		snprintf(why, room, "DPDK does not start on %s: %s%s",
			 config->interface, strerror(-r), advice(r));
		return r;
	}
	for (unsigned i = 0; i < config->count; i++) {
		r = open_one(ports, config, i);
		if (r == 0)
			continue;
		format_interface(interface, sizeof(interface), config->interface, i);
		snprintf(why, room, "no AF_XDP port on %s: %s%s", interface,
			 strerror(-r), advice(r));
		while (i-- > 0)
			port_close(ports[i]);
		return r;
	}
	memcpy(ret_ports, ports, config->count * sizeof(*ports));
	return 0;
}

void port_dpdk_enter(void)
{
	(void)rte_thread_register(); /* else without a cache: slower, and no less right */
}

bool port_dpdk_is_alive(const struct port *base)
{
	const struct dpdk_port *port = (const struct dpdk_port *)base;

	return if_nametoindex(port->interface) == port->ifindex;
}

int port_dpdk_fd(const struct port *port)
{
	return ((const struct dpdk_port *)port)->fd;
}

void port_dpdk_counts(const struct port *port, struct port_dpdk_counts *ret)
{
	*ret = ((const struct dpdk_port *)port)->counts;
}

uint64_t port_dpdk_xsk_dropped(const struct port *base)
{
	const struct dpdk_port *port = (const struct dpdk_port *)base;
	struct xdp_statistics stats = { 0 };
	socklen_t len = sizeof(stats);

	if (port->fd < 0 ||
	    getsockopt(port->fd, SOL_XDP, XDP_STATISTICS, &stats, &len) < 0)
		return port->overflowed;
	return stats.rx_dropped + stats.rx_ring_full + port->overflowed;
}
