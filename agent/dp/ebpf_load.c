/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Programs and maps: sized, loaded, pinned, and mapped.  The only file
 * that sees the skeleton, but for ebpf_why.c, which loads a second one over the same maps.
 * Maps that an earlier agent pinned are taken over if layout and sizes are ours; programs are
 * always loaded anew.
 */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "dp/ebpf_answers.h"
#include "dp/ebpf_tables.h"
#include "nve.skel.h"

enum {
	SLACK = 4096, /* rows of a change, beyond those before and after; see ebpf_apply.c */
	TSI_DROPS_MAX = 65536,
};

/* Tells what pinned maps look like; pinned beside them. */
struct meta {
	uint32_t version;
	uint32_t pad;
};
#define META "nve_meta"

static const char *const map_names[NVE_MAPS] = {
	[NVE_MAP_PORT] = "nve_port",
	[NVE_MAP_VAP] = "nve_vap",
	[NVE_MAP_TSI] = "nve_tsi",
	[NVE_MAP_SRC] = "nve_src",
	[NVE_MAP_SRC_IP] = "nve_src_ip",
	[NVE_MAP_FDB] = "nve_fdb",
	[NVE_MAP_VTEP] = "nve_vtep",
	[NVE_MAP_PEER] = "nve_peer",
	[NVE_MAP_FLOOD] = "nve_flood",
	[NVE_MAP_METER] = "nve_meter",
	[NVE_MAP_ICMP_METER] = "nve_icmp_meter",
	[NVE_MAP_ANSWERS] = "nve_answers",
	[NVE_MAP_DROPS] = "nve_drops",
	[NVE_MAP_TSI_DROPS] = "nve_tsi_drops",
	[NVE_MAP_TSI_STATS] = "nve_tsi_stats",
};

static const char *const prog_names[NVE_PROGS] = {
	[NVE_PROG_XDP_ACCESS] = "xdp_access", [NVE_PROG_XDP_UNDERLAY] = "xdp_underlay",
	[NVE_PROG_TC_ACCESS] = "tc_access",   [NVE_PROG_TC_UNDERLAY] = "tc_underlay",
	[NVE_PROG_TC_SEND] = "tc_send",
};

const char *nve_ebpf_map_name(enum nve_ebpf_map map)
{
	return map_names[map];
}

const char *nve_ebpf_prog_name(enum nve_ebpf_prog prog)
{
	return prog_names[prog];
}

static uint32_t map_size(const struct nve_dp *dp, enum nve_ebpf_map map)
{
	const struct nve_dp_limits *l = &dp->shadow.limits;

	switch (map) {
	case NVE_MAP_PORT:
		return NVE_PORTS_MAX;
	case NVE_MAP_VAP:
		return NVE_PORTS_MAX * NVE_VID_COUNT;
	case NVE_MAP_TSI:
	case NVE_MAP_TSI_STATS:
		return l->max_tsis;
	case NVE_MAP_SRC:
	case NVE_MAP_SRC_IP:
		return l->max_addrs + SLACK;
	case NVE_MAP_FDB:
		return l->max_fdb + SLACK;
	case NVE_MAP_VTEP:
		return l->max_vteps;
	case NVE_MAP_PEER:
		return dp->shadow.max_peers;
	case NVE_MAP_FLOOD:
		return l->max_vns;
	case NVE_MAP_METER:
		return nve_ebpf_meter_rows(dp);
	case NVE_MAP_ICMP_METER:
		return NVE_ICMP_METERS;
	case NVE_MAP_ANSWERS:
		return NVE_ANSWER_COUNT;
	case NVE_MAP_TSI_DROPS:
		return 4ull * l->max_tsis < TSI_DROPS_MAX ? 4 * l->max_tsis : TSI_DROPS_MAX;
	default:
		return NVE_DROP_COUNT;
	}
}

static bool per_cpu(const struct bpf_map *map)
{
	enum bpf_map_type type = bpf_map__type(map);

	return type == BPF_MAP_TYPE_PERCPU_ARRAY || type == BPF_MAP_TYPE_PERCPU_HASH;
}

