/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The policy in force, and what an identity may see.  The role of each number is looked up once
 * for each policy.
 */
#include "log.h"
#include "session/authz_internal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static const char *port_name(const void *arg, uint16_t slot)
{
	const struct nve_engine_port *port = nve_engine_port(arg, slot);

	return port ? port->dp.name : NULL;
}

static int load(struct nve_authz *a, struct nve_policy **ret, char **err)
{
	if (err)
		*err = NULL;
	return a->path ? nve_policy_load(a->path, ret, err) : nve_policy_default(a->uid, ret);
}

/* Takes 'policy'. */
static void put_in_force(struct nve_authz *a, struct nve_policy *policy)
{
	struct timespec now;

	nve_policy_bind_ports(policy, nve_engine_n_ports(a->engine), port_name, a->engine);
	nve_policy_free(a->policy);
	a->policy = policy;
	memset(a->roles, 0, sizeof(a->roles));
	clock_gettime(CLOCK_REALTIME, &now);
	a->loaded_unix_ns = (uint64_t)now.tv_sec * UINT64_C(1000000000) + (uint64_t)now.tv_nsec;
}

int nve_authz_open(struct nve_engine *engine, const char *path, uint32_t uid,
		   struct nve_authz **ret, char **err)
{
	struct nve_authz *a = calloc(1, sizeof(*a));
	struct nve_policy *policy;
	int r = -ENOMEM;

	if (err)
		*err = NULL;
	if (!a)
		return r;
	a->engine = engine;
	a->uid = uid;
	a->path = path ? strdup(path) : NULL;
	if (!path || a->path)
		r = load(a, &policy, err);
	if (r < 0) {
		free(a->path);
		free(a);
		return r;
	}
	put_in_force(a, policy);
	a->guard =
		(struct nve_engine_guard){ nve_authz_judge, nve_authz_maxima, nve_authz_gleans, a };
	nve_engine_set_guard(engine, &a->guard);
	*ret = a;
	return 0;
}

void nve_authz_close(struct nve_authz *a)
{
	if (!a)
		return;
	nve_engine_set_guard(a->engine, NULL);
	nve_policy_free(a->policy);
	free(a->path);
	free(a);
}

int nve_authz_reload(struct nve_authz *a, char **err)
{
	struct nve_policy *policy;
	int r = load(a, &policy, err);

	if (!r)
		put_in_force(a, policy);
	return r;
}

struct nve_authz_info nve_authz_info(const struct nve_authz *a)
{
	return (struct nve_authz_info){ a->path ? a->path : "", nve_policy_n_roles(a->policy),
					a->loaded_unix_ns };
}

uint16_t nve_authz_owner(struct nve_authz *a, const char *identity)
{
	uint16_t owner;

	if (!a)
		return NVE_OWNER_NONE;
	owner = nve_engine_find_owner(a->engine, identity);
	if (owner || !nve_policy_role(a->policy, identity))
		return owner;
	owner = nve_engine_owner(a->engine, identity);
	if (!owner)
		nve_log(ERROR, "identities_full", LOG_S("identity", identity),
			LOG_U("max", NVE_ENGINE_OWNERS),
			LOG_S("so", "it may do nothing until the agent is started again"));
	return owner;
}

const struct nve_role *nve_authz_role(struct nve_authz *a, uint16_t owner)
{
	static const struct nve_role nobody;
	const struct nve_role *role;

	if (!owner || owner > NVE_ENGINE_OWNERS)
		return NULL;
	role = a->roles[owner];
	if (!role) {
		role = nve_policy_role(a->policy, nve_engine_owner_name(a->engine, owner));
		role = role ? role : &nobody;
		a->roles[owner] = role;
	}
	return role == &nobody ? NULL : role;
}

bool nve_authz_knows(struct nve_authz *a, uint16_t owner)
{
	return !a || nve_authz_role(a, owner);
}

bool nve_authz_may(struct nve_authz *a, uint16_t owner, enum nve_policy_verb verb)
{
	const struct nve_role *role = a ? nve_authz_role(a, owner) : NULL;

	return !a || (role && nve_role_verb(role, verb));
}

/* --- what it sees ---------------------------------------------------------------------------- */

static bool allows_vn(const struct nve_authz *a, const struct nve_role *role, uint32_t vn_id)
{
	const struct nve_vn_context *vn = role->all_vns ? NULL : nve_engine_vn(a->engine, vn_id);

	return nve_role_vn(role, vn_id, vn ? vn->name : "");
}

bool nve_authz_sees_port(struct nve_authz *a, uint16_t owner, uint16_t slot)
{
	const struct nve_role *role = a ? nve_authz_role(a, owner) : NULL;

	return !a || (role && nve_role_port(role, slot));
}

bool nve_authz_sees_vn(struct nve_authz *a, uint16_t owner, uint32_t vn_id, const char *name)
{
	const struct nve_role *role = a ? nve_authz_role(a, owner) : NULL;

	return !a || (role && nve_role_vn(role, vn_id, name));
}

bool nve_authz_sees_tsi(struct nve_authz *a, uint16_t owner, const struct nve_tsi *tsi)
{
	const struct nve_role *role = a ? nve_authz_role(a, owner) : NULL;

	if (!a || !role || tsi->owner == owner)
		return !a || role;
	return role->owns == NVE_OWNS_ANY && nve_role_port(role, tsi->key.port) &&
	       nve_role_tsi(role, &tsi->key.id) && allows_vn(a, role, tsi->key.vn_id);
}

bool nve_authz_sees_vap(struct nve_authz *a, uint16_t owner, const struct nve_vap *vap,
			uint32_t *n_tsi, uint32_t *n_activated)
{
	const struct nve_role *role = a ? nve_authz_role(a, owner) : NULL;

	*n_tsi = vap->n_tsi;
	*n_activated = vap->n_activated;
	if (!a || !role)
		return !a;
	if (role->owns == NVE_OWNS_ANY && nve_role_port(role, vap->port) &&
	    allows_vn(a, role, vap->vn_id))
		return true;
	return nve_core_owner_holds(nve_engine_core(a->engine), owner, vap, n_tsi, n_activated);
}

bool nve_authz_sees_notice(struct nve_authz *a, uint16_t owner, const struct nve_notice *n)
{
	const struct nve_role *role = a ? nve_authz_role(a, owner) : NULL;
	bool of_vn = n->kind == NVE_NOTICE_VN_CONNECTED || n->kind == NVE_NOTICE_VN_DISCONNECTED;

	if (!a || !role)
		return !a;
	if (n->owner == owner || n->was_owner == owner)
		return true;
	if (role->owns != NVE_OWNS_ANY || !allows_vn(a, role, n->key.vn_id) ||
	    (!of_vn && !nve_role_tsi(role, &n->key.id)))
		return false;
	return nve_role_port(role, n->key.port) ||
	       (n->new_port != NVE_PORT_NONE && nve_role_port(role, n->new_port));
}
