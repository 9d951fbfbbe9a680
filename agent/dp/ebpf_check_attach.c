/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The check of what is attached: our programs, by our links, on each port; the pins; the loop that
 * makes copies.  Programs of others that stand in the way are told, and left alone: they are
 * theirs.
 */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "dp/ebpf_check.h"
#include "dp/ebpf_net.h"

enum { ROWS_A_PORT = 64, TCX_MAX = 64 };

static uint32_t prog_id(int fd)
{
	struct bpf_prog_info info = { 0 };
	uint32_t len = sizeof(info);

	return fd >= 0 && bpf_obj_get_info_by_fd(fd, &info, &len) == 0 ? info.id : 0;
}

/* Only CAP_SYS_ADMIN may ask what others' programs are called. */
static void say_prog(const struct nve_dp *dp, char to[64], uint32_t id)
{
	const char *name = "";

	for (int i = 0; i < NVE_PROGS; i++)
		if (prog_id(dp->prog[i]) == id)
			name = nve_ebpf_prog_name(i);
	snprintf(to, 64, "{\"prog_id\":%u,\"name\":\"%.15s\"}", id, name);
}

/* --- programs --------------------------------------------------------------------------------- */

static void report(struct nve_ebpf_check *c, enum nve_dp_diff_kind kind, uint32_t ifindex,
		   const char *hook, uint32_t want, uint32_t have, bool mended)
{
	char key[64], texts[2][64] = { "", "" };

	snprintf(key, sizeof(key), "{\"ifindex\":%u,\"hook\":\"%s\"}", ifindex, hook);
	if (want)
		say_prog(c->dp, texts[0], want);
	if (have)
		say_prog(c->dp, texts[1], have);
	nve_ebpf_check_text(c, &(struct nve_dp_diff){
				       .kind = kind,
				       .mended = mended,
				       .table = "program",
				       .key = key,
				       .want = texts[0],
				       .have = texts[1],
			       });
}

/* The program that the link holds at the interface; 0: none, it was detached. */
static uint32_t attached(int fd, uint32_t ifindex)
{
	struct bpf_link_info info = { 0 };
	uint32_t len = sizeof(info);

	/* tcx is not in older headers: as in xdp, its interface comes first. */
	if (fd < 0 || bpf_obj_get_info_by_fd(fd, &info, &len) < 0 || info.xdp.ifindex != ifindex)
		return 0;
	return info.prog_id;
}

static bool mend_link(struct nve_ebpf_check *c, const char *kind, int *fd, int prog,
		      uint32_t ifindex, bool there)
{
	if (there)
		return bpf_link_update(*fd, prog, NULL) == 0;
	nve_ebpf_link_end(c->dp, kind, ifindex, fd);
	*fd = nve_ebpf_link_make(c->dp, kind, prog, ifindex,
				 strcmp(kind, "xdp") ? NVE_ATTACH_TCX_INGRESS : BPF_XDP);
	return *fd >= 0;
}

static void check_link(struct nve_ebpf_check *c, const char *kind, int *fd, enum nve_ebpf_prog prog,
		       uint32_t ifindex)
{
	int prog_fd = c->dp->prog[prog];
	uint32_t want = prog_id(prog_fd), have = attached(*fd, ifindex);

	if (have == want)
		return;
	report(c, have ? NVE_DP_DIFFERS : NVE_DP_MISSING, ifindex, kind, want, have,
	       c->pass->repair && mend_link(c, kind, fd, prog_fd, ifindex, have));
}

static void check_clsact(struct nve_ebpf_check *c, uint16_t slot, enum nve_ebpf_prog prog)
{
	uint32_t ifindex = c->dp->ports[slot].ifindex, want = prog_id(c->dp->prog[prog]);
	uint32_t have = nve_ebpf_clsact_prog(c->dp, slot);

	if (have == want)
		return;
	report(c, have ? NVE_DP_DIFFERS : NVE_DP_MISSING, ifindex, "clsact", want, have,
	       c->pass->repair && nve_ebpf_clsact_make(c->dp, slot, c->dp->prog[prog]) == 0);
}

/* XDP comes before TC: whatever is there takes our frames, in either mode. */
static void check_foreign_xdp(struct nve_ebpf_check *c, uint32_t ifindex, uint32_t ours)
{
	LIBBPF_OPTS(bpf_xdp_query_opts, opts);
	uint32_t id;

	if (bpf_xdp_query(ifindex, 0, &opts) < 0)
		return;
	id = opts.drv_prog_id  ? opts.drv_prog_id
	     : opts.hw_prog_id ? opts.hw_prog_id
			       : opts.skb_prog_id;
	if (id && id != ours)
		report(c, NVE_DP_FOREIGN, ifindex, "xdp", 0, id, false);
}

/* Those at the hook before ours; without ours, it is last. */
static void check_foreign_tcx(struct nve_ebpf_check *c, uint32_t ifindex, uint32_t ours)
{
	uint32_t ids[TCX_MAX] = { 0 };
	LIBBPF_OPTS(bpf_prog_query_opts, opts, .prog_ids = ids, .prog_cnt = TCX_MAX);

	if (bpf_prog_query_opts(ifindex, (enum bpf_attach_type)NVE_ATTACH_TCX_INGRESS, &opts) < 0)
		return;
	for (uint32_t i = 0; i < opts.prog_cnt && i < TCX_MAX && ids[i] != ours; i++)
		report(c, NVE_DP_FOREIGN, ifindex, "tcx", 0, ids[i], false);
}

