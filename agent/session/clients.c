/* SPDX-License-Identifier: Apache-2.0 */
/* The table of those that have calls under way. */
#include "session/clients.h"

#include <stdlib.h>
#include <string.h>

enum {
	CONNECTIONS_DEFAULT = 64,
	STREAMS_DEFAULT = 256,
	CALLS_DEFAULT = 512,
	BYTES_DEFAULT = 8 << 20,
};

static uint32_t bucket_of(const char *text)
{
	uint32_t h = 2166136261u;

	for (; *text; text++)
		h = (h ^ (uint8_t)*text) * 16777619u;
	return h % NVE_CLIENT_BUCKETS;
}

void nve_clients_init(struct nve_clients *c, const struct nve_client_limits *limits)
{
	*c = (struct nve_clients){ .limits = *limits };
	pthread_mutex_init(&c->lock, NULL);
	c->limits.connections = limits->connections ? limits->connections : CONNECTIONS_DEFAULT;
	c->limits.streams = limits->streams ? limits->streams : STREAMS_DEFAULT;
	c->limits.calls = limits->calls ? limits->calls : CALLS_DEFAULT;
	c->limits.bytes = limits->bytes ? limits->bytes : BYTES_DEFAULT;
}

void nve_clients_free(struct nve_clients *c)
{
	pthread_mutex_destroy(&c->lock);
}

static struct nve_client *find_client(struct nve_clients *c, const char *key)
{
	struct nve_client *client = c->clients[bucket_of(key)];

	while (client && strcmp(client->key, key) != 0)
		client = client->next;
	return client;
}

static struct nve_client *get_client(struct nve_clients *c, const char *key)
{
	struct nve_client *client = find_client(c, key), **bucket = &c->clients[bucket_of(key)];

	if (client)
		return client;
	client = calloc(1, sizeof(*client));
	if (!client)
		return NULL;
	memcpy(client->key, key, strlen(key));
	client->next = *bucket;
	*bucket = client;
	c->n_clients++;
	return client;
}

static void drop_client(struct nve_clients *c, struct nve_client *client)
{
	struct nve_client **at = &c->clients[bucket_of(client->key)];

	if (client->refs > 0)
		return;
	while (*at != client)
		at = &(*at)->next;
	*at = client->next;
	c->n_clients--;
	free(client);
}

static struct nve_conn *find_conn(struct nve_clients *c, const char *peer, const char *key)
{
	struct nve_conn *conn = c->conns[bucket_of(peer)];

	/* One name can be two: a connection that ended and the next with its number. */
	while (conn && (strcmp(conn->peer, peer) != 0 || strcmp(conn->client->key, key) != 0))
		conn = conn->next;
	return conn;
}

static struct nve_conn *make_conn(struct nve_clients *c, const char *peer,
				  struct nve_client *client)
{
	struct nve_conn *conn = calloc(1, sizeof(*conn)), **bucket = &c->conns[bucket_of(peer)];

	if (!conn)
		return NULL;
	memcpy(conn->peer, peer, strlen(peer));
	conn->client = client;
	conn->source.flow = &client->flow;
	conn->next = *bucket;
	*bucket = conn;
	client->connections++;
	client->refs++;
	c->n_conns++;
	return conn;
}

static void drop_conn(struct nve_clients *c, struct nve_conn *conn)
{
	struct nve_conn **at = &c->conns[bucket_of(conn->peer)];
	struct nve_client *client = conn->client;

	if (conn->refs > 0)
		return;
	while (*at != conn)
		at = &(*at)->next;
	*at = conn->next;
	c->n_conns--;
	client->connections--;
	client->refs--;
	free(conn);
	drop_client(c, client);
}

static bool is_full(struct nve_client_full *full, const char *resource, uint64_t used, uint64_t max)
{
	if (used < max)
		return false;
	*full = (struct nve_client_full){ resource, used, max };
	return true;
}

static bool may_not(const struct nve_clients *c, const struct nve_client *client, bool new_conn,
		    enum nve_use use, struct nve_client_full *full)
{
	const struct nve_client_limits *l = &c->limits;

	if (new_conn && is_full(full, "client.connections", client->connections, l->connections))
		return true;
	if (use == NVE_USE_STREAM)
		return is_full(full, "client.streams", client->streams, l->streams);
	return is_full(full, "client.calls", client->calls, l->calls) ||
	       is_full(full, "client.bytes", client->bytes, l->bytes);
}

static struct nve_conn *enter(struct nve_clients *c, const char *key, const char *peer,
			      enum nve_use use, struct nve_client_full *full)
{
	struct nve_client *client = get_client(c, key);
	struct nve_conn *conn;

	if (!client)
		return NULL;
	conn = find_conn(c, peer, key);
	if (may_not(c, client, !conn, use, full)) {
		drop_client(c, client);
		return NULL;
	}
	if (!conn)
		conn = make_conn(c, peer, client);
	if (!conn) {
		drop_client(c, client);
		return NULL;
	}
	conn->refs++;
	if (use == NVE_USE_STREAM)
		client->streams++;
	else
		client->calls++;
	return conn;
}

struct nve_conn *nve_clients_enter(struct nve_clients *c, const struct nve_peer *who,
				   const char *peer, enum nve_use use, struct nve_client_full *full)
{
	char name[NVE_PEER_TEXT + 1] = { 0 };
	struct nve_conn *conn;

	memcpy(name, peer, strnlen(peer, NVE_PEER_TEXT));
	*full = (struct nve_client_full){ 0 };
	pthread_mutex_lock(&c->lock);
	conn = enter(c, who->kind == NVE_PEER_LOOPBACK ? name : who->identity, name, use, full);
	pthread_mutex_unlock(&c->lock);
	return conn;
}

void nve_clients_leave(struct nve_clients *c, struct nve_conn *conn, enum nve_use use)
{
	pthread_mutex_lock(&c->lock);
	if (use == NVE_USE_STREAM)
		conn->client->streams--;
	else
		conn->client->calls--;
	conn->refs--;
	drop_conn(c, conn);
	pthread_mutex_unlock(&c->lock);
}

void nve_clients_take(struct nve_clients *c, struct nve_conn *conn, size_t bytes)
{
	pthread_mutex_lock(&c->lock);
	conn->client->bytes += bytes;
	c->bytes += bytes;
	pthread_mutex_unlock(&c->lock);
}

void nve_clients_give(struct nve_clients *c, struct nve_conn *conn, size_t bytes)
{
	pthread_mutex_lock(&c->lock);
	conn->client->bytes -= bytes;
	c->bytes -= bytes;
	pthread_mutex_unlock(&c->lock);
}

bool nve_clients_heavy(struct nve_clients *c, const struct nve_conn *conn,
		       struct nve_client_full *full)
{
	bool heavy;

	pthread_mutex_lock(&c->lock);
	heavy = is_full(full, "client.bytes", conn->client->bytes, c->limits.bytes);
	pthread_mutex_unlock(&c->lock);
	return heavy;
}
