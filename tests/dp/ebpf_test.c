/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The eBPF datapath beyond the contract: pins and restarts, the lock, interfaces that come and go,
 * next hops, tables as text, and a thousand TSIs.  The world is that of lib/dp_world.h.
 */
#include <bpf/bpf.h>
#include <dirent.h>
#include <errno.h>
#include <malloc.h>
#include <net/if.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "dp/ebpf.h"
#include "lib/dp_probe.h"

#define PINS    "/sys/fs/bpf/nve-test"
#define MAC_1   "02:00:00:00:00:01"
#define MAC_2   "02:00:00:00:00:02"
#define MAC_R   "02:00:00:00:00:99" /* behind VTEP 0 */
#define MAC_ALL "ff:ff:ff:ff:ff:ff"

enum { TCX_INGRESS = 46 };

static const struct dpw *const ebpf = &dpw_backends[1];
static struct dpw w;

static void fill(void)
{
	dpw_set_vns(&w);
	dpw_vap(&w, A0, TAG_10, 1);
	dpw_vap(&w, A1, TAG_20, 1);
	dpw_tsi(&w, 1, A0, TAG_10, true, ADDRS(MAC_1 " 10.0.0.1", MAC_1 " 10.0.0.2", "fd00::1"));
	dpw_tsi(&w, 2, A1, TAG_20, true, ADDRS(MAC_2));
	dpw_fdb(&w, MAC_1, TSI(1), NONE);
	dpw_fdb(&w, MAC_2, TSI(2), NONE);
	dpw_fdb(&w, MAC_R, VTEP(0), NONE);
}

static bool passes(uint16_t port, uint16_t tag, const char *src, const char *ip)
{
	struct nve_fake_frame f = { .port = port, .tag = tag, .ip = dpw_addr(ip) };

	dpw_mac(f.src, src);
	dpw_mac(f.dst, MAC_R);
	return dpw_from_port(&w, &f).pass;
}

static void open_pinned(void)
{
	dpw_open_pinned(&w, ebpf, PINS, &dpw_limits);
}

static void resync(void)
{
	assert_int_equal(w.ops->resync_begin(w.dp), 0);
	fill();
	w.dp->written = 0;
	assert_int_equal(w.ops->resync_end(w.dp), 0);
}

static int open_again(const struct nve_dp_limits *limits, char **err)
{
	const struct nve_dp_config config = {
		.pin_dir = PINS,
		.local_vtep = dpw_addr("192.0.2.1"),
		.limits = *limits,
	};
	struct nve_dp *dp;
	int r = nve_dp_ebpf.open(&config, &dp, err);

	if (r == 0)
		nve_dp_ebpf.close(dp);
	return r;
}

static int flush(void **state)
{
	(void)state;
	if (w.dp) {
		assert_int_equal(w.ops->flush(w.dp), 0);
		dpw_close(&w);
	}
	return 0;
}

static int close_it(void **state)
{
	(void)state;
	dpw_close(&w);
	return 0;
}

/* --- pins
 * ---------------------------------------------------------------------------------------------- */

static void a_restart_with_the_same_intent_writes_nothing(void **state)
{
	(void)state;
	open_pinned();
	resync();
	assert_true(w.dp->written > 0);
	dpw_close(&w);
	open_pinned();
	resync();
	assert_int_equal(w.dp->written, 0);
	assert_true(passes(A0, TAG_10, MAC_1, "10.0.0.2"));
	assert_false(passes(A0, TAG_10, MAC_1, "10.0.0.3"));
}

/* Runs the program that hangs on the port, not one of ours: there is no agent. */
static int run_pinned(uint16_t src_mac_byte)
{
	struct __sk_buff skb = { .ifindex = if_nametoindex("a0") };
	struct nve_fake_frame f = { .port = A0, .tag = TAG_10, .ip = dpw_addr("10.0.0.1") };
	struct bpf_link_info info = { 0 };
	uint32_t len = sizeof(info);
	struct frame in;
	char path[64];
	int link, prog, r;

	dpw_mac(f.src, MAC_1);
	f.src[5] = src_mac_byte;
	dpw_mac(f.dst, MAC_R);
	in = dp_probe_frame(&f);
	snprintf(path, sizeof(path), PINS "/tc_%u", skb.ifindex);
	link = bpf_obj_get(path);
	assert_true(link >= 0);
	assert_int_equal(bpf_obj_get_info_by_fd(link, &info, &len), 0);
	prog = bpf_prog_get_fd_by_id(info.prog_id);
	assert_true(prog >= 0);
	DECLARE_LIBBPF_OPTS(bpf_test_run_opts, opts, .data_in = in.bytes, .data_size_in = in.len,
			    .ctx_in = &skb, .ctx_size_in = sizeof(skb));
	r = bpf_prog_test_run_opts(prog, &opts);
	close(prog);
	close(link);
	return r < 0 ? r : (int)opts.retval;
}

