/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tables as text.  Names and places of fields come from the maps' BTF, so that what is printed is
 * what the programs read; addresses are printed the way people write them, by the field's name.
 */
#include <arpa/inet.h>
#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "dp/ebpf_acl.h"
#include "dp/ebpf_lines.h"
#include "dp/ebpf_near.h"
#include "dp/ebpf_stats.h"
#include "dp/ebpf_tables.h"
#include "dp/ebpf_why.h"

/* The longest is a flood row of 128 members. */
enum { TEXT_MAX = 16384 };

struct text {
	size_t len;
	char s[TEXT_MAX];
};

/* What a key that is one number means. */
static const char *const key_names[NVE_MAPS] = {
	[NVE_MAP_PORT] = "ifindex",
	[NVE_MAP_VAP] = "vap",
	[NVE_MAP_TSI] = "tsi",
	[NVE_MAP_VTEP] = "vtep",
	[NVE_MAP_FLOOD] = "vn_id",
	[NVE_MAP_DROPS] = "reason",
	[NVE_MAP_TSI_STATS] = "tsi",
	[NVE_MAP_BUM] = "vn_id",
	[NVE_MAP_NEAR_VN] = "hash_and_vid",
	[NVE_MAP_METER] = "meter",
	[NVE_MAP_ICMP_METER] = "meter",
	[NVE_MAP_ACL_SET] = "set",
};

__attribute__((format(printf, 2, 3))) static void say(struct text *t, const char *format, ...)
{
	va_list args;
	int n;

	va_start(args, format);
	n = vsnprintf(t->s + t->len, sizeof(t->s) - t->len, format, args);
	va_end(args);
	if (n > 0)
		t->len += n;
	if (t->len >= sizeof(t->s))
		t->len = sizeof(t->s) - 1;
}

/* --- values ----------------------------------------------------------------------------------- */

static void say_mac(struct text *t, const uint8_t *p)
{
	say(t, "\"%02x:%02x:%02x:%02x:%02x:%02x\"", p[0], p[1], p[2], p[3], p[4], p[5]);
}

static void say_ip(struct text *t, const uint8_t *p, size_t len)
{
	const uint8_t mapped[12] = { [10] = 0xff, [11] = 0xff };
	bool v4 = len == 4 || !memcmp(p, mapped, sizeof(mapped));
	char s[INET6_ADDRSTRLEN];

	inet_ntop(v4 ? AF_INET : AF_INET6, p + (v4 && len == 16 ? 12 : 0), s, sizeof(s));
	say(t, "\"%s\"", s);
}

static void say_bytes(struct text *t, const char *name, const uint8_t *p, uint32_t n)
{
	if (n == NVE_ETH_ALEN && !strcmp(name, "mac")) {
		say_mac(t, p);
	} else if (n == 16 && !strncmp(name, "ip", 2)) {
		say_ip(t, p, n);
	} else {
		say(t, "\"");
		for (uint32_t i = 0; i < n; i++)
			say(t, "%02x", p[i]);
		say(t, "\"");
	}
}

static void say_number(struct text *t, const char *name, const uint8_t *p, uint32_t size)
{
	uint64_t x = 0;

	if (size == 4 && !strcmp(name, "ip4")) {
		say_ip(t, p, 4);
		return;
	}
	memcpy(&x, p, size < 8 ? size : 8); /* host order: little-endian, as every target of ours */
	say(t, "%" PRIu64, x);
}

static bool hidden(const char *name)
{
	return !strncmp(name, "pad", 3) || !strcmp(name, "reserved");
}

static void say_type(struct text *t, const struct btf *btf, uint32_t id, const char *name,
		     const uint8_t *p);

static void say_struct(struct text *t, const struct btf *btf, const struct btf_type *type,
		       const uint8_t *p)
{
	const struct btf_member *m = btf_members(type);
	const char *comma = "";

	say(t, "{");
	for (int i = 0; i < btf_vlen(type); i++) {
		const char *name = btf__name_by_offset(btf, m[i].name_off);

		if (hidden(name))
			continue;
		say(t, "%s\"%s\":", comma, name);
		say_type(t, btf, m[i].type, name, p + btf_member_bit_offset(type, i) / 8);
		comma = ",";
	}
	say(t, "}");
}

