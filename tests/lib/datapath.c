/* SPDX-License-Identifier: Apache-2.0 */
/* The BPF programs on a small world of their own, for tests.  See datapath.h. */
#include "lib/datapath.h"

#include <arpa/inet.h>
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

#include "nve.skel.h"

enum { N_PORTS = 2, N_CPU_MAX = 256 };

static void sh(const char *command)
{
	if (system(command))
		fail_msg("failed: %s", command);
}

static void make_links(void)
{
	assert_return_code(unshare(CLONE_NEWNET), errno);
	/* The kernel's own IPv6 chatter would be in the way of counting frames. */
	sh("echo 1 >/proc/sys/net/ipv6/conf/default/disable_ipv6");
	sh("ip link set lo up");
	sh("ip link add a0 index 10 type veth peer name a0x index 11");
	sh("ip link add a1 index 12 type veth peer name a1x index 13");
	sh("ip link add u0 index 14 address " MAC_NVE " type veth peer name u0x index 15");
	sh("for i in a0 a0x a1 a1x u0 u0x; do ip link set $i mtu 1600 up || exit 1; done");
}

static struct bpf_map *map_of(struct dp *dp, const char *name)
{
	char full[32];
	struct bpf_map *map;

	snprintf(full, sizeof(full), "nve_%s", name);
	map = bpf_object__find_map_by_name(dp->skel->obj, full);
	assert_non_null(map);
	return map;
}

void dp_set(struct dp *dp, const char *name, const void *key, const void *value)
{
	struct bpf_map *map = map_of(dp, name);

	assert_int_equal(bpf_map_update_elem(bpf_map__fd(map), key, value, BPF_ANY), 0);
}

void dp_get(struct dp *dp, const char *name, const void *key, void *value)
{
	assert_int_equal(bpf_map_lookup_elem(bpf_map__fd(map_of(dp, name)), key, value), 0);
}

void dp_del(struct dp *dp, const char *name, const void *key)
{
	int r = bpf_map_delete_elem(bpf_map__fd(map_of(dp, name)), key);

	assert_true(r == 0 || errno == ENOENT);
}

void *dp_map(struct dp *dp, const char *name)
{
	struct bpf_map *map = map_of(dp, name);
	static const char *const names[DP_MAPS] = { "tsi", "vap", "near", "near_vn", "tsi_stats" };
	int i = 0;
	void *p;

	while (strcmp(names[i], name))
		i++;
	if (dp->maps[i])
		return dp->maps[i];
	dp->sizes[i] = bpf_map__max_entries(map) * bpf_map__value_size(map);
	p = mmap(NULL, dp->sizes[i], PROT_READ | PROT_WRITE, MAP_SHARED, bpf_map__fd(map), 0);
	assert_ptr_not_equal(p, MAP_FAILED);
	return dp->maps[i] = p;
}

static uint64_t sum_of(struct dp *dp, const char *name, const void *key)
{
	uint64_t values[N_CPU_MAX], sum = 0;
	int n = libbpf_num_possible_cpus();

	assert_in_range(n, 1, N_CPU_MAX);
	if (bpf_map_lookup_elem(bpf_map__fd(map_of(dp, name)), key, values))
		return 0;
	for (int i = 0; i < n; i++)
		sum += values[i];
	return sum;
}

uint64_t dp_drops(struct dp *dp, enum nve_drop why)
{
	return sum_of(dp, "drops", &(uint32_t){ why });
}

uint64_t dp_tsi_drops(struct dp *dp, uint32_t tsi, enum nve_drop why)
{
	return sum_of(dp, "tsi_drops", &(struct nve_tsi_drop_key){ tsi, why });
}

void dp_mac(uint8_t mac[6], const char *text)
{
	struct frame f = FRAME(eth(.dst = text));

	memcpy(mac, f.bytes, 6);
}

static void put_ip(uint8_t ip[16], const char *text)
{
	char mapped[64];

	snprintf(mapped, sizeof(mapped), "%s%s", strchr(text, ':') ? "" : "::ffff:", text);
	assert_int_equal(inet_pton(AF_INET6, mapped, ip), 1);
}

