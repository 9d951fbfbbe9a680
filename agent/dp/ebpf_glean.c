/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Gleaning: the rows by which the programs know whose source addresses are to be told, and the ring
 * buffer by which they tell.
 */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <string.h>
#include <sys/epoll.h>
#include <time.h>
#include <unistd.h>

#include "dp/ebpf_net.h"
#include "dp/ebpf_tables.h"
#include "dp/rowset.h"
#include "nve.skel.h"

enum { IP_FLAGS = NVE_ADDR_IPV4 | NVE_ADDR_IPV6 };
#define SEC_NS 1000000000ull

bool nve_ebpf_glean_only(const struct nve_shadow_addr *a)
{
	return a->gleaned && (a->addr.flags & IP_FLAGS);
}

/* --- rows ------------------------------------------------------------------------------------- */

void nve_ebpf_gleaners(const struct nve_dp *dp, uint32_t slot,
		       const struct nve_shadow_tsi_state *state, bool now,
		       struct nve_ebpf_gleaners *ret)
{
	*ret = (struct nve_ebpf_gleaners){ .n = 0 };
	if (!state || !state->glean)
		return;
	ret->keys[ret->n++] = (struct nve_gleaner_key){ .owner = slot };
	if (state->glean == NVE_DP_GLEAN_MACS)
		ret->keys[ret->n++] = (struct nve_gleaner_key){
			.owner = nve_ebpf_row_ifindex(dp, state, now),
			.vid = state->tag,
		};
	ret->row = (struct nve_gleaner){
		.tsi = slot,
		.every = state->glean_every_ns,
		.meter = { .cost = SEC_NS / NVE_GLEAN_RATE * 65536,
			   .burst = SEC_NS / NVE_GLEAN_RATE * NVE_GLEAN_BURST },
	};
}

struct nve_gleaned_key nve_ebpf_gleaned_key(uint32_t slot, const struct nve_addr *addr)
{
	struct nve_gleaned_key key = { .tsi = slot };

	memcpy(key.mac, addr->mac, sizeof(key.mac));
	if (addr->flags & IP_FLAGS)
		nve_ebpf_ip16(key.ip, addr->flags & NVE_ADDR_IPV4, addr->ip);
	return key;
}

static bool has(const struct nve_shadow_tsi_state *state, const struct nve_addr *addr)
{
	for (uint16_t i = 0; state && i < state->n_addrs; i++)
		if (state->addrs[i].gleaned && !memcmp(&state->addrs[i].addr, addr, sizeof(*addr)))
			return true;
	return false;
}

/* Before the move that apply() makes of it, all that goes; after all that has gone, what comes. */
static void remove_rows(struct nve_dp *dp, uint32_t slot)
{
	const struct nve_shadow_tsi *tsi = &dp->shadow.tsis[slot];
	struct nve_ebpf_gleaners was, is;

	nve_ebpf_gleaners(dp, slot, tsi->now, true, &was);
	nve_ebpf_gleaners(dp, slot, tsi->want, false, &is);
	for (uint32_t i = 0; i < was.n; i++)
		if (i >= is.n || memcmp(&was.keys[i], &is.keys[i], sizeof(was.keys[i])))
			nve_ebpf_cut(dp, NVE_MAP_GLEANER, &was.keys[i]);
	for (uint16_t i = 0; tsi->now && i < tsi->now->n_addrs; i++) {
		const struct nve_shadow_addr *a = &tsi->now->addrs[i];
		struct nve_gleaned_key key = nve_ebpf_gleaned_key(slot, &a->addr);

		if (a->gleaned && !has(tsi->want, &a->addr))
			nve_ebpf_cut(dp, NVE_MAP_GLEANED, &key);
	}
}

/* A gleaner's row holds its meter: it is left alone while it says the same. */
static void add_rows(struct nve_dp *dp, uint32_t slot)
{
	const struct nve_shadow_tsi *tsi = &dp->shadow.tsis[slot];
	struct nve_gleaned told = { 0 };
	struct timespec now;
	struct nve_ebpf_gleaners was, is;

	nve_ebpf_gleaners(dp, slot, tsi->now, true, &was);
	nve_ebpf_gleaners(dp, slot, tsi->want, false, &is);
	for (uint32_t i = 0; i < is.n; i++)
		if (i >= was.n || was.row.every != is.row.every ||
		    memcmp(&was.keys[i], &is.keys[i], sizeof(was.keys[i])))
			nve_ebpf_put(dp, NVE_MAP_GLEANER, &is.keys[i], &is.row);
	clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
	told.told = now.tv_sec * SEC_NS + now.tv_nsec;
	for (uint16_t i = 0; tsi->want && i < tsi->want->n_addrs; i++) {
		const struct nve_shadow_addr *a = &tsi->want->addrs[i];
		struct nve_gleaned_key key = nve_ebpf_gleaned_key(slot, &a->addr);

		if (a->gleaned && !has(tsi->now, &a->addr))
			nve_ebpf_put(dp, NVE_MAP_GLEANED, &key, &told);
	}
}

