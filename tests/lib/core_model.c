/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/core_model.h"

#include <string.h>

struct nve_addr model_binding(unsigned int i)
{
	return i < MODEL_BINDINGS / 2 ? mac(i + 1) : ip4(i + 1 - MODEL_BINDINGS / 2);
}

static void read_tsi(struct model *model, const struct nve_core *core, uint32_t slot)
{
	struct nve_tsi_addr addrs[NVE_TSI_ADDRS_MAX];
	struct model_tsi *row = &model->tsis[slot];
	const struct nve_tsi *tsi = nve_core_tsi(core, slot);
	size_t n;

	memset(row, 0, sizeof(*row));
	if (!tsi)
		return;
	row->pub = *tsi;
	row->pub.deadline_ns = row->pub.glean_ns = 0;
	n = nve_core_tsi_addrs(core, slot, addrs);
	assert_int_equal(n, tsi->n_addrs);
	assert_in_range(n, 0, MODEL_ADDRS);
	memcpy(row->addrs, addrs, n * sizeof(addrs[0]));
}

static void read_vap(struct model *model, const struct nve_core *core, uint16_t port,
		     uint32_t vn_id)
{
	struct nve_vap *row = &model->vaps[port][vn_id - 1];
	const struct nve_vap *vap = nve_core_vap(core, port, vn_id);

	memset(row, 0, sizeof(*row));
	if (vap)
		*row = *vap;
}

static void read_tag(struct model *model, const struct nve_core *core, uint16_t scope, uint16_t tag)
{
	struct nve_tag now = nve_core_tag(core, scope, tag);
	struct nve_tag *row = &model->tags[scope][tag - MODEL_TAG_MIN];

	memset(row, 0, sizeof(*row));
	row->scope = now.scope;
	row->tag = now.tag;
	row->use = now.use;
	row->vn_id = now.vn_id;
	row->until_ns = now.until_ns;
}

static void read_owners(struct model *model, const struct nve_core *core, uint32_t vn_id,
			unsigned int i)
{
	struct model_owners *row = &model->owners[vn_id - 1][i];
	struct nve_addr binding = model_binding(i);

	memset(row, 0, sizeof(*row));
	row->n = (uint32_t)nve_core_bearers(core, vn_id, &binding, row->slots, MODEL_PORTS);
	for (uint32_t k = 0; k < row->n; k++)
		row->works[k] = nve_core_addr_works(core, row->slots[k], &binding);
}

void model_read(struct model *model, const struct nve_core *core)
{
	memset(model, 0, sizeof(*model));
	for (uint32_t slot = 0; slot < core->config.max_tsis; slot++)
		read_tsi(model, core, slot);
	for (uint16_t port = 0; port < core->config.n_ports; port++)
		for (uint32_t vn_id = 1; vn_id <= MODEL_VNS; vn_id++)
			read_vap(model, core, port, vn_id);
	for (uint16_t scope = 0; scope < core->config.n_scopes; scope++)
		for (uint16_t tag = core->config.scopes[scope].tag_min;
		     tag <= core->config.scopes[scope].tag_max; tag++)
			read_tag(model, core, scope, tag);
	for (uint32_t vn_id = 1; vn_id <= MODEL_VNS; vn_id++)
		for (unsigned int i = 0; i < MODEL_BINDINGS; i++)
			read_owners(model, core, vn_id, i);
}

static unsigned int binding_index(const struct nve_addr *addr)
{
	for (unsigned int i = 0; i < MODEL_BINDINGS; i++) {
		struct nve_addr binding = model_binding(i);

		if (memcmp(&binding, addr, sizeof(binding)) == 0)
			return i;
	}
	fail_msg("an action names an address that is no binding of this world");
	return 0;
}

void model_apply(struct model *model, const struct nve_core *core, const struct nve_action *actions,
		 size_t n)
{
	for (size_t i = 0; i < n; i++) {
		const struct nve_action *action = &actions[i];

		switch ((enum nve_action_kind)action->kind) {
		case NVE_ACT_TAG:
			read_tag(model, core, action->scope, action->tag);
			break;
		case NVE_ACT_VAP:
			read_vap(model, core, action->port, action->vn_id);
			break;
		case NVE_ACT_TSI:
			read_tsi(model, core, action->slot);
			break;
		case NVE_ACT_BIND:
			read_owners(model, core, action->vn_id, binding_index(&action->addr));
			break;
		case NVE_ACT_NOTICE:
			break;
		}
	}
}

bool model_equal(const struct model *a, const struct model *b)
{
	return memcmp(a, b, sizeof(*a)) == 0;
}

static bool tsi_admits(const struct model_tsi *tsi, unsigned int binding)
{
	struct nve_addr want = model_binding(binding);

	if (tsi->pub.state != NVE_TSI_ACTIVATED)
		return false;
	for (uint32_t i = 0; i < tsi->pub.n_addrs; i++) {
		struct nve_addr has = nve_binding_of(&tsi->addrs[i].addr);

		if (tsi->addrs[i].active && memcmp(&has, &want, sizeof(has)) == 0)
			return true;
	}
	return false;
}

bool model_admits(const struct model *model, uint16_t port, uint16_t tag, unsigned int binding,
		  uint32_t *vn_id)
{
	*vn_id = 0;
	for (unsigned int i = 0; i < MODEL_VNS; i++)
		if (model->vaps[port][i].vn_id && model->vaps[port][i].tag == tag)
			*vn_id = i + 1;
	for (unsigned int slot = 0; slot < MODEL_TSIS; slot++) {
		const struct nve_tsi_key *key = &model->tsis[slot].pub.key;

		if (*vn_id && key->port == port && key->vn_id == *vn_id &&
		    tsi_admits(&model->tsis[slot], binding))
			return true;
	}
	return false;
}

