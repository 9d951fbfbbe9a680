/* SPDX-License-Identifier: Apache-2.0 */
/* The server's configuration: copied, turned into gRPC's arguments, listened on. */
#include <errno.h>
#include <grpc/grpc_security.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "session/grpc_internal.h"
#include "session/listen.h"

enum {
	SESSIONS_DEFAULT = 1024,
	OUTSTANDING_DEFAULT = 256,
	MESSAGE_BYTES_DEFAULT = 64 << 10,
	/* gRPC fails a call whose message is longer; up to there we say so ourselves. */
	MESSAGE_HARD_FACTOR = 4,
	STREAMS_PER_CONNECTION = 512,
	METADATA_BYTES = 8 << 10,
};

static char *copy_string(const char *text)
{
	return strdup(text ? text : "");
}

/* What is not given stays so. */
static bool copy_files(struct nve_tls_files *to, const struct nve_tls_files *from)
{
	*to = (struct nve_tls_files){ from->certificate ? strdup(from->certificate) : NULL,
				      from->key ? strdup(from->key) : NULL,
				      from->client_ca ? strdup(from->client_ca) : NULL,
				      from->crl ? strdup(from->crl) : NULL };
	return !to->certificate == !from->certificate && !to->key == !from->key &&
	       !to->client_ca == !from->client_ca && !to->crl == !from->crl;
}

static void free_files(struct nve_tls_files *files)
{
	free((char *)files->certificate);
	free((char *)files->key);
	free((char *)files->client_ca);
	free((char *)files->crl);
}

/* NULL-terminated, so that a half-made list can be freed. */
static const char *const *copy_list(const char *const *list, uint32_t n)
{
	const char **copy = calloc(n + 1, sizeof(*copy));

	for (uint32_t i = 0; copy && i < n; i++)
		copy[i] = copy_string(list[i]);
	return copy;
}

static bool is_whole(const char *const *list, uint32_t n)
{
	for (uint32_t i = 0; list && i < n; i++) {
		if (!list[i])
			return false;
	}
	return list != NULL;
}

static void free_list(const char *const *list, uint32_t n)
{
	for (uint32_t i = 0; list && i < n; i++)
		free((char *)list[i]);
	free((void *)list);
}

int nve_config_copy(struct nve_session_config *to, const struct nve_session_config *from)
{
	*to = *from;
	to->nve = copy_string(from->nve);
	to->version = copy_string(from->version);
	to->store = copy_string(from->store);
	to->durability = copy_string(from->durability);
	to->listeners = copy_list(from->listeners, from->n_listeners);
	to->notes = copy_list(from->notes, from->n_notes);
	if (to->limits.sessions == 0)
		to->limits.sessions = SESSIONS_DEFAULT;
	if (to->limits.outstanding == 0)
		to->limits.outstanding = OUTSTANDING_DEFAULT;
	if (to->limits.message_bytes == 0)
		to->limits.message_bytes = MESSAGE_BYTES_DEFAULT;
	return copy_files(&to->tls, &from->tls) && to->nve && to->version && to->store &&
			       to->durability && is_whole(to->listeners, to->n_listeners) &&
			       is_whole(to->notes, to->n_notes)
		       ? 0
		       : -ENOMEM;
}

void nve_config_release(struct nve_session_config *config)
{
	free((char *)config->nve);
	free((char *)config->version);
	free((char *)config->store);
	free((char *)config->durability);
	free_files(&config->tls);
	free_list(config->listeners, config->n_listeners);
	free_list(config->notes, config->n_notes);
}

grpc_server *nve_make_server(const struct nve_session_config *config)
{
	const struct {
		const char *key;
		int value;
	} list[] = {
		{ GRPC_ARG_ALLOW_REUSEPORT, 0 }, /* a second agent must not share our port */
		{ GRPC_ARG_MAX_RECEIVE_MESSAGE_LENGTH,
		  (int)config->limits.message_bytes * MESSAGE_HARD_FACTOR },
		{ GRPC_ARG_MAX_METADATA_SIZE, METADATA_BYTES },
		{ GRPC_ARG_MAX_CONCURRENT_STREAMS, STREAMS_PER_CONNECTION },
		{ GRPC_ARG_SERVER_HANDSHAKE_TIMEOUT_MS, 10000 },
		/* A dead peer is noticed, and one that pings all the time is sent away. */
		{ GRPC_ARG_KEEPALIVE_TIME_MS, 60000 },
		{ GRPC_ARG_KEEPALIVE_TIMEOUT_MS, 20000 },
		{ GRPC_ARG_KEEPALIVE_PERMIT_WITHOUT_CALLS, 1 },
		{ GRPC_ARG_HTTP2_MAX_PINGS_WITHOUT_DATA, 0 },
		{ GRPC_ARG_HTTP2_MIN_RECV_PING_INTERVAL_WITHOUT_DATA_MS, 5000 },
		{ GRPC_ARG_HTTP2_MAX_PING_STRIKES, 3 },
		/* No compression: 64 KiB of it can be gigabytes of message. */
		{ GRPC_COMPRESSION_CHANNEL_ENABLED_ALGORITHMS_BITSET, 1 << GRPC_COMPRESS_NONE },
	};
	enum { N = sizeof(list) / sizeof(list[0]) };
	grpc_arg args[N];

	for (int i = 0; i < N; i++) {
		args[i].type = GRPC_ARG_INTEGER;
		args[i].key = (char *)list[i].key;
		args[i].value.integer = list[i].value;
	}
	return grpc_server_create(&(grpc_channel_args){ N, args }, NULL);
}

static int bind_one(struct nve_session_server *s, uint32_t i, grpc_server_credentials *creds)
{
	const char *address = s->config.listeners[i];
	int port, r;

	if (strncmp(address, "unix:", 5) == 0 || strncmp(address, "tls:", 4) == 0) {
		r = nve_door_listen(s->door, address, &s->bound[i]);
		return r < 0 ? r : nve_listeners_bound(s->listeners, i);
	}
	port = grpc_server_add_http2_port(s->server, address, creds);
	if (port <= 0)
		return -EADDRINUSE;
	s->bound[i] = (uint16_t)port;
	return 0;
}

int nve_bind(struct nve_session_server *s, char **err)
{
	grpc_server_credentials *creds;
	int r = 0;

	s->bound = calloc(s->config.n_listeners + 1, sizeof(*s->bound));
	if (!s->bound)
		return -ENOMEM;
	creds = grpc_insecure_server_credentials_create();
	for (uint32_t i = 0; i < s->config.n_listeners && r == 0; i++) {
		r = bind_one(s, i, creds);
		if (r < 0 && err &&
		    asprintf(err, "listener '%s': cannot listen: %s", s->config.listeners[i],
			     r == -EADDRINUSE ? "does another process have it?" : strerror(-r)) < 0)
			*err = NULL;
	}
	grpc_server_credentials_release(creds);
	return r;
}
