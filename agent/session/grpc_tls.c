/* SPDX-License-Identifier: Apache-2.0 */
/* The front end's TLS: loaded at the start, again on request, and told in the status. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "log.h"
#include "session/grpc_internal.h"

static const char *first_tls(const struct nve_session_config *config)
{
	for (uint32_t i = 0; i < config->n_listeners; i++) {
		if (strncmp(config->listeners[i], "tls:", 4) == 0)
			return config->listeners[i];
	}
	return NULL;
}

static void log_loaded(const char *event, const struct nve_tls *tls)
{
	struct nve_tls_dates dates;
	char *err = NULL;

	nve_tls_dates(tls, &dates);
	nve_log(INFO, event, LOG_U("certificate_until", (uint64_t)dates.certificate_until),
		LOG_U("crl_until", (uint64_t)dates.crl_until));
	if (nve_tls_check_dates(tls, &err) < 0)
		nve_log(ERROR, "tls_expired", LOG_S("why", err));
	free(err);
}

static int load(struct nve_session_server *s, struct nve_tls **ret, char **err)
{
	const char *listener = first_tls(&s->config);
	int r;

	*ret = NULL;
	*err = NULL;
	if (!listener)
		return 0;
	if (!s->config.tls.certificate) {
		if (asprintf(err, "listener '%s': needs certificates; add tls:", listener) < 0)
			*err = NULL;
		return -EINVAL;
	}
	r = nve_tls_load(&s->config.tls, ret, err);
	if (r == 0)
		log_loaded("tls_loaded", *ret);
	return r;
}

int nve_tls_door(struct nve_session_server *s, char **err)
{
	struct nve_door_config config = { .ops = &nve_peers_ops,
					  .arg = s->peers,
					  .handshakes = s->config.handshakes,
					  .handshake_ms = s->config.handshake_ms };
	char *why;
	int r = load(s, &config.tls, &why);

	if (r == 0)
		r = nve_door_new(&config, &s->door);
	else if (err)
		*err = why;
	else
		free(why);
	if (r < 0)
		nve_tls_free(config.tls);
	return r;
}

void nve_session_reload(struct nve_session_server *s)
{
	struct nve_tls *tls = NULL;
	char *err = NULL;
	int r;

	if (!first_tls(&s->config))
		return;
	r = nve_tls_load(&s->config.tls, &tls, &err);
	if (r == 0)
		r = nve_tls_check_dates(tls, &err);
	if (r < 0) {
		nve_log(ERROR, "tls_reload_failed", LOG_S("why", err), LOG_E(r),
			LOG_S("so", "the certificates that were loaded before stay"));
		nve_tls_free(tls);
	} else {
		log_loaded("tls_reloaded", tls);
		nve_door_reload(s->door, tls);
	}
	free(err);
}
