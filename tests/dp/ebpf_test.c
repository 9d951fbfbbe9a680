/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The eBPF datapath beyond the contract: interfaces that come and go, next hops, tables as text,
 * and a thousand TSIs.  See lib/dp_world.h.
 */
#include <bpf/bpf.h>
#include <errno.h>
#include <malloc.h>
#include <net/if.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "dp/ebpf.h"
#include "lib/dp_probe.h"

#define MAC_1   "02:00:00:00:00:01"
#define MAC_2   "02:00:00:00:00:02"
#define MAC_R   "02:00:00:00:00:99" /* behind VTEP 0 */
#define MAC_ALL "ff:ff:ff:ff:ff:ff"

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

static int close_it(void **state)
{
	(void)state;
	dpw_close(&w);
	return 0;
}

/* --- ports ------------------------------------------------------------------------------------ */

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
	assert_int_equal(dp_probe_attached("a1"), 1);
	assert_true(passes(A1, TAG_20, MAC_2, ""));
	assert_int_equal(dpw_from_vtep(&w, "192.0.2.2", VNI_7, MAC_2).dest.slot, 2);
	assert_int_equal(dpw_from_vtep(&w, "192.0.2.2", VNI_7, MAC_ALL).copies, 2);
}

/* --- next hops -------------------------------------------------------------------------------- */

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

/* --- tables as text --------------------------------------------------------------------------- */

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
	assert_dump("flood",
		    "{\"vn_id\":8} {\"n\":1,\"flags\":0,\"vni\":200,\"members\":[{\"slot\":1,");
	dpw_bum(&w, &(struct nve_dp_bum){ .suppress = true, .rate = 1000, .burst = 9 });
	dpw_neigh(&w, "10.0.0.9", NOBODY, THERE(MAC_R));
	dpw_neigh(&w, "fd00::2", HERE(MAC_1), HERE(MAC_2));
	dpw_apply(&w);
	assert_dump("flood", "{\"vn_id\":7} {\"n\":4,\"flags\":5,\"vni\":100,");
	assert_dump("neigh",
		    "{\"vn_id\":7,\"ip\":\"10.0.0.9\"} {\"first\":{\"mac\":\"00:00:00:00:00:00\","
		    "\"flags\":0},\"second\":{\"mac\":\"" MAC_R "\",\"flags\":3}}");
	assert_dump("neigh", "\"ip\":\"fd00::2\"} {\"first\":{\"mac\":\"" MAC_1 "\",\"flags\":1}");
	assert_dump("bum", "{\"vn_id\":7} {\"full\":0,\"cost\":65536000000,\"burst\":9000000");
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

/* --- many ------------------------------------------------------------------------------------- */

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
	static const char *const tables[] = { "src", "src_ip", "fdb",   "peer", "flood",
					      "tsi", "vap",    "neigh", "bum" };
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
		many(false);
		assert_int_equal(rows_in_kernel(), 0);
		assert_int_equal(dpw_used(&w), 0);
		if (round == ROUNDS - 3)
			before = mallinfo2().uordblks;
	}
	assert_int_equal(mallinfo2().uordblks, before);
}

#define OPENED(f) cmocka_unit_test_teardown(f, close_it)

int main(void)
{
	const struct CMUnitTest tests[] = {
		OPENED(auto_chooses_tc_for_a_veth_and_says_why),
		OPENED(a_missing_interface_is_refused_by_name),
		OPENED(an_interface_that_comes_back_is_followed_by_programs_and_rows),
		OPENED(the_outer_header_is_ready_made),
		OPENED(a_next_hop_that_changes_its_mac_is_followed),
		OPENED(a_vtep_behind_a_route_is_reached_by_its_gateway),
		OPENED(a_next_hop_nobody_knows_yet_is_asked_for_and_taken_when_it_answers),
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
