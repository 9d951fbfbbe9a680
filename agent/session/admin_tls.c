/* SPDX-License-Identifier: Apache-2.0 */
/* Of Admin.GetStatus: how the agent is reached, and what its TLS has seen. */
#include <string.h>

#include "session/admin.h"
#include "session/codec_internal.h"

static const char *security_of(const char *listener)
{
	if (strncmp(listener, "tls:", 4) == 0)
		return "mutual TLS";
	return strncmp(listener, "unix:", 5) == 0 ? "peer's uid" : "loopback";
}

static bool add_listening(const struct nve_admin_env *env, struct nve_arena *arena,
			  Nve__V1__Status *m)
{
	uint32_t n = env->n_listeners;
	Nve__V1__Listening *list = nve_arena_zalloc(arena, n, sizeof(*list));

	m->listening = nve_arena_zalloc(arena, n, sizeof(struct Nve__V1__Listening *));
	if (n && (!list || !m->listening))
		return false;
	for (uint32_t i = 0; i < n; i++) {
		nve__v1__listening__init(&list[i]);
		list[i].address = (char *)env->listeners[i];
		list[i].security = (char *)security_of(env->listeners[i]);
		m->listening[i] = &list[i];
	}
	m->n_listening = n;
	return true;
}

bool nve_admin_tls(const struct nve_admin_env *env, struct nve_arena *arena, Nve__V1__Status *m)
{
	const struct nve_door_counters *door = env->door;
	Nve__V1__TlsState *tls;

	if (!add_listening(env, arena, m))
		return false;
	if (!door)
		return true;
	tls = nve_arena_alloc(arena, sizeof(*tls));
	if (!tls)
		return false;
	nve__v1__tls_state__init(tls);
	tls->certificate_until = (uint64_t)door->dates.certificate_until;
	tls->crl_until = (uint64_t)door->dates.crl_until;
	tls->loaded = (uint64_t)door->dates.loaded;
	tls->connections = door->connections;
	tls->handshakes = door->shaking;
	tls->accepted = door->accepted;
	tls->refused = door->refused;
	tls->revoked = door->barred;
	m->tls = tls;
	return true;
}
