/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What would become of a frame: the datapath's programs, compiled as a dry run (bpf/trace.h) and
 * loaded over the live maps, are run on it by bpf_prog_test_run.  Loaded with the first question
 * and kept.  The trace they leave says which keys they looked for; rows are read afterwards, which
 * is the same, as no other thread writes them (but for a TSI's 'seen').
 */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <linux/bpf.h>
#include <stdio.h>
#include <string.h>

#include "dp/ebpf_net.h"
#include "dp/ebpf_stats.h"
#include "dp/ebpf_why.h"
#include "nve.skel.h"
#include "nve_why.skel.h"

enum {
	RUN_MAX = 3072, /* what test runs take for sure: a page, less headroom and tailroom */
	RUN_MIN = 54,   /* a test run in TC refuses frames that end inside the IP header */
	RUN_OUT = RUN_MAX + NVE_OUTER_MAX + 64,
	ROW_MAX = 4096,
	TC_OK = 0, /* of linux/pkt_cls.h */
	TC_REDIRECT = 7,
};
_Static_assert((int)RUN_OUT <= (int)NVE_DP_OUT_MAX, "what comes out has room");
_Static_assert(sizeof(struct nve_flood) <= ROW_MAX, "the longest row has room");

static const char *const tables[NVE_TRACED_COUNT] = {
#define TABLE(name) [NVE_TRACED_##name] = #name,
	NVE_TRACED(TABLE)
#undef TABLE
};

struct nve_ebpf_dry {
	struct nve_why *skel;
	struct nve_ebpf_dump *dumps[NVE_TRACED_COUNT]; /* opened when needed */
	struct nve_trace trace;
	_Alignas(8) uint8_t row[ROW_MAX];
};

/* --- loading -----------------------------------------------------------------------------------
 */

void nve_ebpf_why_close(struct nve_dp *dp)
{
	if (!dp->dry)
		return;
	for (int i = 0; i < NVE_TRACED_COUNT; i++)
		nve_ebpf_dump_close(dp->dry->dumps[i]);
	if (dp->dry->skel)
		nve_why__destroy(dp->dry->skel);
	free(dp->dry);
	dp->dry = NULL;
}

/* The constants of the live programs, and their maps. */
static int share(struct nve_dp *dp, struct nve_why *skel)
{
	struct nve *live = dp->object;
	struct bpf_map *map;

	_Static_assert(sizeof(*skel->rodata) == sizeof(*live->rodata), "the same constants");
	memcpy(skel->rodata, live->rodata, sizeof(*skel->rodata));
	bpf_object__for_each_map(map, skel->obj)
	{
		const char *name = bpf_map__name(map);
		struct bpf_map *mine = bpf_object__find_map_by_name(live->obj, name);
		int r;

		if (!mine || bpf_map__is_internal(map))
			continue;
		r = bpf_map__reuse_fd(map, bpf_map__fd(mine));
		if (r < 0)
			return r;
	}
	return 0;
}

static int load(struct nve_dp *dp)
{
	int r;

	if (dp->dry)
		return 0;
	dp->dry = calloc(1, sizeof(*dp->dry));
	if (!dp->dry)
		return -ENOMEM;
	dp->dry->skel = nve_why__open();
	r = dp->dry->skel ? share(dp, dp->dry->skel) : -errno;
	if (r == 0)
		r = nve_why__load(dp->dry->skel);
	if (r < 0)
		nve_ebpf_why_close(dp);
	return r;
}

/* --- running -----------------------------------------------------------------------------------
 */

struct run {
	struct nve_dp *dp;
	uint32_t ifindex;
	const uint8_t *frame;
	uint32_t len;  /* of what the run is given */
	uint32_t more; /* how much longer the frame is */
	uint32_t retval;
};

static bool is_xdp(enum nve_ebpf_prog prog)
{
	return prog == NVE_PROG_XDP_ACCESS || prog == NVE_PROG_XDP_UNDERLAY;
}

/* Runs a program on the frame as it came; its trace is then in dp->dry. */
static int run(struct run *x, enum nve_ebpf_prog prog, struct nve_dp_why *ret)
{
	struct xdp_md xdp = { .data_end = x->len, .ingress_ifindex = x->ifindex };
	struct __sk_buff skb = { .ifindex = x->ifindex, .ingress_ifindex = x->ifindex };
	struct nve_ebpf_dry *dry = x->dp->dry;
	const char *name = nve_ebpf_prog_name(prog);
	int fd = bpf_program__fd(bpf_object__find_program_by_name(dry->skel->obj, name));
	int trace = bpf_map__fd(dry->skel->maps.nve_trace);
	uint32_t zero = 0;
	LIBBPF_OPTS(bpf_test_run_opts, opts, .data_in = x->frame, .data_size_in = x->len,
		    .data_out = ret->out, .data_size_out = RUN_OUT, .repeat = 1);
	int r;

	opts.ctx_in = is_xdp(prog) ? (void *)&xdp : (void *)&skb;
	opts.ctx_size_in = is_xdp(prog) ? sizeof(xdp) : sizeof(skb);
	memset(&dry->trace, 0, sizeof(dry->trace));
	dry->trace.more = x->more;
	r = bpf_map_update_elem(trace, &zero, &dry->trace, BPF_ANY);
	if (r == 0)
		r = bpf_prog_test_run_opts(fd, &opts);
	if (r == 0)
		r = bpf_map_lookup_elem(trace, &zero, &dry->trace);
	ret->programs[ret->n_programs++] = name;
	ret->n_out = opts.data_size_out;
	x->retval = opts.retval;
	return r;
}

/*
 * As on the way in: XDP first, where the port has it; what that leaves alone meets TC.  The dry run
 * leaves copies to TC in any case: they are the same ones.
 */
static int run_port(struct run *x, uint16_t port, struct nve_dp_why *ret)
{
	bool access = x->dp->shadow.ports[port].role == NVE_DP_ACCESS;
	int r;

	if (x->dp->ports[port].mode == NVE_DP_XDP) {
		r = run(x, access ? NVE_PROG_XDP_ACCESS : NVE_PROG_XDP_UNDERLAY, ret);
		ret->verdict = x->retval == XDP_REDIRECT ? NVE_DP_FORWARDED : NVE_DP_DROPPED;
		if (r < 0 || x->retval != XDP_PASS)
			return r;
	}
	r = run(x, access ? NVE_PROG_TC_ACCESS : NVE_PROG_TC_UNDERLAY, ret);
	ret->verdict = x->retval == TC_REDIRECT ? NVE_DP_FORWARDED
		       : x->retval == TC_OK     ? NVE_DP_TO_HOST
		       : x->dp->dry->trace.why  ? NVE_DP_DROPPED
						: NVE_DP_FLOODED;
	return r;
}

/* --- telling -----------------------------------------------------------------------------------
 */

struct teller {
	const struct nve_trace_step *step;
	nve_dp_step_fn *fn;
	void *arg;
};

static void tell_row(void *arg, const char *key, const char *value)
{
	const struct teller *t = arg;
	const char *text;
	struct nve_dp_step step = {
		.table = tables[t->step->table],
		.key = key,
		.value = value,
		.copy = t->step->copy == NVE_TRACE_COPY        ? NVE_DP_COPY_SENT
			: t->step->copy == NVE_TRACE_COPY_LOST ? NVE_DP_COPY_LOST
							       : NVE_DP_COPY_NONE,
		.reason = nve_ebpf_reason(t->step->why, &text),
	};

	t->fn(t->arg, &step);
}

static uint16_t port_of(const struct nve_dp *dp, uint32_t ifindex)
{
	for (uint16_t i = 0; i < NVE_PORTS_MAX; i++)
		if (dp->shadow.port_is_set[i] && dp->ports[i].ifindex == ifindex)
			return i;
	return NVE_PORT_NONE;
}

static void take_ip(struct nve_ip *ip, const uint8_t from[16])
{
	const uint8_t mapped[12] = { [10] = 0xff, [11] = 0xff };

	if (!memcmp(from, mapped, sizeof(mapped))) {
		ip->family = 4;
		memcpy(ip->bytes, from + 12, 4);
	} else {
		ip->family = 6;
		memcpy(ip->bytes, from, 16);
	}
}

/* The destination of a forwarded frame is the last TSI or VTEP that was looked for. */
static void take_destination(struct nve_dp *dp, uint8_t table, const void *row,
			     struct nve_dp_why *ret)
{
	const struct nve_vtep *vtep = row;
	const struct nve_tsi_row *tsi = row;
	struct nve_ebpf_link link = { 0 };
	const struct nve_near_entry *near = row;
	uint32_t ifindex = table == NVE_TRACED_vtep   ? vtep->ifindex
			   : table == NVE_TRACED_near ? near->ifindex
						      : tsi->ifindex;

	if (table == NVE_TRACED_near && near->kind != NVE_NEAR_TSI)
		return;
	ret->vtep = (struct nve_ip){ 0 };
	if (table == NVE_TRACED_vtep)
		take_ip(&ret->vtep, vtep->ip);
	nve_ebpf_link_get(dp, ifindex, NULL, &link);
	memcpy(ret->out_ifname, link.name, sizeof(ret->out_ifname));
	ret->out_port = port_of(dp, ifindex);
}

static int tell(struct nve_dp *dp, struct nve_dp_why *ret, nve_dp_step_fn *fn, void *arg)
{
	struct nve_ebpf_dry *dry = dp->dry;
	uint32_t n = dry->trace.n < NVE_TRACE_MAX ? dry->trace.n : NVE_TRACE_MAX;
	struct teller t = { .fn = fn, .arg = arg };

	for (uint32_t i = 0; i < n; i++) {
		const struct nve_trace_step *step = &dry->trace.steps[i];
		int r = 0;

		if (step->table >= NVE_TRACED_COUNT)
			return -EPROTO;
		if (!dry->dumps[step->table])
			r = nve_ebpf_dump_open(dp, tables[step->table], &dry->dumps[step->table]);
		if (r < 0)
			return r;
		t.step = step;
		r = nve_ebpf_dump_one(dp, dry->dumps[step->table], step->key, dry->row, tell_row,
				      &t);
		if (r && ret->verdict == NVE_DP_FORWARDED &&
		    (step->table == NVE_TRACED_vtep || step->table == NVE_TRACED_tsi ||
		     step->table == NVE_TRACED_near))
			take_destination(dp, step->table, dry->row, ret);
	}
	return 0;
}

/* An answer goes back to where the frame came in. */
static void take_answer(const struct run *x, uint16_t port, struct nve_dp_why *ret)
{
	struct nve_ebpf_link link = { 0 };

	if (ret->verdict != NVE_DP_FORWARDED || !x->dp->dry->trace.answered)
		return;
	ret->verdict = NVE_DP_ANSWERED;
	nve_ebpf_link_get(x->dp, x->ifindex, NULL, &link);
	memcpy(ret->out_ifname, link.name, sizeof(ret->out_ifname));
	ret->out_port = port;
}

/* A test run shows a frame without the tag that TC keeps beside it. */
static void take_frame(const struct nve_trace *trace, uint32_t more, struct nve_dp_why *ret)
{
	enum { AT = 2 * NVE_ETH_ALEN, TAG = 4 };
	const uint8_t tag[TAG] = { 0x81, 0x00, trace->tci >> 8, trace->tci & 0xff };

	if (ret->verdict != NVE_DP_FORWARDED && ret->verdict != NVE_DP_ANSWERED) {
		ret->n_out = 0;
		return;
	}
	if (trace->tagged && ret->n_out >= AT) {
		memmove(ret->out + AT + TAG, ret->out + AT, ret->n_out - AT);
		memcpy(ret->out + AT, tag, TAG);
		ret->n_out += TAG;
	}
	ret->out_len = ret->n_out + more;
}

int nve_ebpf_why(struct nve_dp *dp, uint16_t port, const uint8_t *frame, size_t len,
		 struct nve_dp_why *ret, nve_dp_step_fn *fn, void *arg)
{
	uint8_t padded[RUN_MIN] = { 0 };
	struct run x = { .dp = dp, .frame = frame, .len = len };
	bool tagged;
	int r;

	memset(ret, 0, sizeof(*ret));
	ret->out_port = NVE_PORT_NONE;
	ret->reason = ret->text = "";
	if (len < NVE_DP_FRAME_MIN || len > NVE_DP_FRAME_MAX)
		return -EINVAL;
	if (port >= NVE_PORTS_MAX || !dp->shadow.port_is_set[port] || !dp->ports[port].ifindex)
		return -ENODEV;
	r = load(dp);
	if (r < 0)
		return r;
	x.ifindex = dp->ports[port].ifindex;
	if (len > RUN_MAX) {
		x.len = RUN_MAX;
		x.more = len - RUN_MAX;
	}
	/* Without a tag so short a frame is refused or the host's, whatever follows. */
	tagged = frame[12] == 0x81 && frame[13] == 0x00;
	if (len < RUN_MIN && !tagged) {
		x.frame = memcpy(padded, frame, len);
		x.len = RUN_MIN;
	}
	r = run_port(&x, port, ret);
	if (r < 0)
		return r;
	take_answer(&x, port, ret);
	if (ret->verdict == NVE_DP_DROPPED)
		ret->reason = nve_ebpf_reason(dp->dry->trace.why, &ret->text);
	take_frame(&dp->dry->trace, x.more, ret);
	return tell(dp, ret, fn, arg);
}