static void frames_pass_while_there_is_no_agent_and_until_the_resync_is_done(void **state)
{
	const int redirect = 7, shot = 2;

	(void)state;
	open_pinned();
	resync();
	dpw_close(&w);
	assert_int_equal(run_pinned(1), redirect);
	assert_int_equal(run_pinned(0xee), shot);
	open_pinned();
	assert_int_equal(run_pinned(1), redirect);
	assert_int_equal(w.ops->resync_begin(w.dp), 0);
	assert_int_equal(run_pinned(1), redirect);
	fill();
	assert_int_equal(run_pinned(1), redirect);
	assert_int_equal(w.ops->resync_end(w.dp), 0);
	assert_int_equal(run_pinned(1), redirect);
}

static void a_restart_keeps_generation_and_last_seen_of_what_stays(void **state)
{
	uint64_t live, seen;

	(void)state;
	open_pinned();
	resync();
	dpw_tsi(&w, 1, A0, TAG_10, true, ADDRS(MAC_1));
	dpw_apply(&w);
	dpw_tsi(&w, 1, A0, TAG_10, true, ADDRS(MAC_1 " 10.0.0.1", MAC_1 " 10.0.0.2", "fd00::1"));
	dpw_apply(&w);
	assert_true(passes(A0, TAG_10, MAC_1, "10.0.0.1"));
	live = w.dp->tsi[1].live;
	seen = w.ops->last_seen(w.dp, 1);
	assert_true(seen > 0);
	assert_int_equal((uint32_t)live, 2);
	dpw_close(&w);
	open_pinned();
	resync();
	assert_int_equal(w.dp->tsi[1].live, live);
	assert_int_equal(w.ops->last_seen(w.dp, 1), seen);
	assert_int_equal(w.dp->written, 0);
}

static void rows_of_nobody_are_removed_and_wrong_ones_put_right(void **state)
{
	const struct nve_src_key foreign = { .ifindex = 77, .vid = 9, .mac = { 2, 7 } };
	const struct nve_src src = { .tsi = 3 };
	const struct nve_fdb fdb = { 0 };
	struct nve_fdb_key key = { .vn_id = VN_7 };
	struct nve_src there;
	struct nve_fdb row;

	(void)state;
	open_pinned();
	resync();
	dpw_mac(key.mac, MAC_1);
	assert_int_equal(bpf_map_update_elem(w.dp->map[NVE_MAP_SRC], &foreign, &src, BPF_ANY), 0);
	assert_int_equal(bpf_map_update_elem(w.dp->map[NVE_MAP_FDB], &key, &fdb, BPF_ANY), 0);
	w.dp->tsi[9] = (struct nve_tsi_row){ .live = NVE_TSI_LIVE, .vn_id = VN_7 };
	w.dp->vap[5] = (struct nve_vap_row){ .vn_id = VN_7, .state = NVE_VAP_LIVE };
	dpw_close(&w);
	open_pinned();
	resync();
	assert_int_equal(bpf_map_lookup_elem(w.dp->map[NVE_MAP_SRC], &foreign, &there), -ENOENT);
	assert_int_equal(bpf_map_lookup_elem(w.dp->map[NVE_MAP_FDB], &key, &row), 0);
	assert_int_equal(row.first.kind, NVE_DEST_TSI);
	assert_int_equal(w.dp->tsi[9].live, 0);
	assert_int_equal(w.dp->vap[5].state, NVE_VAP_NONE);
}

static void a_second_agent_is_refused_and_told_why(void **state)
{
	char *err = NULL;

	(void)state;
	open_pinned();
	resync();
	assert_int_equal(open_again(&dpw_limits, &err), -EBUSY);
	assert_non_null(strstr(err, PINS));
	free(err);
	assert_true(passes(A0, TAG_10, MAC_1, "10.0.0.1"));
	dpw_close(&w);
	assert_int_equal(open_again(&dpw_limits, NULL), 0);
	open_pinned();
}

