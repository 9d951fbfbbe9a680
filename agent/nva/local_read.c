/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reading the local NVA's file (local.example.yaml documents it).  libcyaml holds it to the schema
 * and names the line; what no schema can say is checked here, VN by VN, before anything counts.
 */
#include "nva/local_yaml.h"

#include <arpa/inet.h>
#include <cyaml/cyaml.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { BUM_MAX = 10000000 };

/* What libcyaml complains of first, and the innermost place that it names. */
struct complaint {
	char text[200];
	char field[64];
	unsigned line; /* where the innermost thing begins that libcyaml was in */
};

static void hear(cyaml_log_t level, void *ctx, const char *fmt, va_list args)
{
	struct complaint *c = ctx;
	char text[200], *at;

	if (level < CYAML_LOG_ERROR)
		return;
		/* The format is the library's own. */
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
	vsnprintf(text, sizeof(text), fmt, args);
#pragma GCC diagnostic pop
	text[strcspn(text, "\n")] = '\0';
	at = strstr(text, "line: ");
	if (!at)
		at = strstr(text, "line ");
	if (at && !c->line) {
		c->line = (unsigned)strtoul(at + strcspn(at, "0123456789"), NULL, 10);
		sscanf(text, " in mapping field '%63[^']'", c->field);
	}
	if (*c->text || strstr(text, "Backtrace"))
		return;
	at = strncmp(text, "Load: ", 6) ? text : text + 6;
	memcpy(c->text, at, strlen(at) + 1);
}

/* --- checks ---------------------------------------------------------------------------------- */

struct reading {
	const char *path;
	const struct nve_ip *self; /* two */
	char **err;
};

static bool is_self(const struct reading *rd, const struct nve_ip *vtep)
{
	return !memcmp(vtep, &rd->self[0], sizeof(*vtep)) ||
	       !memcmp(vtep, &rd->self[1], sizeof(*vtep));
}

/* Always -EINVAL. */
__attribute__((format(printf, 3, 4))) static int bad(const struct reading *rd,
						     const struct yaml_vn *vn, const char *fmt, ...)
{
	char text[300];
	va_list args;

	va_start(args, fmt);
	vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	if (rd->err && asprintf(rd->err, "%s: VN %s (id %u): %s", rd->path,
				vn->name ? vn->name : "without name", vn->id, text) < 0)
		*rd->err = NULL;
	return -EINVAL;
}

int nve_local_parse_ip(const char *text, struct nve_ip *ip)
{
	static const uint8_t zero[16];

	*ip = (struct nve_ip){ 0 };
	if (inet_pton(AF_INET, text, ip->bytes) == 1)
		ip->family = 4;
	else if (inet_pton(AF_INET6, text, ip->bytes) == 1)
		ip->family = 6;
	else
		return -EINVAL;
	if (!memcmp(ip->bytes, zero, sizeof(zero)))
		return -EINVAL;
	if (ip->family == 4 ? ip->bytes[0] >= 224 : ip->bytes[0] == 0xff)
		return -EINVAL; /* multicast, reserved, broadcast */
	return 0;
}

int nve_local_parse_mac(const char *text, uint8_t mac[NVE_MAC_LEN])
{
	static const uint8_t zero[NVE_MAC_LEN];
	int used = 0;

	/* sscanf() takes signs, blanks and 0x too. */
	if (strspn(text, "0123456789abcdefABCDEF:") != 17 ||
	    sscanf(text, "%2hhx:%2hhx:%2hhx:%2hhx:%2hhx:%2hhx%n", &mac[0], &mac[1], &mac[2],
		   &mac[3], &mac[4], &mac[5], &used) != NVE_MAC_LEN ||
	    text[used] || used != 17)
		return -EINVAL;
	return mac[0] & 1 || !memcmp(mac, zero, NVE_MAC_LEN) ? -EINVAL : 0;
}

int nve_local_compare_mappings(const struct nve_mapping *a, const struct nve_mapping *b)
{
	return memcmp(&a->addr, &b->addr, sizeof(a->addr));
}

static int by_addr(const void *a, const void *b)
{
	return nve_local_compare_mappings(a, b);
}

