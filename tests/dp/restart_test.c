/* SPDX-License-Identifier: Apache-2.0 */
/* The eBPF datapath beyond the contract: pins, restarts, the lock.  See lib/dp_world.h. */
#include <bpf/bpf.h>
#include <errno.h>
#include <net/if.h>
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

#define PINS  "/sys/fs/bpf/nve-test"
#define MAC_1 "02:00:00:00:00:01"
#define MAC_2 "02:00:00:00:00:02"
#define MAC_R "02:00:00:00:00:99" /* behind VTEP 0 */

static const struct dpw *const ebpf = &dpw_backends[1];
static struct dpw w;

static void fill(void)
{
	const struct nve_dp_bum bum = { .suppress = true, .rate = 1000, .burst = 1000 };

	dpw_set_vns(&w);
	dpw_bum(&w, &bum);
	dpw_neigh(&w, "10.0.0.9", NOBODY, THERE(MAC_R));
	dpw_neigh(&w, "fd00::2", HERE(MAC_1), HERE(MAC_2));
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

/* --- pins ------------------------------------------------------------------------------------- */

static void a_restart_with_the_same_intent_writes_nothing(void **state)
{
	struct nve_fake_frame bum = { .port = A0, .tag = TAG_10, .src = { 2, [5] = 1 } };

	memset(bum.dst, 0xff, sizeof(bum.dst));
	(void)state;
	open_pinned();
	resync();
	assert_true(w.dp->written > 0);
	dpw_from_port(&w, &bum); /* takes a token, which is not put back */
	assert_string_equal(dpw_answer(&w, A0, TAG_10, MAC_1, "10.0.0.1", "10.0.0.9"), MAC_R);
	dpw_close(&w);
	open_pinned();
	resync();
	assert_int_equal(w.dp->written, 0);
	assert_string_equal(dpw_answer(&w, A0, TAG_10, MAC_1, "10.0.0.1", "10.0.0.9"), MAC_R);
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

/* --- earlier layouts -------------------------------------------------------------------------- */

static uint32_t map_id(const char *path)
{
	struct bpf_map_info info = { 0 };
	uint32_t len = sizeof(info);
	int fd = bpf_obj_get(path);

	if (fd < 0)
		return 0;
	assert_int_equal(bpf_obj_get_info_by_fd(fd, &info, &len), 0);
	close(fd);
	return info.id;
}

/* Of the program at a0: by its pinned link. */
static uint32_t program_id(void)
{
	struct bpf_link_info info = { 0 };
	uint32_t len = sizeof(info);
	char path[64];
	int fd;

	snprintf(path, sizeof(path), PINS "/tc_%u", if_nametoindex("a0"));
	fd = bpf_obj_get(path);
	assert_true(fd >= 0);
	assert_int_equal(bpf_obj_get_info_by_fd(fd, &info, &len), 0);
	close(fd);
	return info.prog_id;
}

static void set_version(uint32_t version)
{
	uint32_t zero = 0, meta[2] = { version };
	int fd = bpf_obj_get(PINS "/nve_meta");

	assert_int_equal(bpf_map_update_elem(fd, &zero, meta, BPF_ANY), 0);
	close(fd);
}

static uint32_t version_of(const char *path)
{
	uint32_t zero = 0, meta[2] = { 0 };
	int fd = bpf_obj_get(path);

	assert_int_equal(bpf_map_lookup_elem(fd, &zero, meta), 0);
	close(fd);
	return meta[0];
}

static void pin_a_map(const char *path, uint32_t key_size)
{
	int fd = bpf_map_create(BPF_MAP_TYPE_HASH, "foreign", key_size, 3, 7, NULL);

	assert_true(fd >= 0);
	unlink(path);
	assert_int_equal(bpf_obj_pin(fd, path), 0);
	close(fd);
}

/* What an agent of another layout leaves: maps that differ, one that ours does not have. */
static void make_earlier(uint32_t version)
{
	open_pinned();
	resync();
	dpw_close(&w);
	pin_a_map(PINS "/nve_src", 5);
	pin_a_map(PINS "/nve_of_yore", 9);
	unlink(PINS "/nve_bum");
	set_version(version);
}

static void is_of_today(void)
{
	assert_int_equal(version_of(PINS "/nve_meta"), NVE_ABI_VERSION);
	assert_int_not_equal(access(PINS "/nve_of_yore", F_OK), 0);
	assert_int_not_equal(access(PINS "/next", F_OK), 0);
	assert_int_equal(access(PINS "/nve_bum", F_OK), 0);
	assert_true(passes(A0, TAG_10, MAC_1, "10.0.0.1"));
	dpw_close(&w);
	open_pinned(); /* and are taken over from now on */
	resync();
	assert_int_equal(w.dp->written, 0);
	assert_true(passes(A0, TAG_10, MAC_1, "10.0.0.1"));
}

static void maps_of_an_earlier_layout_are_replaced_when_the_new_ones_are_complete(void **state)
{
	uint32_t program, src;

	(void)state;
	make_earlier(NVE_ABI_VERSION - 1);
	program = program_id();
	src = map_id(PINS "/nve_src");
	open_pinned();
	assert_int_equal(program_id(), program); /* frames pass by the old program and maps */
	assert_int_equal(map_id(PINS "/nve_src"), src);
	resync();
	assert_int_not_equal(program_id(), program);
	assert_int_not_equal(map_id(PINS "/nve_src"), src);
	is_of_today();
}

/* The agent dies before the new maps are complete, and while their pins are moved. */
static void a_replacement_that_was_cut_short_is_begun_again(void **state)
{
	(void)state;
	make_earlier(NVE_ABI_VERSION - 1);
	open_pinned();
	dpw_close(&w); /* no resync */
	assert_int_equal(version_of(PINS "/nve_meta"), NVE_ABI_VERSION - 1);
	assert_int_equal(mkdir(PINS "/next", 0700), 0);
	pin_a_map(PINS "/next/nve_fdb", 9);
	pin_a_map(PINS "/next/nve_meta", 9);
	open_pinned();
	resync();
	is_of_today();
}

static void a_newer_layout_is_refused_and_untouched_and_can_be_flushed(void **state)
{
	struct nve_dp_config config = { .pin_dir = PINS,
					.local_vtep = dpw_addr("192.0.2.1"),
					.limits = dpw_limits,
					.unload = true };
	uint32_t program, src;
	struct nve_dp *dp;
	char *err = NULL;

	(void)state;
	make_earlier(NVE_ABI_VERSION + 1);
	program = program_id();
	src = map_id(PINS "/nve_src");
	assert_int_equal(open_again(&dpw_limits, &err), -EPROTO);
	assert_non_null(strstr(err, "newer"));
	free(err);
	assert_int_equal(program_id(), program);
	assert_int_equal(map_id(PINS "/nve_src"), src);
	assert_int_equal(access(PINS "/nve_of_yore", F_OK), 0);
	assert_int_equal(nve_dp_ebpf.open(&config, &dp, NULL), 0);
	assert_int_equal(nve_dp_ebpf.flush(dp), 0);
	nve_dp_ebpf.close(dp);
	assert_int_not_equal(access(PINS, F_OK), 0);
	assert_int_equal(dp_probe_attached("a0"), 0);
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

static void flush_leaves_nothing(void **state)
{
	(void)state;
	open_pinned();
	resync();
	assert_int_equal(dp_probe_attached("a0"), 1);
	assert_int_equal(access(PINS "/nve_src", F_OK), 0);
	assert_int_equal(w.ops->flush(w.dp), 0);
	dpw_close(&w);
	assert_int_not_equal(access(PINS, F_OK), 0);
	assert_int_equal(dp_probe_attached("a0"), 0);
	assert_int_equal(dp_probe_attached("u0"), 0);
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
	assert_int_equal(dp_probe_attached("a1"), 0);
	assert_int_equal(dp_probe_attached("a0"), 1);
	open_pinned();
}

#define PINNED(f) cmocka_unit_test_teardown(f, flush)

int main(void)
{
	const struct CMUnitTest tests[] = {
		PINNED(a_restart_with_the_same_intent_writes_nothing),
		PINNED(frames_pass_while_there_is_no_agent_and_until_the_resync_is_done),
		PINNED(a_restart_keeps_generation_and_last_seen_of_what_stays),
		PINNED(rows_of_nobody_are_removed_and_wrong_ones_put_right),
		PINNED(a_second_agent_is_refused_and_told_why),
		PINNED(other_sizes_and_other_versions_are_refused_with_the_remedy),
		PINNED(a_pin_directory_that_is_no_bpffs_is_refused),
		PINNED(maps_of_an_earlier_layout_are_replaced_when_the_new_ones_are_complete),
		PINNED(a_replacement_that_was_cut_short_is_begun_again),
		PINNED(a_newer_layout_is_refused_and_untouched_and_can_be_flushed),
		PINNED(flush_leaves_nothing),
		PINNED(a_port_that_is_configured_no_more_is_detached_by_the_resync),
	};

	if (geteuid() != 0) {
		puts("skipped: needs root");
		return 0;
	}
	dpw_enter();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
