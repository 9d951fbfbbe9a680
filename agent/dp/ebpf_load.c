/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Programs and maps: sized, loaded, pinned, and mapped.  The only file
 * that sees the skeleton, but for ebpf_why.c, which loads a second one over the same maps, and
 * ebpf_glean.c, which reads its ring buffer.
 * Maps that an earlier agent pinned are taken over if layout and sizes are ours, and replaced if
 * the layout is an earlier one (ebpf_migrate.c); programs are always loaded anew.
 */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <unistd.h>

#include "dp/ebpf_answers.h"
#include "dp/ebpf_lines.h"
#include "dp/ebpf_tables.h"
#include "nve.skel.h"

enum {
	SLACK = 4096, /* rows of a change, beyond those before and after; see ebpf_apply.c */
	TSI_DROPS_MAX = 65536,
};

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
	[NVE_MAP_NEIGH] = "nve_neigh",
	[NVE_MAP_BUM] = "nve_bum",
	[NVE_MAP_ACL_SET] = "nve_acl_set",
	[NVE_MAP_ACL] = "nve_acl",
	[NVE_MAP_METER] = "nve_meter",
	[NVE_MAP_ICMP_METER] = "nve_icmp_meter",
	[NVE_MAP_GLEANER] = "nve_gleaner",
	[NVE_MAP_GLEANED] = "nve_gleaned",
	[NVE_MAP_ANSWERS] = "nve_answers",
	[NVE_MAP_DROPS] = "nve_drops",
	[NVE_MAP_TSI_DROPS] = "nve_tsi_drops",
	[NVE_MAP_TSI_STATS] = "nve_tsi_stats",
	[NVE_MAP_NEAR] = "nve_near",
	[NVE_MAP_NEAR_VN] = "nve_near_vn",
};

static const char *const prog_names[NVE_PROGS] = {
	[NVE_PROG_XDP_ACCESS] = "xdp_access", [NVE_PROG_XDP_UNDERLAY] = "xdp_underlay",
	[NVE_PROG_TC_ACCESS] = "tc_access",   [NVE_PROG_TC_UNDERLAY] = "tc_underlay",
	[NVE_PROG_TC_SEND] = "tc_send",       [NVE_PROG_XDP_COPY] = "xdp_copy",
};

/* What the making of copies in XDP needs beside the tables (ebpf_copier.c): pinned as they are. */
static const char *const copier_names[NVE_COPIER_MAPS] = {
	[NVE_COPIER_LOOP] = "nve_copier",
	[NVE_COPIER_PORTS] = "nve_copies",
	[NVE_COPIER_ROOM] = "nve_copying",
};

const char *nve_ebpf_map_name(enum nve_ebpf_map map)
{
	return map_names[map];
}

const char *nve_ebpf_copier_name(enum nve_ebpf_copier_map map)
{
	return copier_names[map];
}

const char *nve_ebpf_prog_name(enum nve_ebpf_prog prog)
{
	return prog_names[prog];
}