static int take_mapping(const struct reading *rd, const struct yaml_vn *y,
			const struct yaml_mapping *from, struct nve_mapping *to)
{
	struct nve_ip ip;

	*to = (struct nve_mapping){ .vn_id = y->id, .epoch = from->epoch };
	to->addr.flags = NVE_ADDR_MAC;
	if (nve_local_parse_mac(from->mac, to->addr.mac) < 0)
		return bad(rd, y,
			   "mapping: '%s' is not a unicast MAC; write it as 02:00:00:00:00:01",
			   from->mac);
	if (nve_local_parse_ip(from->vtep, &to->vtep) < 0)
		return bad(rd, y,
			   "mapping %s: vtep '%s' is not a unicast IP address; "
			   "name the other NVE's",
			   from->mac, from->vtep);
	if (from->epoch >= 1ull << 62)
		return bad(rd, y, "mapping %s: the epoch is too large; use a small one, or none",
			   from->mac);
	if (!from->ip)
		return 0;
	if (nve_local_parse_ip(from->ip, &ip) < 0)
		return bad(rd, y, "mapping %s: '%s' is not a unicast IP address; correct it",
			   from->mac, from->ip);
	to->addr.flags |= ip.family == 4 ? NVE_ADDR_IPV4 : NVE_ADDR_IPV6;
	memcpy(to->addr.ip, ip.bytes, sizeof(to->addr.ip));
	return 0;
}

static int take_mappings(const struct reading *rd, const struct yaml_vn *y, struct nve_local_vn *vn)
{
	int r = 0;

	vn->mappings = calloc(y->n_mappings + 1, sizeof(*vn->mappings));
	if (!vn->mappings)
		return -ENOMEM;
	for (unsigned i = 0; i < y->n_mappings && !r; i++) {
		r = take_mapping(rd, y, &y->mappings[i], &vn->mappings[vn->n_mappings]);
		/* One file may serve all NVEs: what is here is not said by the file. */
		if (!r && !is_self(rd, &vn->mappings[vn->n_mappings].vtep))
			vn->n_mappings++;
	}
	if (r)
		return r;
	qsort(vn->mappings, vn->n_mappings, sizeof(*vn->mappings), by_addr);
	for (size_t i = 1; i < vn->n_mappings; i++) {
		const uint8_t *mac = vn->mappings[i].addr.mac;

		if (!by_addr(&vn->mappings[i - 1], &vn->mappings[i]))
			return bad(rd, y,
				   "the address of MAC %02x:%02x:%02x:%02x:%02x:%02x is mapped "
				   "twice; keep one of the two",
				   mac[0], mac[1], mac[2], mac[3], mac[4], mac[5]);
	}
	return 0;
}

static int take_vteps(const struct reading *rd, const struct yaml_vn *y, struct nve_local_vn *vn)
{
	struct nve_ip *vteps = calloc(y->n_vteps + 1, sizeof(*vteps));
	uint32_t n = 0;

	if (!vteps)
		return -ENOMEM;
	vn->context.vteps = vteps;
	for (unsigned i = 0; i < y->n_vteps; i++) {
		if (nve_local_parse_ip(y->vteps[i], &vteps[n]) < 0)
			return bad(rd, y,
				   "vteps: '%s' is not a unicast IP address; name the other NVEs'",
				   y->vteps[i]);
		for (uint32_t k = 0; k < n; k++)
			if (!memcmp(&vteps[k], &vteps[n], sizeof(*vteps)))
				return bad(rd, y, "vteps: %s is listed twice; remove one",
					   y->vteps[i]);
		if (!is_self(rd, &vteps[n]))
			n++;
	}
	vn->context.n_vteps = n;
	return 0;
}

static int take_glean(const struct reading *rd, const struct yaml_vn *y, struct nve_vn_context *c)
{
	const struct yaml_glean *glean = y->glean;

	if (!glean)
		return 0;
	if (glean->max < 1 || glean->max > NVE_GLEAN_MAX)
		return bad(rd, y, "glean: max is out of range; use one in 1..%d", NVE_GLEAN_MAX);
	if (glean->age > NVE_GLEAN_AGE_MAX_MS / 1000)
		return bad(rd, y, "glean: age is out of range; use one in 1..%d seconds",
			   NVE_GLEAN_AGE_MAX_MS / 1000);
	c->glean_max = (uint16_t)glean->max;
	c->glean_age_ms = glean->age ? glean->age * 1000 : NVE_GLEAN_AGE_MS;
	return 0;
}

static int take_tsis(const struct reading *rd, const struct yaml_vn *y, struct nve_local_vn *vn)
{
	char why[300];
	int r = nve_local_take_tsis(y->tsis, y->n_tsis, vn, why);

	return r == -EINVAL ? bad(rd, y, "%s", why) : r;
}