/* --- pinned maps ------------------------------------------------------------------------------ */

/* 0: nothing is pinned; 1: something of our version is. */
static int check_meta(const struct nve_dp *dp, char **err)
{
	struct meta meta = { 0 };
	uint32_t zero = 0;
	char path[256];
	int fd, r;

	if (!nve_ebpf_pin_path(dp, path, META))
		return 0;
	fd = bpf_obj_get(path);
	if (fd == -ENOENT)
		return 0;
	if (fd < 0)
		return nve_ebpf_error(err, fd, "%s: %s", path, strerror(-fd));
	r = bpf_map_lookup_elem(fd, &zero, &meta);
	close(fd);
	if (r == 0 && meta.version == NVE_ABI_VERSION)
		return 1;
	return nve_ebpf_error(err, -EPROTO,
			      "the maps below %s are of version %u of their layout, this agent "
			      "knows version %d: run 'nved --flush' (traffic stops until the agent "
			      "has started again)",
			      dp->pin_dir, meta.version, NVE_ABI_VERSION);
}

static int pin_meta(const struct nve_dp *dp)
{
	const struct meta meta = { .version = NVE_ABI_VERSION };
	uint32_t zero = 0;
	char path[256];
	int fd, r;

	if (!nve_ebpf_pin_path(dp, path, META))
		return 0;
	fd = bpf_map_create(BPF_MAP_TYPE_ARRAY, META, sizeof(zero), sizeof(meta), 1, NULL);
	if (fd < 0)
		return fd;
	r = bpf_map_update_elem(fd, &zero, &meta, BPF_ANY);
	if (r == 0)
		r = bpf_obj_pin(fd, path);
	close(fd);
	return r;
}

static int take_over(const struct nve_dp *dp, struct bpf_map *map, char **err)
{
	const char *name = bpf_map__name(map);
	struct bpf_map_info info = { 0 };
	uint32_t len = sizeof(info);
	char path[256];
	int fd, r;

	if (!nve_ebpf_pin_path(dp, path, name))
		return 0;
	fd = bpf_obj_get(path);
	if (fd == -ENOENT)
		return 0; /* the earlier agent did not come so far */
	r = fd < 0 ? fd : bpf_obj_get_info_by_fd(fd, &info, &len);
	if (r == 0 &&
	    (info.max_entries != bpf_map__max_entries(map) ||
	     info.key_size != bpf_map__key_size(map) ||
	     info.value_size != bpf_map__value_size(map) || info.type != bpf_map__type(map)))
		r = nve_ebpf_error(err, -EPROTO,
				   "%s has room for %u rows, the configured limits ask for %u: run "
				   "'nved --flush' (traffic stops until the agent has started "
				   "again), or set the limits back",
				   path, info.max_entries, bpf_map__max_entries(map));
	else if (r < 0)
		nve_ebpf_error(err, r, "%s: %s", path, strerror(-r));
	else
		r = bpf_map__reuse_fd(map, fd);
	if (fd >= 0)
		close(fd);
	return r;
}

static int pin(const struct nve_dp *dp, enum nve_ebpf_map map, char **err)
{
	char path[256];
	int r;

	if (!nve_ebpf_pin_path(dp, path, map_names[map]) || access(path, F_OK) == 0)
		return 0;
	r = bpf_obj_pin(dp->map[map], path);
	return r < 0 ? nve_ebpf_error(err, r, "%s: cannot pin: %s", path, strerror(-r)) : 0;
}

/* --- loading ---------------------------------------------------------------------------------- */

