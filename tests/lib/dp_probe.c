/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the programs make of a frame.  To whom it goes is read from the counters of TSIs, from the
 * tunnel header of what comes out, and, for copies, from the counters of the interfaces.
 */
#include "lib/dp_probe.h"

#include <arpa/inet.h>
#include <bpf/bpf.h>
#include <linux/bpf.h>
#include <net/if.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "dp/ebpf.h"

enum { TC_SHOT = 2, TC_REDIRECT = 7, TCX_INGRESS = 46 };

static const char *const ifnames[] = { [A0] = "a0", [A1] = "a1", [U0] = "u0" };

_Thread_local uint32_t dp_probe_ns;

int dp_probe_run(struct dpw *w, uint8_t role, uint8_t mode, uint32_t ifindex,
		 const struct frame *in, struct frame *out)
{
	struct __sk_buff skb = { .ifindex = ifindex };
	struct xdp_md xdp = { .data_end = in->len, .ingress_ifindex = ifindex };
	bool access = role == NVE_DP_ACCESS;
	struct frame scratch;
	DECLARE_LIBBPF_OPTS(bpf_test_run_opts, opts, .data_in = in->bytes, .data_size_in = in->len,
			    .data_out = (out ?: &scratch)->bytes, .data_size_out = FRAME_MAX);
	int prog;

	if (mode == NVE_DP_XDP) {
		prog = w->dp->prog[access ? NVE_PROG_XDP_ACCESS : NVE_PROG_XDP_UNDERLAY];
		opts.ctx_in = &xdp;
		opts.ctx_size_in = sizeof(xdp);
	} else {
		prog = w->dp->prog[access ? NVE_PROG_TC_ACCESS : NVE_PROG_TC_UNDERLAY];
		opts.ctx_in = &skb;
		opts.ctx_size_in = sizeof(skb);
	}
	if (bpf_prog_test_run_opts(prog, &opts) < 0)
		return -1;
	dp_probe_ns = opts.duration;
	if (out)
		out->len = opts.data_size_out;
	return opts.retval;
}

/* Frames sent by our ends of the veths. */
static uint64_t frames_sent(void)
{
	char line[512], name[32];
	uint64_t sum = 0, sent;
	FILE *f = fopen("/proc/thread-self/net/dev", "re");

	assert_non_null(f);
	while (fgets(line, sizeof(line), f)) {
		if (sscanf(line, " %31[^:]: %*u %*u %*u %*u %*u %*u %*u %*u %*u %lu", name,
			   &sent) != 2)
			continue;
		for (int i = A0; i <= U0; i++)
			sum += strcmp(name, ifnames[i]) ? 0 : sent;
	}
	fclose(f);
	return sum;
}

static uint32_t slots(const struct dpw *w)
{
	return w->dp->shadow.limits.max_tsis;
}

struct counts {
	uint64_t in[64], out[64]; /* by TSI slot */
	uint64_t sent;
};

static void count(struct dpw *w, struct counts *c)
{
	struct nve_dp_tsi_stats s;

	assert_true(slots(w) <= 64);
	for (uint32_t i = 0; i < slots(w); i++) {
		memset(&s, 0, sizeof(s));
		w->ops->tsi_stats(w->dp, i, &s);
		c->in[i] = s.in.frames;
		c->out[i] = s.out.frames;
	}
	c->sent = frames_sent();
}

static struct nve_dp_dest vtep_of(struct dpw *w, const struct frame *out)
{
	struct nve_dp_dest dest = { .kind = NVE_DP_DEST_NONE };

	for (uint32_t i = 0; i < w->dp->shadow.limits.max_vteps; i++)
		if (w->dp->shadow.vteps[i].now.family == 4 &&
		    !memcmp(out->bytes + 30, w->dp->shadow.vteps[i].now.bytes, 4))
			dest = VTEP(i);
	return dest;
}