/* Of a flood row's members, those up to the last that is not empty. */
static void say_array(struct text *t, const struct btf *btf, const struct btf_array *array,
		      const char *name, const uint8_t *p)
{
	int64_t size = btf__resolve_size(btf, array->type);
	uint32_t n = array->nelems;

	if (size == 1) {
		say_bytes(t, name, p, n);
		return;
	}
	for (bool zero = true; n; n--) {
		for (int64_t i = 0; i < size; i++)
			zero &= !p[(n - 1) * size + i];
		if (!zero)
			break;
	}
	say(t, "[");
	for (uint32_t i = 0; i < n; i++) {
		say(t, i ? "," : "");
		say_type(t, btf, array->type, name, p + i * size);
	}
	say(t, "]");
}

static void say_type(struct text *t, const struct btf *btf, uint32_t id, const char *name,
		     const uint8_t *p)
{
	const struct btf_type *type = btf__type_by_id(btf, btf__resolve_type(btf, id));

	switch (btf_kind(type)) {
	case BTF_KIND_STRUCT:
		say_struct(t, btf, type, p);
		break;
	case BTF_KIND_ARRAY:
		say_array(t, btf, btf_array(type), name, p);
		break;
	default:
		say_number(t, name, p, type->size);
	}
}

/* --- rows ------------------------------------------------------------------------------------- */

struct nve_ebpf_dump {
	enum nve_ebpf_map map;
	const struct btf *btf;
	uint32_t key_type, value_type; /* in it */
	struct bpf_map_info info;
	nve_dp_row_fn *fn;
	void *arg;
	struct text key, value;
};

static void say_key(struct nve_ebpf_dump *d, const void *key)
{
	uint32_t index;

	d->key.len = 0;
	if (d->info.key_size != sizeof(index)) {
		say_type(&d->key, d->btf, d->key_type, "", key);
		return;
	}
	memcpy(&index, key, sizeof(index));
	if (d->map == NVE_MAP_VAP)
		say(&d->key, "{\"port\":%u,\"vid\":%u}", index / NVE_VID_COUNT,
		    index % NVE_VID_COUNT);
	else
		say(&d->key, "{\"%s\":%u}", key_names[d->map], index);
}

/* Per-CPU values are 64-bit counters throughout. */
static void sum_cpus(const struct nve_dp *dp, uint32_t size, uint8_t *value)
{
	uint32_t n = size / sizeof(uint64_t);
	uint64_t *x = (void *)value;

	for (uint32_t cpu = 1; cpu < dp->n_cpus; cpu++)
		for (uint32_t i = 0; i < n; i++)
			x[i] += x[cpu * n + i];
}

static bool zero(const uint8_t *p, size_t n)
{
	return !p[0] && !memcmp(p, p + 1, n - 1);
}

static int dump_row(struct nve_dp *dp, void *arg, const void *key, const void *value)
{
	struct nve_ebpf_dump *d = arg;
	const char *name = d->map == NVE_MAP_DROPS || d->map == NVE_MAP_TSI_DROPS ? "frames" : "";
	bool per_cpu = *name;
	bool array =
		d->info.type == BPF_MAP_TYPE_ARRAY || d->info.type == BPF_MAP_TYPE_PERCPU_ARRAY;

	if (per_cpu)
		sum_cpus(dp, d->info.value_size, (uint8_t *)value);
	if (array && zero(value, d->info.value_size))
		return 0; /* an array has all rows always: those in use count */
	say_key(d, key);
	d->value.len = 0;
	if (*name)
		say(&d->value, "{\"%s\":", name);
	say_type(&d->value, d->btf, d->value_type, name, value);
	if (*name)
		say(&d->value, "}");
	d->fn(d->arg, d->key.s, d->value.s);
	return 0;
}

void nve_ebpf_dump_close(struct nve_ebpf_dump *d)
{
	free(d);
}