static int prepare(struct nve_dp *dp, struct nve *skel, bool pinned, char **err)
{
	memcpy((void *)&skel->rodata->nve_local_vtep, dp->local_vtep.bytes, 4);
	memcpy((void *)skel->rodata->nve_local_vtep6, dp->local_vtep6.bytes, 16);
	skel->rodata->nve_vxlan_port = __builtin_bswap16(dp->vxlan_port);
	skel->rodata->nve_geneve_port = __builtin_bswap16(dp->geneve_port);
	skel->rodata->nve_n_ports = NVE_PORTS_MAX;
	for (int i = 0; i < NVE_MAPS; i++) {
		struct bpf_map *map = bpf_object__find_map_by_name(skel->obj, map_names[i]);
		int r = bpf_map__set_max_entries(map, map_size(dp, i));

		if (r == 0 && pinned)
			r = take_over(dp, map, err);
		if (r < 0)
			return r;
	}
	return 0;
}

static void *map_memory(int fd, size_t size)
{
	void *p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

	return p == MAP_FAILED ? NULL : p;
}

static size_t tsi_bytes(const struct nve_dp *dp)
{
	return dp->shadow.limits.max_tsis * sizeof(struct nve_tsi_row);
}

static size_t vap_bytes(void)
{
	return (size_t)NVE_PORTS_MAX * NVE_VID_COUNT * sizeof(struct nve_vap_row);
}

static int use(struct nve_dp *dp, struct nve *skel)
{
	int cpus = libbpf_num_possible_cpus();

	if (cpus < 0)
		return cpus;
	dp->n_cpus = cpus;
	for (int i = 0; i < NVE_PROGS; i++)
		dp->prog[i] =
			bpf_program__fd(bpf_object__find_program_by_name(skel->obj, prog_names[i]));
	for (int i = 0; i < NVE_MAPS; i++) {
		const struct bpf_map *map = bpf_object__find_map_by_name(skel->obj, map_names[i]);

		dp->map[i] = bpf_map__fd(map);
		dp->buffer[i].key_size = bpf_map__key_size(map);
		dp->buffer[i].value_size = bpf_map__value_size(map) * (per_cpu(map) ? cpus : 1);
		dp->buffer[i].max_entries = bpf_map__max_entries(map);
		if (nve_ebpf_rows_open(&dp->buffer[i]) < 0)
			return -ENOMEM;
	}
	dp->tsi = map_memory(dp->map[NVE_MAP_TSI], tsi_bytes(dp));
	dp->vap = map_memory(dp->map[NVE_MAP_VAP], vap_bytes());
	if (!dp->tsi || !dp->vap)
		return -ENOMEM;
	return nve_ebpf_meters_open(dp) ?: nve_ebpf_icmp_rate(dp);
}

static int quiet(enum libbpf_print_level level, const char *format, va_list args)
{
	(void)level;
	(void)format;
	(void)args;
	return 0;
}

int nve_ebpf_load(struct nve_dp *dp, char **err)
{
	struct nve *skel;
	int r, pinned = check_meta(dp, err);

	if (pinned < 0)
		return pinned;
	libbpf_set_print(quiet);
	skel = nve__open();
	if (!skel)
		return nve_ebpf_error(err, -errno, "the BPF object cannot be opened: %s",
				      strerror(errno));
	dp->object = skel;
	r = prepare(dp, skel, pinned, err);
	if (r < 0)
		return r;
	r = nve__load(skel);
	if (r < 0)
		return nve_ebpf_error(err, r, "the kernel does not load the BPF programs: %s%s",
				      strerror(-r), r == -EPERM ? "; root is needed" : "");
	r = use(dp, skel);
	if (r == 0 && !pinned)
		r = pin_meta(dp);
	if (r < 0)
		return nve_ebpf_error(err, r, "BPF maps: %s", strerror(-r));
	for (int i = 0; i < NVE_MAPS && r == 0; i++)
		r = pin(dp, i, err);
	return r;
}

void nve_ebpf_unload(struct nve_dp *dp)
{
	if (dp->tsi)
		munmap(dp->tsi, tsi_bytes(dp));
	if (dp->vap)
		munmap(dp->vap, vap_bytes());
	nve_ebpf_meters_close(dp);
	for (int i = 0; i < NVE_MAPS; i++)
		nve_ebpf_rows_close(&dp->buffer[i]);
	if (dp->object)
		nve__destroy(dp->object);
	dp->object = NULL;
}