/* Frames on the loop that makes copies in XDP. */
uint64_t dp_probe_on_loop(const struct dpw *w)
{
	struct nve_copying on;
	uint64_t sum = 0;

	for (uint32_t cpu = 0; cpu < w->dp->n_cpus && cpu < NVE_COPY_CPUS; cpu++) {
		assert_int_equal(bpf_map_lookup_elem(w->dp->copier.map[NVE_COPIER_ROOM], &cpu, &on),
				 0);
		sum += on.n;
	}
	return sum;
}

/* A test run puts nothing on the loop for real: turns it by hand, until the frame is off it. */
uint32_t dp_probe_turn_loop(struct dpw *w, uint64_t before, struct frame *f)
{
	uint32_t copies = 0;

	while (dp_probe_on_loop(w) != before) {
		struct xdp_md xdp = { .data = sizeof(struct nve_copy),
				      .data_end = f->len,
				      .ingress_ifindex = w->dp->copier.b };
		struct frame in = *f;
		DECLARE_LIBBPF_OPTS(bpf_test_run_opts, opts, .data_in = in.bytes,
				    .data_size_in = in.len, .data_out = f->bytes,
				    .data_size_out = FRAME_MAX, .ctx_in = &xdp,
				    .ctx_size_in = sizeof(xdp));

		assert_int_equal(bpf_prog_test_run_opts(w->dp->prog[NVE_PROG_XDP_COPY], &opts), 0);
		f->len = opts.data_size_out;
		copies += opts.retval == XDP_REDIRECT;
		assert_in_range(copies, 0, NVE_FLOOD_MAX);
	}
	return copies;
}

static struct nve_fake_verdict probe(struct dpw *w, uint8_t role, uint16_t port,
				     const struct frame *in)
{
	uint32_t ifindex = if_nametoindex(ifnames[port]);
	struct nve_fake_verdict v = { .tsi = NVE_SLOT_NONE };
	struct counts before, after;
	struct frame out;
	bool redirected = false;
	uint64_t looping = w->mode == NVE_DP_XDP ? dp_probe_on_loop(w) : 0;
	int r = XDP_PASS;

	count(w, &before);
	if (w->mode == NVE_DP_XDP) {
		r = dp_probe_run(w, role, NVE_DP_XDP, ifindex, in, &out);
		redirected = r == XDP_REDIRECT || r == XDP_TX;
		if (redirected && dp_probe_on_loop(w) != looping) {
			v.copies = dp_probe_turn_loop(w, looping, &out);
			redirected = false;
		}
	}
	if (r == XDP_PASS) { /* the stack gives it to TC */
		r = dp_probe_run(w, role, NVE_DP_TC, ifindex, in, &out);
		redirected = r == TC_REDIRECT;
		assert_in_set(r, ((const uintmax_t[]){ TC_SHOT, TC_REDIRECT }), 2);
	}
	count(w, &after);
	v.copies += after.sent - before.sent;
	for (uint32_t i = 0; i < slots(w); i++) {
		if (after.in[i] != before.in[i])
			v.tsi = i;
		if (after.out[i] != before.out[i])
			v.dest = TSI(i);
	}
	v.pass = redirected || v.copies;
	if (redirected && v.dest.kind == NVE_DP_DEST_NONE)
		v.dest = vtep_of(w, &out);
	return v;
}

static void print_mac(char text[18], const uint8_t m[NVE_MAC_LEN])
{
	snprintf(text, 18, "%02x:%02x:%02x:%02x:%02x:%02x", m[0], m[1], m[2], m[3], m[4], m[5]);
}

struct frame dp_probe_frame(const struct nve_fake_frame *f)
{
	char src[18], dst[18], ip[INET6_ADDRSTRLEN];
	struct frame inner;