static void other_sizes_and_other_versions_are_refused_with_the_remedy(void **state)
{
	struct nve_dp_limits limits = dpw_limits;
	uint32_t zero = 0, version[2] = { NVE_ABI_VERSION + 1 };
	char *err = NULL;
	int fd;

	(void)state;
	open_pinned();
	resync();
	dpw_close(&w);
	limits.max_addrs++;
	assert_int_equal(open_again(&limits, &err), -EPROTO);
	assert_non_null(strstr(err, "nved --flush"));
	free(err);
	fd = bpf_obj_get(PINS "/nve_meta");
	assert_int_equal(bpf_map_update_elem(fd, &zero, version, BPF_ANY), 0);
	err = NULL;
	assert_int_equal(open_again(&dpw_limits, &err), -EPROTO);
	assert_non_null(strstr(err, "nved --flush"));
	free(err);
	version[0] = NVE_ABI_VERSION;
	assert_int_equal(bpf_map_update_elem(fd, &zero, version, BPF_ANY), 0);
	close(fd);
	open_pinned();
	resync();
	assert_int_equal(w.dp->written, 0);
}

static void a_pin_directory_that_is_no_bpffs_is_refused(void **state)
{
	struct nve_dp_config config = {
		.pin_dir = "/tmp/nve-no-bpffs",
		.local_vtep = dpw_addr("192.0.2.1"),
		.limits = dpw_limits,
	};
	struct nve_dp *dp;
	char *err = NULL;

	(void)state;
	assert_int_equal(nve_dp_ebpf.open(&config, &dp, &err), -EINVAL);
	assert_non_null(strstr(err, "bpffs"));
	free(err);
	assert_int_not_equal(access(config.pin_dir, F_OK), 0);
}

/* TC programs on an interface, by tcx. */
static uint32_t programs_on(const char *ifname)
{
	uint32_t flags, ids[8], n = 8;

	if (bpf_prog_query(if_nametoindex(ifname), (enum bpf_attach_type)TCX_INGRESS, 0, &flags,
			   ids, &n) < 0)
		return UINT32_MAX;
	return n;
}

static void flush_leaves_nothing(void **state)
{
	(void)state;
	open_pinned();
	resync();
	assert_int_equal(programs_on("a0"), 1);
	assert_int_equal(access(PINS "/nve_src", F_OK), 0);
	assert_int_equal(w.ops->flush(w.dp), 0);
	dpw_close(&w);
	assert_int_not_equal(access(PINS, F_OK), 0);
	assert_int_equal(programs_on("a0"), 0);
	assert_int_equal(programs_on("u0"), 0);
}

static void a_port_that_is_configured_no_more_is_detached_by_the_resync(void **state)
{
	(void)state;
	open_pinned();
	resync();
	dpw_close(&w);
	open_pinned();
	assert_int_equal(w.ops->port_del(w.dp, A1), 0);
	dpw_close(&w);
	assert_int_equal(programs_on("a1"), 0);
	assert_int_equal(programs_on("a0"), 1);
	open_pinned();
}

/* --- ports
 * ------------------------------------------------------------------------------------------------
 */

static int set_port(uint16_t slot, const char *ifname, uint8_t mode, char **err)
{
	struct nve_dp_port port = { .slot = slot, .role = NVE_DP_ACCESS, .mode = mode };

	snprintf(port.name, sizeof(port.name), "p%u", slot);
	snprintf(port.ifname, sizeof(port.ifname), "%s", ifname);
	return w.ops->port_set(w.dp, &port, err);
}

static void auto_chooses_tc_for_a_veth_and_says_why(void **state)
{
	struct nve_dp_port_status status;

	(void)state;
	dpw_open(&w, ebpf);
	assert_int_equal(set_port(9, "a1x", NVE_DP_AUTO, NULL), 0);
	assert_int_equal(w.ops->port_status(w.dp, 9, &status), 0);
	assert_int_equal(status.mode, NVE_DP_TC);
	assert_string_equal(status.why, "veth: XDP would cost GSO");
	assert_int_equal(set_port(9, "a1x", NVE_DP_XDP, NULL), 0);
	assert_int_equal(w.ops->port_status(w.dp, 9, &status), 0);
	assert_int_equal(status.mode, NVE_DP_XDP);
	assert_non_null(strstr(status.why, "txvlan off"));
	assert_int_equal(w.dp->ports[9].flags, NVE_PORT_XDP);
}

static void a_missing_interface_is_refused_by_name(void **state)
{
	char *err = NULL;

	(void)state;
	dpw_open(&w, ebpf);
	assert_int_equal(set_port(9, "nope0", NVE_DP_AUTO, &err), -ENODEV);
	assert_non_null(strstr(err, "nope0"));
	free(err);
}