struct nve_src_key dp_src_key(uint32_t ifindex, uint16_t vid, const char *mac)
{
	struct nve_src_key key = { .ifindex = ifindex, .vid = vid };

	dp_mac(key.mac, mac);
	return key;
}

struct nve_fdb_key dp_fdb_key(uint32_t vn_id, const char *mac)
{
	struct nve_fdb_key key = { .vn_id = vn_id };

	dp_mac(key.mac, mac);
	return key;
}

struct nve_src_ip_key dp_src_ip_key(uint32_t owner, uint16_t vid, uint16_t mac, const char *ip)
{
	struct nve_src_ip_key key = { .owner = owner, .vid = vid, .mac = mac };

	put_ip(key.ip, ip);
	return key;
}

struct nve_vtep dp_vtep_from(const char *src, const char *dst, uint32_t ifindex)
{
	struct frame head = FRAME(eth(.dst = MAC_HOP, .src = MAC_NVE),
				  ipv4(.src = src, .dst = dst, .frag = 0x4000),
				  udp(.dport = 4789, .no_check = true), vxlan(.vni = 0));
	struct nve_vtep vtep = {
		.outer_len = 50,
		.family = 4,
		.flags = NVE_VTEP_RESOLVED | NVE_VTEP_XDP,
		.ifindex = ifindex,
		.mtu = 1600,
		.port = 2, /* u0's */
	};
	uint8_t *p = head.bytes + 14;
	uint32_t sum = 0;

	memset(p + 2, 0, 2); /* as the agent makes it: lengths 0, and the checksum of that */
	memset(p + 10, 0, 2);
	memset(p + 24, 0, 2);
	for (int i = 0; i < 20; i += 2)
		sum += p[i] << 8 | p[i + 1];
	sum = (sum & 0xffff) + (sum >> 16);
	sum = ~((sum & 0xffff) + (sum >> 16));
	p[10] = sum >> 8;
	p[11] = sum;
	memcpy(vtep.outer, head.bytes, head.len);
	put_ip(vtep.ip, dst);
	return vtep;
}

struct nve_vtep dp_vtep(const char *ip)
{
	return dp_vtep_from(IP_NVE, ip, IF_U0);
}

struct nve_peer_key dp_peer_key(uint32_t vni, const char *ip)
{
	struct nve_peer_key key = { .vni = vni };

	put_ip(key.ip, ip);
	return key;
}

struct frame dp_tunnel(const char *src, const char *dst, uint32_t vni, uint16_t sport,
		       const struct frame *inner)
{
	bool out = !strcmp(src, IP_NVE);

	return WRAP(inner, eth(.dst = out ? MAC_HOP : MAC_NVE, .src = out ? MAC_NVE : MAC_HOP),
		    ipv4(.src = src, .dst = dst, .frag = 0x4000),
		    udp(.sport = sport, .dport = 4789, .no_check = true), vxlan(.vni = vni));
}

/* --- the world ----------------------------------------------------------------------------- */

static void fill_tsi(struct dp *dp, uint32_t slot, uint32_t vn_id, uint16_t port, uint16_t vid,
		     const char *mac)
{
	struct nve_tsi_row row = {
		.live = NVE_TSI_LIVE,
		.vn_id = vn_id,
		.vni = vn_id == VN_7 ? VNI_7 : VNI_8,
		.ifindex = port ? IF_A1 : IF_A0,
		.vid = vid,
		.port = port,
		.port_flags = NVE_PORT_XDP,
	};
	struct nve_vap_row vap = {
		.vn_id = vn_id,
		.n_activated = 1,
		.ifindex = row.ifindex,
		.state = NVE_VAP_LIVE,
		.port_flags = NVE_PORT_XDP,
	};
	struct nve_src src = {
		.tsi = slot,
		.flags = NVE_SRC_FILTER_IP | NVE_SRC_IP4 | NVE_SRC_IP6,
		.mac = 1,
		.ip4 = htonl(0x0a000000 + slot),
		.ip6 = { 0xfd, [15] = slot },
	};
	struct nve_fdb fdb = { .first = { .slot = slot, .kind = NVE_DEST_TSI } };

	dp_set(dp, "tsi", &slot, &row);
	dp_set(dp, "vap", &(uint32_t){ port * NVE_VID_COUNT + vid }, &vap);
	dp_set(dp, "src", &(struct nve_src_key[]){ dp_src_key(row.ifindex, vid, mac) }, &src);
	dp_set(dp, "fdb", &(struct nve_fdb_key[]){ dp_fdb_key(vn_id, mac) }, &fdb);
}