/* Half full where all forwarding rows have an entry. */
static uint32_t near_size(const struct nve_dp *dp)
{
	uint32_t buckets = 64;

	while (buckets < dp->shadow.limits.max_fdb)
		buckets *= 2;
	return buckets;
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
		return l->max_tsis;
	case NVE_MAP_TSI_STATS:
		return nve_ebpf_stats_rows(dp);
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
	case NVE_MAP_BUM:
		return l->max_vns;
	case NVE_MAP_NEIGH:
		return nve_shadow_max_neighs(l) + SLACK;
	case NVE_MAP_ACL_SET:
		return NVE_ACL_SETS;
	case NVE_MAP_ACL:
		return NVE_ACL_ROWS;
	case NVE_MAP_METER:
		return nve_ebpf_meter_rows(dp);
	case NVE_MAP_ICMP_METER:
		return NVE_ICMP_METERS;
	case NVE_MAP_GLEANER:
		return 2 * l->max_tsis;
	case NVE_MAP_GLEANED:
		return l->max_addrs;
	case NVE_MAP_ANSWERS:
		return NVE_ANSWER_COUNT;
	case NVE_MAP_NEAR:
		return near_size(dp);
	case NVE_MAP_NEAR_VN:
		return NVE_NEAR_PORTS * NVE_VID_COUNT;
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

static int pin(const char *below, const char *name, int fd, char **err)
{
	char path[256];
	int r;

	if (snprintf(path, sizeof(path), "%s/%s", below, name) >= (int)sizeof(path))
		return -ENAMETOOLONG;
	if (access(path, F_OK) == 0)
		return 0;
	r = bpf_obj_pin(fd, path);
	return r < 0 ? nve_ebpf_error(err, r, "%s: cannot pin: %s", path, strerror(-r)) : 0;
}

/* Where there was none of our layout, 'dp' gets one. */
static int pin_meta(struct nve_dp *dp, const char *below, char **err)
{
	const uint32_t meta[2] = { NVE_ABI_VERSION };
	uint32_t zero = 0;
	int r = 0, fd;

	if (!dp->meta) {
		fd = bpf_map_create(BPF_MAP_TYPE_ARRAY, NVE_PIN_META, sizeof(zero), sizeof(meta), 1,
				    NULL);
		if (fd < 0)
			return nve_ebpf_error(err, fd, "BPF maps: %s", strerror(-fd));
		dp->meta = fd;
		r = bpf_map_update_elem(fd, &zero, meta, BPF_ANY);
	}
	return r < 0 ? r : pin(below, NVE_PIN_META, dp->meta, err);
}

int nve_ebpf_pin_maps(struct nve_dp *dp, const char *below, char **err)
{
	int r = pin_meta(dp, below, err);

	for (int i = 0; i < NVE_MAPS && r == 0; i++)
		r = pin(below, map_names[i], dp->map[i], err);
	for (int i = 0; i < NVE_COPIER_MAPS && r == 0; i++)
		r = pin(below, copier_names[i], dp->copier.map[i], err);
	return r;
}

/* --- loading ---------------------------------------------------------------------------------- */

static int prepare(struct nve_dp *dp, struct nve *skel, bool pinned, char **err)
{
	memcpy((void *)&skel->rodata->nve_local_vtep, dp->local_vtep.bytes, 4);
	memcpy((void *)skel->rodata->nve_local_vtep6, dp->local_vtep6.bytes, 16);
	skel->rodata->nve_vxlan_port = __builtin_bswap16(dp->vxlan_port);
	skel->rodata->nve_geneve_port = __builtin_bswap16(dp->geneve_port);
	skel->rodata->nve_n_ports = NVE_PORTS_MAX;
	skel->rodata->nve_n_tsis = dp->shadow.limits.max_tsis;
	skel->rodata->nve_near_mask = dp->near_mask;
	skel->rodata->nve_n_lines = dp->n_lines;
	skel->rodata->nve_cpu_rows = dp->n_lines + dp->shadow.limits.max_tsis;
	skel->rodata->nve_near_seed = dp->near_seed;
	for (int i = 0; i < NVE_MAPS; i++) {
		struct bpf_map *map = bpf_object__find_map_by_name(skel->obj, map_names[i]);
		int r = bpf_map__set_max_entries(map, map_size(dp, i));

		/* Before the map becomes an old one: its types are numbered as in another object.
		 */
		dp->types[i].key = bpf_map__btf_key_type_id(map);
		dp->types[i].value = bpf_map__btf_value_type_id(map);
		if (r == 0 && pinned)
			r = take_over(dp, map, err);
		if (r < 0)
			return r;
	}
	for (int i = 0; i < NVE_COPIER_MAPS && pinned; i++) {
		int r = take_over(dp, bpf_object__find_map_by_name(skel->obj, copier_names[i]),
				  err);

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

/* What is mapped of an array; where, of the agent's. */
static const struct mapped {
	enum nve_ebpf_map map;
	size_t at, size;
} mapped[] = {
	{ NVE_MAP_TSI, offsetof(struct nve_dp, tsi), sizeof(struct nve_tsi_row) },
	{ NVE_MAP_VAP, offsetof(struct nve_dp, vap), sizeof(struct nve_vap_row) },
	{ NVE_MAP_TSI_STATS, offsetof(struct nve_dp, stats), sizeof(struct nve_tsi_stats) },
	{ NVE_MAP_NEAR, offsetof(struct nve_dp, near), sizeof(struct nve_near_bucket) },
	{ NVE_MAP_NEAR_VN, offsetof(struct nve_dp, near_vn), sizeof(struct nve_near_vn) },
};
enum { MAPPED = sizeof(mapped) / sizeof(mapped[0]) };

static void **place_of(struct nve_dp *dp, const struct mapped *m)
{
	return (void **)((char *)dp + m->at);
}

static size_t bytes_of(const struct nve_dp *dp, const struct mapped *m)
{
	return m->size * map_size(dp, m->map);
}

static int map_arrays(struct nve_dp *dp)
{
	for (int i = 0; i < MAPPED; i++) {
		void *p = map_memory(dp->map[mapped[i].map], bytes_of(dp, &mapped[i]));

		if (!p)
			return -ENOMEM;
		*place_of(dp, &mapped[i]) = p;
	}
	return 0;
}

static int use(struct nve_dp *dp, struct nve *skel)
{
	int r;

	for (int i = 0; i < NVE_PROGS; i++)
		dp->prog[i] =
			bpf_program__fd(bpf_object__find_program_by_name(skel->obj, prog_names[i]));
	for (int i = 0; i < NVE_MAPS; i++) {
		const struct bpf_map *map = bpf_object__find_map_by_name(skel->obj, map_names[i]);

		dp->map[i] = bpf_map__fd(map);
		dp->buffer[i].key_size = bpf_map__key_size(map);
		dp->buffer[i].value_size =
			bpf_map__value_size(map) * (per_cpu(map) ? dp->n_cpus : 1);
		dp->buffer[i].max_entries = bpf_map__max_entries(map);
		if (nve_ebpf_rows_open(&dp->buffer[i]) < 0)
			return -ENOMEM;
	}
	for (int i = 0; i < NVE_COPIER_MAPS; i++)
		dp->copier.map[i] =
			bpf_map__fd(bpf_object__find_map_by_name(skel->obj, copier_names[i]));
	r = map_arrays(dp);
	if (r == 0)
		r = nve_ebpf_lines_open(dp);
	if (r == 0)
		r = nve_ebpf_meters_open(dp);
	return r < 0 ? r : nve_ebpf_icmp_rate(dp);
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
	int r, pinned = nve_ebpf_check_meta(dp, err), cpus = libbpf_num_possible_cpus();

	if (pinned < 0 || cpus < 0)
		return pinned < 0 ? pinned : cpus;
	dp->n_cpus = cpus;
	dp->near_mask = near_size(dp) - 1;
	dp->n_lines = nve_ebpf_n_lines(dp->shadow.limits.max_tsis);
	/* Any will do: with another one, an entry is not found. */
	if (getrandom(&dp->near_seed, sizeof(dp->near_seed), 0) < 0)
		return nve_ebpf_error(err, -errno, "random numbers: %s", strerror(errno));
	dp->near_last = dp->near_seed % NVE_NEAR_VN_MAX;
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
	if (r < 0)
		return nve_ebpf_error(err, r, "BPF maps: %s", strerror(-r));
	return dp->pin_dir && !dp->migrating ? nve_ebpf_pin_maps(dp, dp->pin_dir, err) : 0;
}

const struct btf *nve_ebpf_btf(const struct nve_dp *dp)
{
	const struct nve *skel = dp->object;

	return bpf_object__btf(skel->obj);
}

void nve_ebpf_unload(struct nve_dp *dp)
{
	for (int i = 0; i < MAPPED; i++)
		if (*place_of(dp, &mapped[i]))
			munmap(*place_of(dp, &mapped[i]), bytes_of(dp, &mapped[i]));
	nve_ebpf_lines_close(dp);
	nve_ebpf_meters_close(dp);
	if (dp->meta > 0)
		close(dp->meta);
	for (int i = 0; i < NVE_MAPS; i++)
		nve_ebpf_rows_close(&dp->buffer[i]);
	if (dp->object)
		nve__destroy(dp->object);
	dp->object = NULL;
}