/* Dispatches what the kernel has to tell until 'done', for a second at most. */
static bool dispatch_until(bool (*done)(void))
{
	struct pollfd p = { .fd = w.ops->fd(w.dp), .events = POLLIN };

	while (!done()) {
		if (poll(&p, 1, 1000) != 1)
			return false;
		w.ops->dispatch(w.dp);
	}
	return true;
}

static uint32_t ifindex_before;

static bool port_is_gone(void)
{
	struct nve_dp_port_status status;

	w.ops->port_status(w.dp, A1, &status);
	return !status.up && !status.ifindex;
}

static bool port_is_back(void)
{
	struct nve_dp_port_status status;

	w.ops->port_status(w.dp, A1, &status);
	return status.up && status.ifindex != ifindex_before;
}

static void an_interface_that_comes_back_is_followed_by_programs_and_rows(void **state)
{
	(void)state;
	dpw_open(&w, ebpf);
	fill();
	dpw_apply(&w);
	assert_true(passes(A1, TAG_20, MAC_2, ""));
	ifindex_before = if_nametoindex("a1");
	dpw_ip("link del a1");
	assert_true(dispatch_until(port_is_gone));
	dpw_ip("link add a1 type veth peer name a1x");
	dpw_ip("link set a1x up arp off");
	dpw_ip("link set a1 up arp off");
	assert_true(dispatch_until(port_is_back));
	assert_int_equal(programs_on("a1"), 1);
	assert_true(passes(A1, TAG_20, MAC_2, ""));
	assert_int_equal(dpw_from_vtep(&w, "192.0.2.2", VNI_7, MAC_2).dest.slot, 2);
	assert_int_equal(dpw_from_vtep(&w, "192.0.2.2", VNI_7, MAC_ALL).copies, 2);
}

/* --- next hops
 * --------------------------------------------------------------------------------------------- */

static struct nve_vtep vtep_row(uint32_t slot)
{
	struct nve_vtep row;

	assert_int_equal(bpf_map_lookup_elem(w.dp->map[NVE_MAP_VTEP], &slot, &row), 0);
	return row;
}

static bool hop_is_new(void)
{
	return vtep_row(0).outer[5] == 0x42;
}

static void the_outer_header_is_ready_made(void **state)
{
	const uint8_t want[] = {
		0x02, 0xaa, 0,    0,    0,   2,                           /* next hop */
		0,    0,    0,    0,    0,   0, 0x08, 0x00,               /* source, below; IPv4 */
		0x45, 0,    0,    0,    0,   0, 0x40, 0,                  /* length, ID 0; DF */
		64,   17,   0,    0,    192, 0, 2,    1,    192, 0, 2, 2, /* checksum below */
		0,    0,    0x12, 0xb5, 0,   0, 0,    0,                  /* UDP to 4789 */
		0x08, 0,    0,    0,    0,   0, 0,    0,                  /* VXLAN */
	};
	struct nve_vtep row;
	uint32_t sum = 0;

	(void)state;
	dpw_open(&w, ebpf);
	row = vtep_row(0);
	assert_int_equal(row.flags, NVE_VTEP_RESOLVED);
	assert_int_equal(row.outer_len, 50);
	assert_int_equal(row.mtu, 1500);
	assert_int_equal(row.ifindex, if_nametoindex("u0"));
	assert_memory_equal(row.outer + 6, w.dp->ports[U0].mac, 6);
	for (int i = 14; i < 34; i += 2)
		sum += row.outer[i] << 8 | row.outer[i + 1];
	assert_int_equal((sum & 0xffff) + (sum >> 16), 0xffff);
	memset(row.outer + 6, 0, 6);
	memset(row.outer + 24, 0, 2);
	assert_memory_equal(row.outer, want, sizeof(want));
}

static void a_next_hop_that_changes_its_mac_is_followed(void **state)
{
	(void)state;
	dpw_open(&w, ebpf);
	assert_int_equal(vtep_row(0).outer[5], 2);
	dpw_ip("neigh replace 192.0.2.2 dev u0 lladdr 02:aa:00:00:00:42");
	assert_true(dispatch_until(hop_is_new));
	dpw_ip("neigh replace 192.0.2.2 dev u0 lladdr 02:aa:00:00:00:02");
}

static bool goes_by_gateway(void)
{
	return vtep_row(2).outer[5] == 3;
}

static bool is_unresolved(void)
{
	return !(vtep_row(2).flags & NVE_VTEP_RESOLVED);
}