void nve_ebpf_glean_apply(struct nve_dp *dp)
{
	const struct nve_shadow_list *list = &dp->shadow.tsi_list;

	for (uint32_t i = 0; i < list->n; i++)
		remove_rows(dp, list->v[i]);
	nve_ebpf_rows_flush(dp);
	for (uint32_t i = 0; i < list->n; i++)
		add_rows(dp, list->v[i]);
}

void nve_ebpf_glean_want(struct nve_dp *dp, struct nve_rowset *gleaner, struct nve_rowset *gleaned)
{
	const struct nve_gleaned told = { 0 };
	struct nve_ebpf_gleaners rows;

	for (uint32_t slot = 0; slot < dp->shadow.limits.max_tsis; slot++) {
		const struct nve_shadow_tsi_state *state = dp->shadow.tsis[slot].want;

		nve_ebpf_gleaners(dp, slot, state, false, &rows);
		for (uint32_t i = 0; i < rows.n; i++)
			nve_rowset_add(gleaner, &rows.keys[i], &rows.row);
		for (uint16_t i = 0; state && i < state->n_addrs; i++) {
			struct nve_gleaned_key key =
				nve_ebpf_gleaned_key(slot, &state->addrs[i].addr);

			if (state->addrs[i].gleaned)
				nve_rowset_add(gleaned, &key, &told);
		}
	}
}

/* --- events ----------------------------------------------------------------------------------- */

static bool is_zero(const uint8_t ip[16])
{
	static const uint8_t zero[16];

	return !memcmp(ip, zero, sizeof(zero));
}

static struct nve_addr addr_of(const struct nve_glean_event *ev)
{
	static const uint8_t mapped[12] = { [10] = 0xff, [11] = 0xff };
	struct nve_addr addr = { .flags = NVE_ADDR_MAC };

	memcpy(addr.mac, ev->mac, sizeof(addr.mac));
	if (is_zero(ev->ip))
		return addr;
	if (!memcmp(ev->ip, mapped, sizeof(mapped))) {
		addr.flags |= NVE_ADDR_IPV4;
		memcpy(addr.ip, ev->ip + sizeof(mapped), 4);
	} else {
		addr.flags |= NVE_ADDR_IPV6;
		memcpy(addr.ip, ev->ip, sizeof(addr.ip));
	}
	return addr;
}

/* Between frame and report the TSI may have gone, or moved: such a report is of no use. */
static int on_event(void *arg, void *data, size_t size)
{
	const struct nve_glean_event *ev = data;
	struct nve_dp *dp = arg;
	const struct nve_shadow_tsi_state *tsi;
	struct nve_dp_gleaned gleaned;

	if (size < sizeof(*ev) || ev->tsi >= dp->shadow.limits.max_tsis || !dp->gleaned)
		return 0;
	tsi = dp->shadow.tsis[ev->tsi].now;
	if (!tsi || !tsi->glean || tsi->tag != ev->vid ||
	    nve_ebpf_row_ifindex(dp, tsi, true) != ev->ifindex)
		return 0;
	gleaned = (struct nve_dp_gleaned){ ev->tsi, tsi->key.port, tsi->tag, addr_of(ev) };
	dp->gleaned(dp->gleaned_arg, &gleaned);
	return 0;
}

static int watch(int poll, int fd)
{
	struct epoll_event ev = { .events = EPOLLIN };

	return epoll_ctl(poll, EPOLL_CTL_ADD, fd, &ev) < 0 ? -errno : 0;
}

int nve_ebpf_glean_open(struct nve_dp *dp)
{
	struct nve *skel = dp->object;
	struct ring_buffer *ring;
	int fd = bpf_map__fd(skel->maps.nve_events), r;

	dp->poll = epoll_create1(EPOLL_CLOEXEC);
	if (dp->poll < 0)
		return -errno;
	ring = ring_buffer__new(fd, on_event, dp, NULL);
	if (!ring)
		return -errno;
	dp->ring = ring;
	r = watch(dp->poll, fd);
	return r < 0 ? r : watch(dp->poll, dp->events);
}

void nve_ebpf_glean_close(struct nve_dp *dp)
{
	ring_buffer__free(dp->ring);
	if (dp->poll >= 0)
		close(dp->poll);
	dp->ring = NULL;
	dp->poll = -1;
}

/* The ring is bounded, and so is what it can be filled with meanwhile: the programs have a rate. */
void nve_ebpf_glean_dispatch(struct nve_dp *dp)
{
	ring_buffer__consume(dp->ring);
}
