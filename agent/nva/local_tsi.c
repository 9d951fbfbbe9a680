/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The local NVA's records of TSIs, for verified VNs (D17; local.example.yaml documents them).
 * Checked whole with the file; a record's memory is its VN's.
 */
#include "nva/local_yaml.h"

#include <cyaml/cyaml.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TEXT(key, flags, type, max)                                                                \
	CYAML_FIELD_STRING_PTR(#key, CYAML_FLAG_POINTER | (flags), type, key, 1, max)
static const cyaml_schema_field_t address_fields[] = {
	TEXT(mac, CYAML_FLAG_OPTIONAL, struct yaml_address, 64),
	TEXT(ip, CYAML_FLAG_OPTIONAL, struct yaml_address, 64),
	CYAML_FIELD_END,
};
static const cyaml_schema_value_t address_schema = {
	CYAML_VALUE_MAPPING(CYAML_FLAG_DEFAULT, struct yaml_address, address_fields),
};
static const cyaml_schema_field_t tsi_fields[] = {
	TEXT(id, 0, struct nve_local_yaml_tsi, 64),
	TEXT(port, CYAML_FLAG_OPTIONAL, struct nve_local_yaml_tsi, NVE_NAME_MAX),
	TEXT(identity, CYAML_FLAG_OPTIONAL, struct nve_local_yaml_tsi, 255),
	CYAML_FIELD_SEQUENCE_COUNT("addresses", CYAML_FLAG_POINTER | CYAML_FLAG_OPTIONAL,
				   struct nve_local_yaml_tsi, addresses, n_addresses,
				   &address_schema, 0, NVE_TSI_ADDRS_MAX),
	CYAML_FIELD_END,
};
const struct cyaml_schema_value nve_local_tsi_schema = {
	CYAML_VALUE_MAPPING(CYAML_FLAG_DEFAULT, struct nve_local_yaml_tsi, tsi_fields),
};

__attribute__((format(printf, 2, 3))) static int bad(char why[300], const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	vsnprintf(why, 300, fmt, args);
	va_end(args);
	return -EINVAL;
}

static int digit_of(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* 32 hexadecimal digits; the dashes of a UUID may stand between. */
static int parse_id(const char *text, struct nve_tsi_id *id)
{
	static const uint8_t zero[NVE_TSI_ID_LEN];
	size_t n = 0;

	for (; *text; text++) {
		int digit = digit_of(*text);

		if (*text == '-' && (n == 8 || n == 12 || n == 16 || n == 20))
			continue;
		if (digit < 0 || n == 2 * sizeof(zero))
			return -EINVAL;
		id->bytes[n / 2] = (uint8_t)(n % 2 ? id->bytes[n / 2] << 4 | digit : digit);
		n++;
	}
	return n != 2 * sizeof(zero) || !memcmp(id->bytes, zero, sizeof(zero)) ? -EINVAL : 0;
}

static int take_address(const char *id, const struct yaml_address *from, struct nve_addr *to,
			char why[300])
{
	struct nve_ip ip;

	*to = (struct nve_addr){ 0 };
	if (!from->mac && !from->ip)
		return bad(why, "tsi %s: an address has neither mac nor ip; write one, or both",
			   id);
	if (from->mac && nve_local_parse_mac(from->mac, to->mac) < 0)
		return bad(why, "tsi %s: '%s' is not a unicast MAC; write it as 02:00:00:00:00:01",
			   id, from->mac);
	if (from->ip && nve_local_parse_ip(from->ip, &ip) < 0)
		return bad(why, "tsi %s: '%s' is not a unicast IP address; correct it", id,
			   from->ip);
	to->flags = from->mac ? NVE_ADDR_MAC : 0;
	if (!from->ip)
		return 0;
	to->flags |= ip.family == 4 ? NVE_ADDR_IPV4 : NVE_ADDR_IPV6;
	memcpy(to->ip, ip.bytes, sizeof(to->ip));
	return 0;
}

static int take_tsi(const struct nve_local_yaml_tsi *from, struct nve_nva_tsi *to, char why[300])
{
	struct nve_addr *addrs = calloc(from->n_addresses + 1, sizeof(*addrs));
	int r = 0;

	if (!addrs)
		return -ENOMEM;
	to->addrs = addrs;
	if (parse_id(from->id, &to->id) < 0)
		return bad(why,
			   "tsi '%s' is no TSI ID; write 32 hexadecimal digits, as a UUID perhaps",
			   from->id);
	snprintf(to->port, sizeof(to->port), "%s", from->port ? from->port : "");
	if (from->identity) {
		to->identity = strdup(from->identity);
		if (!to->identity)
			return -ENOMEM;
	}
	for (unsigned i = 0; i < from->n_addresses && !r; i++) {
		r = take_address(from->id, &from->addresses[i], &addrs[i], why);
		for (unsigned k = 0; k < i && !r; k++)
			if (!memcmp(&addrs[k], &addrs[i], sizeof(*addrs)))
				r = bad(why, "tsi %s: address %u is there twice; remove one",
					from->id, i + 1);
		to->n_addrs += !r;
	}
	return r;
}

static int by_id(const void *a, const void *b)
{
	return memcmp(&((const struct nve_nva_tsi *)a)->id, &((const struct nve_nva_tsi *)b)->id,
		      sizeof(struct nve_tsi_id));
}

int nve_local_take_tsis(const struct nve_local_yaml_tsi *tsis, unsigned n, struct nve_local_vn *vn,
			char why[300])
{
	int r = 0;

	vn->tsis = calloc(n + 1, sizeof(*vn->tsis));
	if (!vn->tsis)
		return -ENOMEM;
	for (unsigned i = 0; i < n && !r; i++)
		r = take_tsi(&tsis[i], &vn->tsis[vn->n_tsis++], why);
	if (r)
		return r;
	qsort(vn->tsis, n, sizeof(*vn->tsis), by_id);
	for (unsigned i = 1; i < n; i++) {
		const uint8_t *id = vn->tsis[i].id.bytes;

		if (!by_id(&vn->tsis[i - 1], &vn->tsis[i]))
			return bad(why, "tsi %02x%02x%02x%02x..%02x%02x is there twice; join them",
				   id[0], id[1], id[2], id[3], id[14], id[15]);
	}
	return 0;
}

void nve_local_free_tsis(struct nve_local_vn *vn)
{
	for (size_t i = 0; i < vn->n_tsis; i++) {
		free((void *)vn->tsis[i].addrs);
		free((void *)vn->tsis[i].identity);
	}
	free(vn->tsis);
}

static bool same_tsi(const struct nve_nva_tsi *a, const struct nve_nva_tsi *b)
{
	return !by_id(a, b) && !strcmp(a->port, b->port) && !a->identity == !b->identity &&
	       (!a->identity || !strcmp(a->identity, b->identity)) && a->n_addrs == b->n_addrs &&
	       !memcmp(a->addrs, b->addrs, a->n_addrs * sizeof(*a->addrs));
}

bool nve_local_same_tsis(const struct nve_local_vn *a, const struct nve_local_vn *b)
{
	if (a->n_tsis != b->n_tsis)
		return false;
	for (size_t i = 0; i < a->n_tsis; i++)
		if (!same_tsi(&a->tsis[i], &b->tsis[i]))
			return false;
	return true;
}