static void empty(struct dp *dp, const char *name)
{
	int fd = bpf_map__fd(map_of(dp, name));
	uint8_t key[64];

	while (!bpf_map_get_next_key(fd, NULL, key))
		assert_int_equal(bpf_map_delete_elem(fd, key), 0);
}

static void zero(struct dp *dp, const char *name)
{
	struct bpf_map *map = map_of(dp, name);
	static uint8_t zeros[4096];

	for (uint32_t i = 0; i < bpf_map__max_entries(map); i++)
		dp_set(dp, name, &i, zeros);
}

static void fill_vn(struct dp *dp, uint32_t vn_id, uint32_t vni)
{
	struct nve_peer peer = { .vn_id = vn_id };
	struct nve_peer_key key = { .vni = vni };
	static const char *const ips[] = { IP_VTEP, "192.0.2.3", "192.0.2.4" };

	dp_set(dp, "peer", &key, &peer);
	for (uint32_t i = 0; i < 3; i++) {
		put_ip(key.ip, ips[i]);
		peer.vtep = i;
		dp_set(dp, "peer", &key, &peer);
		dp_set(dp, "vtep", &i, &(struct nve_vtep[]){ dp_vtep(ips[i]) });
	}
}

void dp_fill(struct dp *dp)
{
	static const char *const hashes[] = { "port",    "src",     "src_ip",   "fdb",
					      "peer",    "flood",   "neigh",    "bum",
					      "gleaner", "gleaned", "tsi_drops" };
	struct nve_fdb remote = { .first = { .slot = 0, .kind = NVE_DEST_VTEP } };
	struct nve_port port = { .role = NVE_PORT_ACCESS, .flags = NVE_PORT_XDP };

	for (size_t i = 0; i < sizeof(hashes) / sizeof(*hashes); i++)
		empty(dp, hashes[i]);
	zero(dp, "vap");
	zero(dp, "tsi");
	zero(dp, "vtep");
	zero(dp, "icmp_meter");
	zero(dp, "tsi_stats");
	dp_near_empty(dp);
	dp_set(dp, "port", &(uint32_t){ IF_A0 }, &port);
	port.slot = 1;
	dp_set(dp, "port", &(uint32_t){ IF_A1 }, &port);
	fill_vn(dp, VN_7, VNI_7);
	fill_vn(dp, VN_8, VNI_8);
	fill_tsi(dp, TSI_1, VN_7, 0, 10, MAC_1);
	fill_tsi(dp, TSI_2, VN_7, 1, 20, MAC_2);
	fill_tsi(dp, TSI_3, VN_8, 0, 11, MAC_3);
	fill_tsi(dp, TSI_4, VN_8, 1, 10, MAC_4);
	dp_set(dp, "fdb", &(struct nve_fdb_key[]){ dp_fdb_key(VN_7, MAC_R) }, &remote);
}

void dp_load(struct dp *dp, const char *local_vtep)
{
	struct nve *skel = nve__open();

	assert_non_null(skel);
	skel->rodata->nve_local_vtep = inet_addr(local_vtep);
	put_ip((uint8_t *)skel->rodata->nve_local_vtep6, IP_NVE6);
	skel->rodata->nve_n_ports = N_PORTS;
	bpf_map__set_max_entries(skel->maps.nve_vap, N_PORTS * NVE_VID_COUNT);
	bpf_map__set_max_entries(skel->maps.nve_tsi, DP_TSIS);
	bpf_map__set_max_entries(skel->maps.nve_tsi_stats,
				 (DP_LINES + DP_TSIS) * libbpf_num_possible_cpus());
	skel->rodata->nve_n_tsis = DP_TSIS;
	skel->rodata->nve_n_lines = DP_LINES;
	skel->rodata->nve_cpu_rows = DP_LINES + DP_TSIS;
	assert_int_equal(nve__load(skel), 0);
	*dp = (struct dp){ .skel = skel };
}