static void check_port(struct nve_ebpf_check *c, uint16_t slot)
{
	struct nve_ebpf_port *p = &c->dp->ports[slot];
	bool access = c->dp->shadow.ports[slot].role == NVE_DP_ACCESS;
	enum nve_ebpf_prog xdp = access ? NVE_PROG_XDP_ACCESS : NVE_PROG_XDP_UNDERLAY;
	enum nve_ebpf_prog tc = access ? NVE_PROG_TC_ACCESS : NVE_PROG_TC_UNDERLAY;

	nve_ebpf_check_count(c, ROWS_A_PORT);
	check_foreign_xdp(c, p->ifindex,
			  p->mode == NVE_DP_XDP ? attached(p->xdp_link, p->ifindex) : 0);
	if (p->mode == NVE_DP_XDP)
		check_link(c, "xdp", &p->xdp_link, xdp, p->ifindex);
	if (p->clsact) {
		check_clsact(c, slot, tc);
		return;
	}
	check_link(c, "tc", &p->tc_link, tc, p->ifindex);
	check_foreign_tcx(c, p->ifindex, attached(p->tc_link, p->ifindex));
}

int nve_ebpf_check_ports(struct nve_ebpf_check *c)
{
	for (; c->pass->at < NVE_PORTS_MAX; c->pass->at++) {
		uint16_t slot = c->pass->at;

		if (!c->dp->shadow.port_is_set[slot] || !c->dp->ports[slot].ifindex)
			continue;
		if (c->left <= 0)
			return 0;
		check_port(c, slot);
	}
	return 1;
}

/* --- the copier's loop ------------------------------------------------------------------------ */

static void report_loop(struct nve_ebpf_check *c, const char *table, uint32_t want, uint32_t have,
			uint32_t at, bool mended)
{
	char key[32], texts[2][48] = { "", "" };

	snprintf(key, sizeof(key), "{\"port\":%u}", at);
	if (want)
		snprintf(texts[0], sizeof(texts[0]), "{\"ifindex\":%u}", want);
	if (have)
		snprintf(texts[1], sizeof(texts[1]), "{\"ifindex\":%u}", have);
	nve_ebpf_check_text(c, &(struct nve_dp_diff){
				       .kind = !want   ? NVE_DP_FOREIGN
					       : !have ? NVE_DP_MISSING
						       : NVE_DP_DIFFERS,
				       .mended = mended,
				       .table = table,
				       .key = at == NVE_SLOT_NONE ? "{}" : key,
				       .want = texts[0],
				       .have = texts[1],
			       });
}

static void check_loop(struct nve_ebpf_check *c)
{
	uint32_t zero = 0, have = 0, want = c->dp->copier.on ? c->dp->copier.a : 0;
	int map = c->dp->copier.map[NVE_COPIER_LOOP];
	bool mended;

	if (bpf_map_lookup_elem(map, &zero, &have) < 0 || have == want)
		return;
	mended = c->pass->repair && bpf_map_update_elem(map, &zero, &want, BPF_ANY) == 0;
	report_loop(c, "copier", want, have, NVE_SLOT_NONE, mended);
}

/* Where copies from that port leave, by its own map; 0: it has none, or one that is not right. */
static uint32_t copies_leave(struct nve_ebpf_check *c, uint32_t slot, bool *there)
{
	uint32_t id = 0, port = NVE_COPY_PORT, loop = NVE_COPY_LOOP, at[2] = { 0, 0 };
	struct bpf_map_info info = { 0 };
	uint32_t len = sizeof(info);
	int fd = c->dp->copier.of_port[slot];

	*there = bpf_map_lookup_elem(c->dp->copier.map[NVE_COPIER_PORTS], &slot, &id) == 0 && id;
	if (!*there || !fd || bpf_obj_get_info_by_fd(fd, &info, &len) < 0 || info.id != id)
		return 0;
	bpf_map_lookup_elem(fd, &port, &at[0]);
	bpf_map_lookup_elem(fd, &loop, &at[1]);
	return at[1] == c->dp->copier.a ? at[0] : 0;
}

static void check_copies(struct nve_ebpf_check *c, uint16_t slot)
{
	const struct nve_ebpf_port *p = &c->dp->ports[slot];
	bool wanted = c->dp->copier.a && c->dp->shadow.port_is_set[slot] && p->ifindex &&
		      p->mode == NVE_DP_XDP;
	bool there, mended = false;
	uint32_t have = copies_leave(c, slot, &there);

	if (wanted ? have == p->ifindex : !there)
		return;
	if (c->pass->repair && wanted)
		mended = nve_ebpf_copier_add(c->dp, slot) == 0;
	else if (c->pass->repair)
		nve_ebpf_copier_del(c->dp, slot);
	report_loop(c, "copies", wanted ? p->ifindex : 0, have, slot,
		    wanted ? mended : c->pass->repair);
}

int nve_ebpf_check_copier(struct nve_ebpf_check *c)
{
	for (; c->pass->at < NVE_PORTS_MAX; c->pass->at++) {
		if (c->left <= 0)
			return 0;
		nve_ebpf_check_count(c, 1);
		check_copies(c, c->pass->at);
	}
	check_loop(c);
	if (c->dp->copier.a)
		check_link(c, "xdp", &c->dp->copier.link, NVE_PROG_XDP_COPY, c->dp->copier.b);
	return 1;
}