static void a_vtep_behind_a_route_is_reached_by_its_gateway(void **state)
{
	const struct nve_ip far = dpw_addr("198.51.100.9");

	(void)state;
	dpw_open(&w, ebpf);
	assert_int_equal(w.ops->vtep_set(w.dp, 2, &far), 0);
	dpw_apply(&w);
	assert_true(is_unresolved()); /* no route */
	dpw_ip("route add 198.51.100.0/24 via 192.0.2.3");
	assert_true(dispatch_until(goes_by_gateway));
	assert_false(is_unresolved());
	dpw_ip("route del 198.51.100.0/24");
	assert_true(dispatch_until(is_unresolved));
}

static bool is_asked_for(void)
{
	FILE *f = popen("ip neigh show 192.0.2.50 dev u0", "r");
	char line[128] = "";

	assert_non_null(f);
	if (!fgets(line, sizeof(line), f))
		line[0] = '\0';
	pclose(f);
	return line[0] != '\0';
}

static bool has_answered(void)
{
	return vtep_row(2).flags & NVE_VTEP_RESOLVED;
}

static void a_next_hop_nobody_knows_yet_is_asked_for_and_taken_when_it_answers(void **state)
{
	const struct nve_ip fresh = dpw_addr("192.0.2.50"), v6 = dpw_addr("2001:db8::1");

	(void)state;
	dpw_open(&w, ebpf);
	assert_int_equal(w.ops->vtep_set(w.dp, 3, &v6), -EAFNOSUPPORT);
	assert_int_equal(w.ops->vtep_set(w.dp, 2, &fresh), 0);
	dpw_apply(&w);
	assert_true(is_unresolved());
	assert_true(is_asked_for());
	dpw_ip("neigh replace 192.0.2.50 dev u0 lladdr 02:aa:00:00:00:50 nud reachable");
	assert_true(dispatch_until(has_answered));
	assert_int_equal(vtep_row(2).outer[5], 0x50);
	assert_int_equal(w.ops->flush(w.dp), 0);
	dpw_ip("neigh flush dev u0 nud all to 192.0.2.50");
}

static bool hop6_is_new(void)
{
	return vtep_row(2).outer[5] == 0x62;
}

static bool hop6_has_answered(void)
{
	return vtep_row(3).flags & NVE_VTEP_RESOLVED;
}

static void open_with_ipv6(void)
{
	struct nve_dp_config config = {
		.local_vtep = dpw_addr("192.0.2.1"),
		.local_vtep6 = dpw_addr("2001:db8::1"),
		.limits = dpw_limits,
	};
	struct nve_dp_port port = {
		.slot = U0, .name = "u0", .ifname = "u0", .role = NVE_DP_UNDERLAY
	};

	dpw_enter();
	w = *ebpf;
	assert_int_equal(w.ops->open(&config, &w.dp, NULL), 0);
	port.mode = w.mode;
	assert_int_equal(w.ops->port_set(w.dp, &port, NULL), 0);
	if (system("echo 0 >/proc/sys/net/ipv6/conf/u0/disable_ipv6"))
		fail();
	dpw_ip("addr replace 2001:db8::1/64 dev u0 nodad");
	dpw_ip("neigh replace 2001:db8::2 dev u0 lladdr 02:aa:00:00:00:61");
}

static void close_ipv6(void)
{
	assert_int_equal(w.ops->flush(w.dp), 0);
	dpw_ip("neigh flush dev u0 nud all to 2001:db8::/64");
	dpw_ip("addr del 2001:db8::1/64 dev u0");
	if (system("echo 1 >/proc/sys/net/ipv6/conf/u0/disable_ipv6"))
		fail();
}

static void next_hops_of_ipv6_vteps_are_found_asked_for_and_followed(void **state)
{
	const struct nve_ip known = dpw_addr("2001:db8::2"), fresh = dpw_addr("2001:db8::50");
	const uint8_t head[] = { 0x86, 0xdd, 0x60, 0, 0, 0, 0, 0, 17, 64 };
	struct nve_vtep row;

	(void)state;
	open_with_ipv6();
	assert_int_equal(w.ops->vtep_set(w.dp, 2, &known), 0);
	assert_int_equal(w.ops->vtep_set(w.dp, 3, &fresh), 0);
	dpw_apply(&w);
	row = vtep_row(2);
	assert_int_equal(row.flags, NVE_VTEP_RESOLVED);
	assert_int_equal(row.family, 6);
	assert_int_equal(row.outer_len, 70);
	assert_int_equal(row.outer[5], 0x61);
	assert_memory_equal(row.outer + 12, head, sizeof(head));
	assert_memory_equal(row.outer + 22, dpw_addr("2001:db8::1").bytes, 16);
	assert_memory_equal(row.outer + 38, known.bytes, 16);
	assert_memory_equal(row.outer + 54, "\0\0\x12\xb5\0\0\0\0\x08\0\0\0\0\0\0\0", 16);
	assert_memory_equal(row.ip, known.bytes, 16);
	assert_false(hop6_has_answered());
	dpw_ip("neigh replace 2001:db8::2 dev u0 lladdr 02:aa:00:00:00:62");
	assert_true(dispatch_until(hop6_is_new));
	dpw_ip("neigh replace 2001:db8::50 dev u0 lladdr 02:aa:00:00:00:50 nud reachable");
	assert_true(dispatch_until(hop6_has_answered));
	assert_int_equal(vtep_row(3).outer[5], 0x50);
	close_ipv6();
}