	print_mac(src, f->src);
	print_mac(dst, f->dst);
	if (f->ip.family)
		inet_ntop(f->ip.family == 4 ? AF_INET : AF_INET6, f->ip.bytes, ip, sizeof(ip));
	if (f->ip.family == 4)
		inner = FRAME(eth(.dst = dst, .src = src), ipv4(.src = ip, .dst = "10.9.9.9"),
			      udp(.sport = 1000, .dport = 2000), text("hello"));
	else if (f->ip.family == 6)
		inner = FRAME(eth(.dst = dst, .src = src), ipv6(.src = ip, .dst = "fd09::9"),
			      udp(.sport = 1000, .dport = 2000), text("hello"));
	else
		inner = FRAME(eth(.dst = dst, .src = src, .type = 0x88b5), bytes(46));
	return frame_tag(&inner, 0, f->tag);
}

static struct frame question(const struct nve_fake_frame *f, const struct nve_ip *ip)
{
	char src[18], from[INET6_ADDRSTRLEN], to[INET6_ADDRSTRLEN], node[32], group[18];
	const uint8_t *b = ip->bytes;
	struct frame inner;

	print_mac(src, f->src);
	inet_ntop(ip->family == 4 ? AF_INET : AF_INET6, f->ip.bytes, from, sizeof(from));
	inet_ntop(ip->family == 4 ? AF_INET : AF_INET6, b, to, sizeof(to));
	snprintf(node, sizeof(node), "ff02::1:ff%02x:%02x%02x", b[13], b[14], b[15]);
	snprintf(group, sizeof(group), "33:33:ff:%02x:%02x:%02x", b[13], b[14], b[15]);
	if (ip->family == 4)
		inner = FRAME(eth(.dst = "ff:ff:ff:ff:ff:ff", .src = src),
			      arp(.sender_mac = src, .sender_ip = from, .target_ip = to),
			      bytes(18));
	else
		inner = FRAME(eth(.dst = group, .src = src), ipv6(.src = from, .dst = node),
			      nd(.type = 135, .target = to, .opt = 1, .opt_mac = src));
	return frame_tag(&inner, 0, f->tag);
}

bool dp_probe_answer(struct dpw *w, const struct nve_fake_frame *f, const struct nve_ip *ip,
		     uint8_t mac[NVE_MAC_LEN])
{
	struct frame in = question(f, ip), out = { 0 };
	uint32_t ifindex = if_nametoindex(ifnames[f->port]);
	int r = dp_probe_run(w, NVE_DP_ACCESS, w->mode, ifindex, &in, &out);

	if (r != (w->mode == NVE_DP_XDP ? XDP_REDIRECT : TC_REDIRECT))
		return false;
	assert_memory_equal(out.bytes, f->src, NVE_MAC_LEN);
	memcpy(mac, out.bytes + NVE_MAC_LEN, NVE_MAC_LEN);
	return true;
}

struct nve_fake_verdict dp_probe_port(struct dpw *w, const struct nve_fake_frame *f)
{
	struct frame in = dp_probe_frame(f);

	return probe(w, NVE_DP_ACCESS, f->port, &in);
}

struct nve_fake_verdict dp_probe_vtep(struct dpw *w, const char *vtep, uint32_t vni,
				      const char *dst)
{
	struct frame in = FRAME(eth(.dst = "02:aa:00:00:00:01", .src = "02:aa:00:00:00:02"),
				ipv4(.src = vtep, .dst = "192.0.2.1"),
				udp(.sport = 50000, .dport = 4789, .no_check = true),
				vxlan(.vni = vni), eth(.dst = dst, .src = "02:00:00:00:00:99"),
				ipv4(.src = "10.9.9.9", .dst = "10.0.0.1"),
				udp(.sport = 1000, .dport = 2000), text("hello"));

	return probe(w, NVE_DP_UNDERLAY, U0, &in);
}

uint32_t dp_probe_attached(const char *ifname)
{
	uint32_t flags, ids[8], n = 8;

	if (bpf_prog_query(if_nametoindex(ifname), (enum bpf_attach_type)TCX_INGRESS, 0, &flags,
			   ids, &n) < 0)
		return UINT32_MAX;
	return n;
}