int nve_ebpf_dump_open(struct nve_dp *dp, const char *table, struct nve_ebpf_dump **ret)
{
	uint32_t len = sizeof((*ret)->info);
	struct nve_ebpf_dump *d;
	int map = 0, r;

	while (map < NVE_MAPS && strcmp(nve_ebpf_map_name(map) + strlen("nve_"), table))
		map++;
	if (map == NVE_MAPS)
		return -ENOENT;
	d = calloc(1, sizeof(*d));
	if (!d)
		return -ENOMEM;
	d->map = map;
	r = bpf_obj_get_info_by_fd(dp->map[map], &d->info, &len);
	d->btf = nve_ebpf_btf(dp);
	d->key_type = dp->types[map].key;
	d->value_type = dp->types[map].value;
	if (r < 0)
		nve_ebpf_dump_close(d);
	else
		*ret = d;
	return r;
}

static void dump_stats(struct nve_dp *dp, struct nve_ebpf_dump *d)
{
	for (uint32_t i = 0; i < dp->shadow.limits.max_tsis; i++) {
		struct nve_ebpf_counts sum;
		char key[32], value[256];

		if (!dp->shadow.tsis[i].now)
			continue;
		sum = nve_ebpf_counts(dp, i);
		if (zero((const uint8_t *)&sum, sizeof(sum)))
			continue;
		snprintf(key, sizeof(key), "{\"tsi\":%u}", i);
		snprintf(value, sizeof(value),
			 "{\"in_frames\":%" PRIu64 ",\"in_bytes\":%" PRIu64
			 ",\"out_frames\":%" PRIu64 ",\"out_bytes\":%" PRIu64 ",\"seen\":%" PRIu64
			 "}",
			 sum.in_frames, sum.in_bytes, sum.out_frames, sum.out_bytes, sum.seen);
		d->fn(d->arg, key, value);
	}
}

/* Arrays are large and mostly empty: of the mapped ones no row is fetched, of others the used. */
static int dump_rows(struct nve_dp *dp, struct nve_ebpf_dump *d)
{
	const uint8_t *rows = d->map == NVE_MAP_VAP       ? (void *)dp->vap
			      : d->map == NVE_MAP_TSI     ? (void *)dp->tsi
			      : d->map == NVE_MAP_NEAR_VN ? (void *)dp->near_vn
			      : d->map == NVE_MAP_METER   ? nve_ebpf_meter_map(dp)
							  : NULL;
	size_t size = d->info.value_size;

	if (d->map == NVE_MAP_NEAR)
		nve_ebpf_near_dump(dp, d->fn, d->arg);
	else if (d->map == NVE_MAP_TSI_STATS)
		dump_stats(dp, d);
	else if (!rows)
		return nve_ebpf_each(dp, d->map, dump_row, d);
	for (uint32_t i = 0; rows && i < d->info.max_entries; i++)
		if (!zero(rows + i * size, size))
			dump_row(dp, d, &i, rows + i * size);
	return 0;
}

int nve_ebpf_dump(struct nve_dp *dp, const char *table, nve_dp_row_fn *fn, void *arg)
{
	struct nve_ebpf_dump *d = NULL;
	int r;

	if (nve_ebpf_acl_dump(dp, table, fn, arg))
		return 0;
	r = nve_ebpf_dump_open(dp, table, &d);

	if (r < 0)
		return r;
	d->fn = fn;
	d->arg = arg;
	r = dump_rows(dp, d);
	nve_ebpf_dump_close(d);
	return r;
}

void nve_ebpf_dump_say(struct nve_ebpf_dump *d, const void *key, const void *value,
		       const char **key_text, const char **value_text)
{
	say_key(d, key);
	d->value.len = 0;
	d->value.s[0] = '\0';
	if (value && d->info.btf_value_type_id)
		say_type(&d->value, d->btf, d->info.btf_value_type_id, "", value);
	*key_text = d->key.s;
	*value_text = d->value.s;
}

static int dump_near(struct nve_dp *dp, const void *at, struct nve_near_entry *value,
		     nve_dp_row_fn *fn, void *arg)
{
	struct nve_near_text text;
	bool found;
	uint64_t key;

	memcpy(&key, at, sizeof(key));
	found = nve_ebpf_near_get(dp, key, value);
	nve_ebpf_near_say(dp, key, found ? value : NULL, &text);
	fn(arg, text.key, text.value);
	return found;
}