static void an_ipv6_route_through_a_router_and_its_change_are_followed(void **state)
{
	const struct nve_ip far = dpw_addr("2001:db8:9::9");

	(void)state;
	open_with_ipv6();
	assert_int_equal(w.ops->vtep_set(w.dp, 3, &far), 0);
	dpw_apply(&w);
	assert_false(hop6_has_answered());
	dpw_ip("route add 2001:db8:9::/64 via 2001:db8::2");
	assert_true(dispatch_until(hop6_has_answered));
	assert_int_equal(vtep_row(3).outer[5], 0x61);
	dpw_ip("route del 2001:db8:9::/64");
	close_ipv6();
}

static void the_encapsulation_of_a_vn_is_in_its_rows_and_follows_it(void **state)
{
	const uint32_t vteps[] = { 0, 1 };
	struct nve_dp_vn vn = {
		.vn_id = VN_7,
		.vni = VNI_7,
		.encap = NVE_DP_GENEVE,
		.tos = NVE_DP_TOS_UNIFORM,
		.n_vteps = 2,
		.vteps = vteps,
	};
	struct nve_peer_key key = { .vni = VNI_7 };
	struct nve_peer row;

	(void)state;
	dpw_open(&w, ebpf);
	fill();
	dpw_apply(&w);
	assert_int_equal(w.dp->tsi[1].tunnel, 0);
	assert_int_equal(w.ops->vn_set(w.dp, &vn), 0);
	dpw_apply(&w);
	assert_int_equal(w.dp->tsi[1].tunnel, NVE_TUNNEL_GENEVE | NVE_TUNNEL_UNIFORM);
	assert_int_equal(bpf_map_lookup_elem(w.dp->map[NVE_MAP_PEER], &key, &row), 0);
	assert_int_equal(row.tunnel, NVE_TUNNEL_GENEVE | NVE_TUNNEL_UNIFORM);
	vn.encap = NVE_DP_GENEVE + 1;
	assert_int_equal(w.ops->vn_set(w.dp, &vn), -EOPNOTSUPP);
}

/* --- tables as text
 * ------------------------------------------------------------------------------------------ */

struct text {
	char rows[8192];
};

static void take_row(void *arg, const char *key, const char *value)
{
	struct text *t = arg;
	size_t len = strlen(t->rows);

	snprintf(t->rows + len, sizeof(t->rows) - len, "%s %s\n", key, value);
}

static void assert_dump(const char *table, const char *part)
{
	struct text t = { "" };

	assert_int_equal(w.ops->dump(w.dp, table, take_row, &t), 0);
	if (!strstr(t.rows, part))
		fail_msg("%s: '%s' is not in:\n%s", table, part, t.rows);
}

static void tables_are_printed_with_named_fields(void **state)
{
	uint64_t used, max;
	const char *name;

	(void)state;
	dpw_open(&w, ebpf);
	fill();
	dpw_apply(&w);
	assert_dump("src", "\"mac\":\"02:00:00:00:00:01\"} {\"tsi\":1,\"gen\":0,\"when\":0,");
	assert_dump("src", "\"ip4\":\"10.0.0.1\"");
	assert_dump("src_ip", "\"mac\":0,\"ip\":\"fd00::1\"}");
	assert_dump("src_ip", "\"ip\":\"10.0.0.2\"}");
	assert_dump("vap", "{\"port\":0,\"vid\":10} {\"vn_id\":7,\"n_activated\":1,");
	assert_dump("fdb", "\"first\":{\"slot\":0,\"gen\":0,\"when\":0,\"kind\":2}");
	assert_dump("peer", "{\"vni\":100,\"ip\":\"192.0.2.2\"} {\"vn_id\":7,\"vtep\":0,"
			    "\"tunnel\":0}");
	assert_dump("flood", "{\"vn_id\":8} {\"n\":1,\"vni\":200,\"members\":[{\"slot\":1,");
	assert_dump("tsi", "{\"tsi\":1} {\"live\":4294967296,");
	assert_dump("vtep", "\"ip\":\"192.0.2.3\"");
	assert_dump("port", "{\"ifindex\":");
	assert_false(passes(A0, TAG_10, MAC_1, "10.0.0.7"));
	assert_dump("tsi_drops", "{\"tsi\":1,\"reason\":7} {\"frames\":1}");
	assert_dump("drops", "{\"reason\":7} {\"frames\":");
	for (size_t i = 0; (name = w.ops->table(w.dp, i, &used, &max)); i++) {
		struct text t = { "" };

		assert_true(used <= max);
		assert_int_equal(w.ops->dump(w.dp, name, take_row, &t), 0);
	}
}

