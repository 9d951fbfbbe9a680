/* SPDX-License-Identifier: Apache-2.0 */
/* The local NVA's file: read, asked for all that it says, and read again, which changes nothing. */
#include "lib/fuzz.h"
#include "nva/local_internal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static const struct nve_nva_ops *const ops = &nve_nva_local;

struct seen {
	unsigned changes;
	uint32_t vn_id;
};

static void vn_changed(void *arg, uint32_t vn_id)
{
	struct seen *seen = arg;

	(void)vn_id;
	seen->changes++;
}

static void mapping_changed(void *arg, const struct nve_mapping *mapping, bool gone)
{
	(void)gone;
	vn_changed(arg, mapping->vn_id);
}

static void check_mapping(void *arg, const struct nve_mapping *m)
{
	const struct seen *seen = arg;

	fuzz_check(m->vn_id == seen->vn_id);
	fuzz_check(m->addr.flags && (m->vtep.family == 4 || m->vtep.family == 6));
	fuzz_check(!(m->addr.flags & NVE_ADDR_MAC) || !(m->addr.mac[0] & 1));
}

static void check_profile(struct nve_nva *nva, const char *name)
{
	const struct nve_acl *acl;

	fuzz_check(!ops->profile(nva, name, &acl));
	fuzz_check(acl->n_rules <= NVE_ACL_RULES_MAX);
}

static void check_vn(struct nve_nva *nva, struct seen *seen, const struct nve_local_vn *vn)
{
	const struct nve_vn_context *context;

	seen->vn_id = vn->context.vn_id;
	fuzz_check(seen->vn_id && seen->vn_id <= NVE_VN_ID_MAX);
	fuzz_check(!ops->vn_by_id(nva, seen->vn_id, &context));
	fuzz_check(context->vni <= NVE_VN_ID_MAX && context->glean_max <= NVE_GLEAN_MAX);
	if (*context->name)
		fuzz_check(!ops->vn_by_name(nva, context->name, &context) &&
			   context->vn_id == seen->vn_id);
	if (*context->profile)
		check_profile(nva, context->profile);
	fuzz_check(!ops->mappings(nva, seen->vn_id, check_mapping, seen));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct nve_ip self = { .family = 4, .bytes = { 192, 0, 2, 1 } };
	const struct nve_ip both[2] = { self, { 0 } };
	struct nve_local_table table = { 0 };
	struct seen seen = { 0 };
	struct nve_nva_config config = { .source = fuzz_file(data, size),
					 .local_vtep = self,
					 .callbacks = { vn_changed, mapping_changed, &seen } };
	struct nve_nva *nva = NULL;
	char *err = NULL;
	int r = ops->open(&config, &nva, &err);

	if (r == 0) {
		fuzz_check(nva && !nve_local_read(config.source, both, &table, NULL));
		for (size_t i = 0; i < table.n_vns; i++)
			check_vn(nva, &seen, &table.vns[i]);
		nve_local_free(&table);
		fuzz_check(!ops->reload(nva, &err) && !seen.changes);
	} else {
		fuzz_check(!nva && r == -EINVAL && err && *err);
	}
	ops->close(nva);
	free(err);
	return 0;
}