static int take_vn(const struct reading *rd, const struct yaml_vn *y, struct nve_local_vn *vn)
{
	struct nve_vn_context *c = &vn->context;
	int r;

	if (y->id < 1 || y->id > NVE_VN_ID_MAX)
		return bad(rd, y, "the id is out of range; use one in 1..%d", NVE_VN_ID_MAX);
	if (y->vni > NVE_VN_ID_MAX)
		return bad(rd, y, "the vni is out of range; use one in 1..%d, or leave it out",
			   NVE_VN_ID_MAX);
	if (y->mtu && (y->mtu < 576 || y->mtu > 9216))
		return bad(rd, y, "the mtu is out of range; use one in 576..9216, or leave it out");
	if (y->bum_rate > BUM_MAX || y->bum_burst > BUM_MAX || (y->bum_burst && !y->bum_rate))
		return bad(rd, y,
			   "bum_rate and bum_burst are up to %d frames; there is no burst "
			   "without a rate",
			   BUM_MAX);
	for (const char *at = y->name; at && *at; at++)
		if (*at <= ' ' || *at > '~')
			return bad(rd, y,
				   "the name may have visible ASCII characters only; "
				   "rename it");
	c->vn_id = y->id;
	c->vni = y->vni ? y->vni : y->id;
	c->encap = (uint8_t)y->encap;
	c->tos = (uint8_t)y->tos;
	c->security = (uint8_t)y->security;
	c->fail_closed = y->fail_closed;
	c->suppress = y->suppress == YAML_ON;
	c->drop_unknown = y->unknown_unicast == YAML_DROP;
	c->bum_rate = y->bum_rate;
	c->bum_burst = y->bum_burst ? y->bum_burst : y->bum_rate;
	c->mtu = y->mtu;
	snprintf(c->name, sizeof(c->name), "%s", y->name ? y->name : "");
	snprintf(c->profile, sizeof(c->profile), "%s", y->profile ? y->profile : "");
	r = take_glean(rd, y, c);
	if (!r)
		r = take_vteps(rd, y, vn);
	if (!r)
		r = take_tsis(rd, y, vn);
	return r ? r : take_mappings(rd, y, vn);
}

static int by_id(const void *a, const void *b)
{
	uint32_t x = ((const struct nve_local_vn *)a)->context.vn_id;
	uint32_t y = ((const struct nve_local_vn *)b)->context.vn_id;

	return x < y ? -1 : x > y;
}

static int by_vni(const void *a, const void *b)
{
	uint32_t x = (*(struct nve_local_vn *const *)a)->context.vni;
	uint32_t y = (*(struct nve_local_vn *const *)b)->context.vni;

	return x < y ? -1 : x > y;
}

static int by_name(const void *a, const void *b)
{
	return strcmp((*(struct nve_local_vn *const *)a)->context.name,
		      (*(struct nve_local_vn *const *)b)->context.name);
}

/* 'what' is the same in both; the message names the second of them. */
static int clash(const struct reading *rd, const struct nve_local_vn *vn,
		 const struct nve_local_vn *other, const char *what)
{
	struct yaml_vn y = { .id = vn->context.vn_id };
	char name[NVE_NAME_MAX + 1];

	memcpy(name, vn->context.name, sizeof(name));
	y.name = *name ? name : NULL;
	return bad(rd, &y, "has the %s of VN %s (id %u); give each VN its own", what,
		   *other->context.name ? other->context.name : "without name",
		   other->context.vn_id);
}

static int check_unique(const struct reading *rd, struct nve_local_table *t)
{
	qsort(t->vns, t->n_vns, sizeof(*t->vns), by_id);
	for (size_t i = 1; i < t->n_vns; i++)
		if (!by_id(&t->vns[i - 1], &t->vns[i]))
			return clash(rd, &t->vns[i], &t->vns[i - 1], "id");
	t->by_name = calloc(t->n_vns + 1, sizeof(struct nve_local_vn *));
	if (!t->by_name)
		return -ENOMEM;
	for (size_t i = 0; i < t->n_vns; i++)
		t->by_name[i] = &t->vns[i];
	qsort(t->by_name, t->n_vns, sizeof(struct nve_local_vn *), by_vni);
	for (size_t i = 1; i < t->n_vns; i++)
		if (!by_vni(&t->by_name[i - 1], &t->by_name[i]))
			return clash(rd, t->by_name[i], t->by_name[i - 1], "vni");
	for (size_t i = 0; i < t->n_vns; i++)
		if (*t->vns[i].context.name)
			t->by_name[t->n_named++] = &t->vns[i];
	qsort(t->by_name, t->n_named, sizeof(struct nve_local_vn *), by_name);
	for (size_t i = 1; i < t->n_named; i++)
		if (!by_name(&t->by_name[i - 1], &t->by_name[i]))
			return clash(rd, t->by_name[i], t->by_name[i - 1], "name");
	return 0;
}