static void take_drop(void *arg, const char *name, const char *what, uint64_t frames)
{
	if (!strcmp(name, "SRC_IP") && *what)
		*(uint64_t *)arg = frames;
}

static void drops_are_counted_by_reason_and_tsi(void **state)
{
	struct nve_dp_tsi_stats stats;
	uint64_t all = 0, own = 0, before = 0;

	(void)state;
	dpw_open(&w, ebpf);
	fill();
	dpw_apply(&w);
	w.ops->drops(w.dp, take_drop, &before);
	for (int i = 0; i < 3; i++)
		assert_false(passes(A0, TAG_10, MAC_1, "10.0.0.7"));
	assert_true(passes(A0, TAG_10, MAC_1, "10.0.0.1"));
	w.ops->drops(w.dp, take_drop, &all);
	assert_int_equal(w.ops->tsi_drops(w.dp, 1, take_drop, &own), 0);
	assert_int_equal(all - before, 3);
	assert_int_equal(own, 3);
	assert_int_equal(w.ops->tsi_stats(w.dp, 1, &stats), 0);
	assert_int_equal(stats.dropped, 3);
	assert_int_equal(stats.in.frames, 1);
	assert_int_equal(w.ops->tsi_del(w.dp, 1), 0);
	dpw_apply(&w);
	assert_int_equal(w.ops->tsi_drops(w.dp, 1, take_drop, &own), -ENOENT);
	fill();
	dpw_apply(&w);
	assert_int_equal(w.ops->tsi_stats(w.dp, 1, &stats), 0);
	assert_int_equal(stats.dropped + stats.in.frames, 0);
}

/* --- many
 * -------------------------------------------------------------------------------------------------------
 */

/* After some rounds all lists have grown, and the allocator has filled its own caches. */
enum { MANY = 1000, VNS = 100, ROUNDS = 12 };

static void many_tsi(uint32_t i, bool set)
{
	const uint8_t hi = i >> 8, lo = i;
	const struct nve_tsi_addr addrs[] = {
		{ .addr = { .flags = NVE_ADDR_MAC | NVE_ADDR_IPV4,
			    .mac = { 2, [4] = hi, lo },
			    .ip = { 10, 0, hi, lo } },
		  .active = true },
		{ .addr = { .flags = NVE_ADDR_MAC | NVE_ADDR_IPV4,
			    .mac = { 2, [4] = hi, lo },
			    .ip = { 10, 1, hi, lo } },
		  .active = true },
		{ .addr = { .flags = NVE_ADDR_MAC | NVE_ADDR_IPV6,
			    .mac = { 2, [4] = hi, lo },
			    .ip = { 0xfd, [14] = hi, lo } },
		  .active = true },
	};
	const struct nve_dp_tsi tsi = {
		.slot = i,
		.key = { .id = { { hi, lo, 1 } }, .vn_id = 100 + i % VNS, .port = A0 },
		.tag = 100 + i % VNS,
		.activated = true,
		.n_addrs = 3,
		.addrs = addrs,
	};
	struct nve_dp_fdb fdb = { .vn_id = tsi.key.vn_id, .first = TSI(i) };

	memcpy(fdb.mac, addrs[0].addr.mac, sizeof(fdb.mac));
	if (set) {
		assert_int_equal(w.ops->tsi_set(w.dp, &tsi), 0);
		assert_int_equal(w.ops->fdb_set(w.dp, &fdb), 0);
	} else {
		assert_int_equal(w.ops->fdb_del(w.dp, fdb.vn_id, fdb.mac), 0);
		assert_int_equal(w.ops->tsi_del(w.dp, i), 0);
	}
}