void dp_open(struct dp *dp)
{
	if (geteuid())
		fail_msg("BPF tests need root");
	make_links();
	dp_load(dp, IP_NVE);
	dp_fill(dp);
}

void dp_close(struct dp *dp)
{
	for (int i = 0; i < DP_MAPS; i++) {
		if (dp->maps[i])
			munmap(dp->maps[i], dp->sizes[i]);
		dp->maps[i] = NULL;
	}
	nve__destroy(dp->skel);
	dp->skel = NULL;
}

/* --- running ------------------------------------------------------------------------------- */

static int prog_of(struct dp *dp, enum dp_mode mode, enum dp_side side)
{
	if (mode == DP_XDP)
		return bpf_program__fd(side == DP_ACCESS ? dp->skel->progs.xdp_access
							 : dp->skel->progs.xdp_underlay);
	return bpf_program__fd(side == DP_ACCESS ? dp->skel->progs.tc_access
						 : dp->skel->progs.tc_underlay);
}

/* In one call: what a test makes thousands of frames for is else mostly this. */
static uint64_t all_drops(struct dp *dp, uint64_t drops[NVE_DROP_COUNT])
{
	static uint64_t values[NVE_DROP_COUNT * N_CPU_MAX];
	uint32_t keys[NVE_DROP_COUNT], at, n = NVE_DROP_COUNT, cpus = libbpf_num_possible_cpus();
	uint64_t sum = 0;

	bpf_map_lookup_batch(bpf_map__fd(map_of(dp, "drops")), NULL, &at, keys, values, &n, NULL);
	assert_int_equal(n, NVE_DROP_COUNT);
	memset(drops, 0, NVE_DROP_COUNT * sizeof(*drops));
	for (uint32_t i = 0; i < NVE_DROP_COUNT * cpus; i++) {
		drops[keys[i / cpus]] += values[i];
		sum += values[i];
	}
	return sum;
}

static enum nve_drop one_drop(const uint64_t before[], const uint64_t after[])
{
	for (uint32_t i = 0; i < NVE_DROP_COUNT; i++) {
		if (after[i] != before[i])
			return i;
	}
	return NVE_FORWARD;
}

static void outcome_of(struct dp_outcome *o, enum dp_mode mode, uint32_t retval, uint64_t lost)
{
	static const enum dp_fate xdp[] = { [1] = DP_LOST, [2] = DP_HOST, [4] = DP_SENT };
	static const enum dp_fate tc[] = { [0] = DP_HOST, [2] = DP_LOST, [7] = DP_SENT };

	if (mode == DP_XDP)
		assert_true(retval == 1 || retval == 2 || retval == 4);
	else
		assert_true(retval == 0 || retval == 2 || retval == 7);
	o->fate = mode == DP_XDP ? xdp[retval] : tc[retval];
	/* A frame ends uncounted only where its copies went on; only TC makes copies. */
	if (o->fate == DP_LOST && !lost && mode == DP_TC)
		o->fate = DP_FLOODED;
	if (o->fate == DP_SENT && lost)
		o->fate = DP_ANSWERED;
	assert_int_equal(lost, o->fate == DP_LOST || o->fate == DP_ANSWERED);
}

bool dp_runs(enum dp_mode mode, const struct frame *f)
{
	uint16_t type = f->len < 14 ? 0 : f->bytes[12] << 8 | f->bytes[13];
	size_t least = mode == DP_XDP ? 14 : type == 0x0800 ? 34 : type == 0x86dd ? 54 : 14;

	return f->len >= least;
}