void nve_local_free(struct nve_local_table *t)
{
	for (size_t i = 0; i < t->n_vns; i++) {
		free((void *)t->vns[i].context.vteps);
		free(t->vns[i].mappings);
		nve_local_free_tsis(&t->vns[i]);
	}
	nve_local_free_profiles(t);
	free(t->vns);
	free(t->by_name);
	*t = (struct nve_local_table){ 0 };
}

struct nve_local_vn *nve_local_find(const struct nve_local_table *table, uint32_t vn_id)
{
	const struct nve_local_vn key = { .context.vn_id = vn_id };

	if (!table->n_vns)
		return NULL;
	return bsearch(&key, table->vns, table->n_vns, sizeof(key), by_id);
}

static int take_file(const struct reading *rd, const struct yaml_file *file,
		     struct nve_local_table *ret)
{
	__attribute__((cleanup(nve_local_free))) struct nve_local_table t = { 0 };
	int r = 0;

	t.vns = calloc(file->n_vns + 1, sizeof(*t.vns));
	if (!t.vns)
		return -ENOMEM;
	r = nve_local_take_profiles(rd->path, file->profiles, file->n_profiles, &t, rd->err);
	for (unsigned i = 0; i < file->n_vns && !r; i++) {
		r = take_vn(rd, &file->vns[i], &t.vns[t.n_vns++]);
		if (!r && file->vns[i].profile && !nve_local_profile(&t, file->vns[i].profile))
			r = bad(rd, &file->vns[i],
				"there is no profile '%s'; write it below 'profiles:'",
				file->vns[i].profile);
	}
	if (!r)
		r = check_unique(rd, &t);
	if (r)
		return r;
	for (size_t i = 0; i < t.n_vns; i++)
		for (size_t k = 0; k < t.vns[i].n_mappings; k++)
			if (t.vns[i].mappings[k].epoch > t.max_epoch)
				t.max_epoch = t.vns[i].mappings[k].epoch;
	*ret = t;
	t = (struct nve_local_table){ 0 };
	return 0;
}

static int complain(const struct reading *rd, const struct complaint *c)
{
	char where[120] = "";

	if (c->line)
		snprintf(where, sizeof(where), " near line %u%s%s:", c->line,
			 *c->field ? ", field " : "", c->field);
	if (rd->err && asprintf(rd->err, "%s:%s %s; compare with local.example.yaml", rd->path,
				where, *c->text ? c->text : "cannot be read") < 0)
		*rd->err = NULL;
	return -EINVAL;
}

int nve_local_read(const char *path, const struct nve_ip self[2], struct nve_local_table *ret,
		   char **err)
{
	const struct reading rd = { path, self, err };
	struct complaint c = { .line = 0 };
	const cyaml_config_t config = { .log_fn = hear,
					.log_ctx = &c,
					.mem_fn = cyaml_mem,
					.log_level = CYAML_LOG_ERROR,
					.flags = CYAML_CFG_NO_ALIAS };
	struct yaml_file *file = NULL;
	int r = access(path, R_OK) < 0 ? -errno : 0;

	if (r < 0) {
		if (err && asprintf(err, "%s: %s; name a readable file, 'vns: []' is the smallest",
				    path, strerror(-r)) < 0)
			*err = NULL;
		return r;
	}
	if (cyaml_load_file(path, &config, &nve_local_file_schema, (cyaml_data_t **)&file, NULL) !=
	    CYAML_OK)
		return complain(&rd, &c);
	if (!file) {
		snprintf(c.text, sizeof(c.text), "the file is empty (write 'vns: []' for no VN)");
		return complain(&rd, &c);
	}
	r = take_file(&rd, file, ret);
	cyaml_free(&config, &nve_local_file_schema, file, 0);
	return r;
}