/* Frames pass exactly where the core says that the address works. */
static const char *traffic_fault(const struct model *model, const struct nve_core *core)
{
	for (uint32_t slot = 0; slot < core->config.max_tsis; slot++) {
		const struct nve_tsi *tsi = nve_core_tsi(core, slot);

		for (unsigned int i = 0; tsi && i < MODEL_BINDINGS; i++) {
			struct nve_addr binding = model_binding(i);
			uint16_t tag = nve_core_vap(core, tsi->key.port, tsi->key.vn_id)->tag;
			bool works = nve_core_addr_works(core, slot, &binding);
			uint32_t vn_id;

			if (works && tsi->state != NVE_TSI_ACTIVATED)
				return "an address works outside Activated";
			if (works && (!model_admits(model, tsi->key.port, tag, i, &vn_id) ||
				      vn_id != tsi->key.vn_id))
				return "an address works that the rows do not admit";
		}
	}
	return NULL;
}

/* Of each frame that the rows admit: there is an Activated instance on that port in that VN. */
static const char *admission_fault(const struct model *model, const struct nve_core *core)
{
	for (uint16_t port = 0; port < core->config.n_ports && port < MODEL_PORTS; port++)
		for (unsigned int at = 0; at < MODEL_TAGS * MODEL_BINDINGS; at++) {
			struct nve_addr binding = model_binding(at % MODEL_BINDINGS);
			uint16_t tag = (uint16_t)(MODEL_TAG_MIN + at / MODEL_BINDINGS);
			uint32_t slots[MODEL_PORTS], vn_id;
			bool found = false;
			size_t n;

			if (!model_admits(model, port, tag, at % MODEL_BINDINGS, &vn_id))
				continue;
			n = nve_core_bearers(core, vn_id, &binding, slots, MODEL_PORTS);
			for (size_t i = 0; i < n; i++)
				found |= nve_core_tsi(core, slots[i])->key.port == port &&
					 nve_core_tsi(core, slots[i])->state == NVE_TSI_ACTIVATED;
			if (!found)
				return "the rows admit a frame of an instance that is not there";
		}
	return NULL;
}

/* S35: in a scope, one tag is one VN and one VN one tag; a VAP's tag is bound to its VN. */
static const char *tag_fault(const struct model *model, const struct nve_core *core)
{
	const struct nve_vap *vaps = &model->vaps[0][0];

	for (unsigned int i = 0; i < MODEL_PORTS * MODEL_VNS; i++) {
		uint16_t scope = nve_core_port_scope(core, vaps[i].port);
		const struct nve_tag *tag;

		if (!vaps[i].vn_id)
			continue;
		tag = &model->tags[scope][vaps[i].tag - MODEL_TAG_MIN];
		if (tag->use != NVE_TAG_BOUND || tag->vn_id != vaps[i].vn_id)
			return "a VAP's tag is not bound to its VN";
		for (unsigned int k = 0; k < i; k++)
			if (vaps[k].vn_id && nve_core_port_scope(core, vaps[k].port) == scope &&
			    (vaps[k].tag == vaps[i].tag) != (vaps[k].vn_id == vaps[i].vn_id))
				return "a tag has two meanings in a scope, or a VN two tags";
	}
	return NULL;
}

static const char *counter_fault(const struct model *model)
{
	for (uint16_t port = 0; port < MODEL_PORTS; port++)
		for (uint32_t vn_id = 1; vn_id <= MODEL_VNS; vn_id++) {
			const struct nve_vap *vap = &model->vaps[port][vn_id - 1];
			uint32_t n_tsi = 0, n_activated = 0;

			for (unsigned int i = 0; i < MODEL_TSIS; i++) {
				const struct nve_tsi *tsi = &model->tsis[i].pub;

				if (tsi->key.port != port || tsi->key.vn_id != vn_id)
					continue;
				n_tsi += tsi->state != NVE_TSI_INIT;
				n_activated += tsi->state == NVE_TSI_ACTIVATED;
			}
			if (vap->n_tsi != n_tsi || vap->n_activated != n_activated)
				return "a VAP counts other TSIs than there are rows";
		}
	return NULL;
}

const char *model_fault(const struct model *model, const struct nve_core *core)
{
	const char *fault = traffic_fault(model, core);

	if (!fault)
		fault = admission_fault(model, core);
	if (!fault)
		fault = tag_fault(model, core);
	return fault ? fault : counter_fault(model);
}

/* D6: out of quarantine a tag goes to its old VN or to nobody. */
const char *model_step_fault(const struct model *before, const struct model *after,
			     const struct nve_core *core)
{
	const struct nve_tag *was = &before->tags[0][0], *is = &after->tags[0][0];

	for (unsigned int i = 0; i < MODEL_SCOPES * MODEL_TAGS; i++) {
		if (was[i].use == NVE_TAG_FREE || is[i].use == NVE_TAG_FREE) {
			if (core->config.quarantine_ns && was[i].use == NVE_TAG_BOUND)
				return "a tag is free without a quarantine";
			continue;
		}
		if (was[i].vn_id != is[i].vn_id)
			return "a tag changed its meaning without being free";
	}
	return NULL;
}

bool model_empty(const struct model *model)
{
	struct model none;

	memset(&none, 0, sizeof(none));
	if (memcmp(model->tsis, none.tsis, sizeof(none.tsis)) != 0 ||
	    memcmp(model->vaps, none.vaps, sizeof(none.vaps)) != 0 ||
	    memcmp(model->owners, none.owners, sizeof(none.owners)) != 0)
		return false;
	for (unsigned int i = 0; i < MODEL_SCOPES * MODEL_TAGS; i++)
		if ((&model->tags[0][0])[i].use == NVE_TAG_BOUND)
			return false;
	return true;
}