struct dp_outcome dp_run(struct dp *dp, enum dp_mode mode, enum dp_side side, uint32_t ifindex,
			 const struct frame *in)
{
	struct xdp_md xdp = { .data_end = in->len, .ingress_ifindex = ifindex };
	struct __sk_buff skb = { .ifindex = ifindex,
				 .ingress_ifindex = ifindex,
				 .gso_size = dp->gso_size,
				 .gso_segs = dp->gso_size ? 2 : 0 };
	uint64_t before[NVE_DROP_COUNT], after[NVE_DROP_COUNT], n = all_drops(dp, before);
	struct dp_outcome o = { 0 };
	LIBBPF_OPTS(bpf_test_run_opts, opts, .data_in = in->bytes, .data_size_in = in->len,
		    .data_out = o.out.bytes, .data_size_out = sizeof(o.out.bytes), .repeat = 1);

	opts.ctx_in = mode == DP_XDP ? (void *)&xdp : &skb;
	opts.ctx_size_in = mode == DP_XDP ? sizeof(xdp) : sizeof(skb);
	if (bpf_prog_test_run_opts(prog_of(dp, mode, side), &opts))
		fail_msg("test run of %zu bytes: %d", in->len, errno);
	n = all_drops(dp, after) - n;
	o.out.len = opts.data_size_out;
	outcome_of(&o, mode, opts.retval, n);
	o.why = one_drop(before, after);
	return o;
}

static const char *drop_name(enum nve_drop why)
{
	static const char *const names[NVE_DROP_COUNT] = { "nothing",
#define NAME(name, number, text) [number] = #name,
							   NVE_DROP_REASONS(NAME)
#undef NAME
	};
	return names[why] ?: "?";
}

/* Where a tunnel's source port is not given, any in the range is right; the flow label is it. */
static void take_entropy(struct frame *want, const struct frame *got)
{
	size_t at = want->layers[2].at;

	if (want->n_layers < 4 || want->layers[3].kind != LAYER_VXLAN || want->bytes[at])
		return;
	assert_in_range(got->bytes[at] << 8 | got->bytes[at + 1], 49152, 65535);
	memcpy(want->bytes + at, got->bytes + at, 2);
	if (want->layers[1].kind == LAYER_IPV6)
		memcpy(want->bytes + 16, got->bytes + at, 2);
}

void dp_sends(struct dp *dp, enum dp_mode mode, enum dp_side side, uint32_t ifindex,
	      const struct frame *in, const struct frame *want)
{
	struct dp_outcome o = dp_run(dp, mode, side, ifindex, in);
	/* The kernel's test run shows the frame without the tag that is kept beside it. */
	struct frame shown = mode == DP_TC ? frame_untag(want) : *want;

	if (o.fate != DP_SENT)
		fail_msg("fate %d, lost to %s", o.fate, drop_name(o.why));
	take_entropy(&shown, &o.out);
	assert_true(frame_equal(&o.out, &shown));
}

void dp_loses(struct dp *dp, enum dp_mode mode, enum dp_side side, uint32_t ifindex,
	      const struct frame *in, enum nve_drop why)
{
	struct dp_outcome o = dp_run(dp, mode, side, ifindex, in);

	if ((o.fate != DP_LOST && o.fate != DP_ANSWERED) || o.why != why)
		fail_msg("fate %d, lost to %s, not %s", o.fate, drop_name(o.why), drop_name(why));
}

void dp_loses_without_room(struct dp *dp, uint32_t ifindex, const struct frame *in,
			   enum nve_drop why)
{
	enum { META = 200 };
	uint8_t data[META + FRAME_MAX] = { 0 };
	struct xdp_md xdp = { .data = META,
			      .data_end = META + in->len,
			      .ingress_ifindex = ifindex };
	LIBBPF_OPTS(bpf_test_run_opts, opts, .data_in = data, .data_size_in = META + in->len,
		    .ctx_in = &xdp, .ctx_size_in = sizeof(xdp), .repeat = 1);
	uint64_t before = dp_drops(dp, why);

	memcpy(data + META, in->bytes, in->len);
	if (bpf_prog_test_run_opts(prog_of(dp, DP_XDP, DP_ACCESS), &opts)) {
		print_message(
			"skipped: this kernel allows too little metadata to fill the headroom\n");
		skip();
	}
	assert_int_equal(opts.retval, 1);
	assert_int_equal(dp_drops(dp, why), before + 1);
}