int nve_ebpf_dump_one(struct nve_dp *dp, struct nve_ebpf_dump *d, const void *key, void *value,
		      nve_dp_row_fn *fn, void *arg)
{
	bool found;
	if (d->map == NVE_MAP_ACL)
		return nve_ebpf_acl_dump_one(dp, *(const uint32_t *)key, fn, arg);

	if (d->map == NVE_MAP_NEAR)
		return dump_near(dp, key, value, fn, arg);
	found = bpf_map_lookup_elem(dp->map[d->map], key, value) == 0;
	/* Every row of an array is there; one that is all zero holds nothing. */
	if (found && d->info.type == BPF_MAP_TYPE_ARRAY)
		found = !zero(value, d->info.value_size);
	say_key(d, key);
	d->value.len = 0;
	d->value.s[0] = '\0';
	if (found)
		say_type(&d->value, d->btf, d->value_type, "", value);
	fn(arg, d->key.s, d->value.s);
	return found;
}

/* --- sizes ------------------------------------------------------------------------------------ */

static uint32_t ports_used(const struct nve_dp *dp)
{
	uint32_t n = 0;

	for (int i = 0; i < NVE_PORTS_MAX; i++)
		n += dp->shadow.port_is_set[i] && dp->ports[i].ifindex;
	return n;
}

static int count_row(struct nve_dp *dp, void *arg, const void *key, const void *value)
{
	(void)dp;
	(void)key;
	(void)value;
	++*(uint64_t *)arg;
	return 0;
}

static uint64_t used_rows(struct nve_dp *dp, enum nve_ebpf_map map)
{
	const struct nve_shadow *s = &dp->shadow;
	uint64_t n = 0;

	switch (map) {
	case NVE_MAP_PORT:
		return ports_used(dp);
	case NVE_MAP_VAP:
		return s->vaps.n;
	case NVE_MAP_TSI:
	case NVE_MAP_TSI_STATS:
		return s->n_tsis;
	case NVE_MAP_SRC:
		return dp->n_src;
	case NVE_MAP_SRC_IP:
		return dp->n_src_ip;
	case NVE_MAP_FDB:
		return s->n_fdb;
	case NVE_MAP_VTEP:
		return s->n_vteps;
	case NVE_MAP_PEER:
		return s->n_peers;
	case NVE_MAP_FLOOD:
		return s->n_vns;
	case NVE_MAP_NEIGH:
		return s->neighs.n;
	case NVE_MAP_ACL_SET:
		return s->n_acls;
	case NVE_MAP_ACL:
		return s->n_acl_rows;
	case NVE_MAP_NEAR:
		return dp->n_near;
	case NVE_MAP_NEAR_VN:
		return s->vaps.n < dp->buffer[map].max_entries ? s->vaps.n
							       : dp->buffer[map].max_entries;
	case NVE_MAP_METER:
		return s->n_meters;
	case NVE_MAP_ICMP_METER:
		return NVE_ICMP_METERS;
	case NVE_MAP_ANSWERS:
		return NVE_ANSWER_COUNT;
	case NVE_MAP_GLEANER:
	case NVE_MAP_GLEANED:
	case NVE_MAP_BUM:
	case NVE_MAP_TSI_DROPS:
		nve_ebpf_each(dp, map, count_row, &n);
		return n;
	default:
		return NVE_DROP_COUNT;
	}
}

const char *nve_ebpf_table(struct nve_dp *dp, size_t i, uint64_t *used, uint64_t *max)
{
	if (i >= NVE_MAPS)
		return NULL;
	*used = used_rows(dp, i);
	/* A pair of rows is one meter. */
	*max = i == NVE_MAP_METER       ? dp->shadow.limits.max_meters
	       : i == NVE_MAP_NEAR      ? nve_ebpf_near_max(dp)
	       : i == NVE_MAP_TSI_STATS ? dp->shadow.limits.max_tsis
					: dp->buffer[i].max_entries;
	return nve_ebpf_map_name(i) + strlen("nve_");
}