static void many(bool set)
{
	for (uint32_t i = 0; set && i < VNS; i++) {
		const struct nve_dp_vn vn = { .vn_id = 100 + i, .vni = 5000 + i };
		const struct nve_dp_vap vap = {
			.port = A0,
			.tag = 100 + i,
			.vn_id = 100 + i,
			.n_activated = 1,
		};

		assert_int_equal(w.ops->vn_set(w.dp, &vn), 0);
		assert_int_equal(w.ops->vap_set(w.dp, &vap), 0);
	}
	for (uint32_t i = 0; i < MANY; i++)
		many_tsi(i, set);
	for (uint32_t i = 0; !set && i < VNS; i++) {
		assert_int_equal(w.ops->vap_del(w.dp, A0, 100 + i), 0);
		assert_int_equal(w.ops->vn_del(w.dp, 100 + i), 0);
	}
	dpw_apply(&w);
}

static uint64_t rows_in_kernel(void)
{
	static const char *const tables[] = {
		"src", "src_ip", "fdb", "peer", "flood", "tsi", "vap"
	};
	uint64_t n = 0;

	for (size_t i = 0; i < sizeof(tables) / sizeof(tables[0]); i++) {
		struct text t = { "" };

		assert_int_equal(w.ops->dump(w.dp, tables[i], take_row, &t), 0);
		for (const char *p = t.rows; *p; p++)
			n += *p == '\n';
	}
	return n;
}

static void a_thousand_tsis_come_and_go_and_leave_no_row_and_no_memory(void **state)
{
	const struct nve_dp_limits limits = {
		.max_tsis = MANY,
		.max_vns = VNS,
		.max_addrs = 3 * MANY,
		.max_fdb = MANY,
		.max_vteps = 4,
		.max_flood = 16,
	};
	size_t before = 0;

	(void)state;
	dpw_open_pinned(&w, ebpf, NULL, &limits);
	for (int round = 0; round < ROUNDS; round++) {
		many(true);
		assert_int_equal(w.dp->n_src, MANY);
		assert_int_equal(w.dp->n_src_ip, MANY);
		assert_true(dpw_used(&w) >= 4 * MANY);
		if (round == 0)
			assert_true(mallinfo2().uordblks < 64u << 20);
		many(false);
		assert_int_equal(rows_in_kernel(), 0);
		assert_int_equal(dpw_used(&w), 0);
		if (round == ROUNDS - 3)
			before = mallinfo2().uordblks;
	}
	assert_int_equal(mallinfo2().uordblks, before);
}

#define PINNED(f) cmocka_unit_test_teardown(f, flush)
#define OPENED(f) cmocka_unit_test_teardown(f, close_it)

int main(void)
{
	const struct CMUnitTest tests[] = {
		PINNED(a_restart_with_the_same_intent_writes_nothing),
		PINNED(frames_pass_while_there_is_no_agent_and_until_the_resync_is_done),
		PINNED(a_restart_keeps_generation_and_last_seen_of_what_stays),
		PINNED(rows_of_nobody_are_removed_and_wrong_ones_put_right),
		PINNED(a_second_agent_is_refused_and_told_why),
		PINNED(other_sizes_and_other_versions_are_refused_with_the_remedy),
		cmocka_unit_test(a_pin_directory_that_is_no_bpffs_is_refused),
		PINNED(flush_leaves_nothing),
		PINNED(a_port_that_is_configured_no_more_is_detached_by_the_resync),
		OPENED(auto_chooses_tc_for_a_veth_and_says_why),
		OPENED(a_missing_interface_is_refused_by_name),
		OPENED(an_interface_that_comes_back_is_followed_by_programs_and_rows),
		OPENED(the_outer_header_is_ready_made),
		OPENED(a_next_hop_that_changes_its_mac_is_followed),
		OPENED(a_vtep_behind_a_route_is_reached_by_its_gateway),
		OPENED(a_next_hop_nobody_knows_yet_is_asked_for_and_taken_when_it_answers),
		OPENED(next_hops_of_ipv6_vteps_are_found_asked_for_and_followed),
		OPENED(an_ipv6_route_through_a_router_and_its_change_are_followed),
		OPENED(the_encapsulation_of_a_vn_is_in_its_rows_and_follows_it),
		OPENED(tables_are_printed_with_named_fields),
		OPENED(drops_are_counted_by_reason_and_tsi),
		OPENED(a_thousand_tsis_come_and_go_and_leave_no_row_and_no_memory),
	};

	if (geteuid() != 0) {
		puts("skipped: needs root");
		return 0;
	}
	dpw_enter();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
