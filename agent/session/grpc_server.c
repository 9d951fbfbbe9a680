/* SPDX-License-Identifier: Apache-2.0 */
/* The server: its methods, its thread, how it starts and how it ends. */
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "session/grpc_stream.h"
#include "session/grpc_tag.h"
#include "session/grpc_unary.h"
#include "session/listen.h"

#define UNARY .alloc = nve_unary_alloc, .unused = nve_unary_unused
#define SIGNALING(name, method)                                                                    \
	{                                                                                          \
		.path = "/nve.v1.Signaling/" name, UNARY, .accepted = nve_signaling_accepted,      \
		.arg = method, .armed = 16                                                         \
	}
#define ADMIN(name, call)                                                                          \
	{                                                                                          \
		.path = "/nve.v1.Admin/" name, UNARY, .accepted = nve_admin_accepted, .arg = call, \
		.armed = 2                                                                         \
	}
#define ADMIN_STREAM(name, call)                                                                   \
	{                                                                                          \
		.path = "/nve.v1.Admin/" name, .alloc = nve_list_alloc,                            \
		.unused = nve_stream_unused, .accepted = nve_list_accepted, .arg = call,           \
		.armed = 2                                                                         \
	}
#define REFLECTION(version)                                                                        \
	{                                                                                          \
		.path = "/grpc.reflection." version ".ServerReflection/ServerReflectionInfo",      \
		.alloc = nve_reflection_alloc, .unused = nve_stream_unused,                        \
		.accepted = nve_reflection_accepted, .stream_in = true, .armed = 2                 \
	}

static const struct nve_method_entry methods[] = {
	SIGNALING("VnConnect", NVE_METHOD_VN_CONNECT),
	SIGNALING("VnDisconnect", NVE_METHOD_VN_DISCONNECT),
	SIGNALING("Associate", NVE_METHOD_ASSOCIATE),
	SIGNALING("Activate", NVE_METHOD_ACTIVATE),
	SIGNALING("Deactivate", NVE_METHOD_DEACTIVATE),
	SIGNALING("Disassociate", NVE_METHOD_DISASSOCIATE),
	SIGNALING("Clear", NVE_METHOD_CLEAR),
	SIGNALING("Update", NVE_METHOD_UPDATE),
	SIGNALING("Keepalive", NVE_METHOD_KEEPALIVE),
	SIGNALING("Keepactive", NVE_METHOD_KEEPACTIVE),
	SIGNALING("Resync", NVE_METHOD_RESYNC),
	{ .path = "/nve.v1.Signaling/Session",
	  .alloc = nve_session_alloc,
	  .unused = nve_stream_unused,
	  .accepted = nve_session_accepted,
	  .stream_in = true,
	  .armed = 4 },
	ADMIN("GetStatus", NVE_ADMIN_STATUS),
	ADMIN("ListDrops", NVE_ADMIN_DROPS),
	ADMIN("ListTables", NVE_ADMIN_TABLES),
	ADMIN("Why", NVE_ADMIN_WHY),
	ADMIN("DisconnectVn", NVE_ADMIN_DISCONNECT_VN),
	ADMIN("DeactivateTsi", NVE_ADMIN_DEACTIVATE_TSI),
	ADMIN("DisassociateTsi", NVE_ADMIN_DISASSOCIATE_TSI),
	ADMIN("Drain", NVE_ADMIN_DRAIN),
	ADMIN("Flush", NVE_ADMIN_FLUSH),
	ADMIN("Plan", NVE_ADMIN_PLAN),
	ADMIN_STREAM("ListPorts", NVE_ADMIN_PORTS),
	ADMIN_STREAM("ListVns", NVE_ADMIN_VNS),
	ADMIN_STREAM("ListTsis", NVE_ADMIN_TSIS),
	ADMIN_STREAM("DumpTable", NVE_ADMIN_DUMP),
	ADMIN_STREAM("Watch", NVE_ADMIN_WATCH),
	ADMIN_STREAM("Diff", NVE_ADMIN_DIFF),
	ADMIN("Doctor", NVE_ADMIN_DOCTOR),
	{ .path = "/grpc.health.v1.Health/Check",
	  UNARY,
	  .accepted = nve_health_check_accepted,
	  .armed = 2 },
	{ .path = "/grpc.health.v1.Health/Watch",
	  .alloc = nve_health_watch_alloc,
	  .unused = nve_stream_unused,
	  .accepted = nve_health_watch_accepted,
	  .armed = 2 },
	REFLECTION("v1"),
	REFLECTION("v1alpha"),
};

enum { N_METHODS = sizeof(methods) / sizeof(methods[0]), UNKNOWN_ARMED = 4 };

static void arm(struct nve_session_server *s, size_t method);

static void accepted(struct nve_completion *tag, bool ok)
{
	struct nve_call *call = container_of(tag, struct nve_call, accept);

	if (!ok) { /* the server stops */
		call->method->unused(call);
		return;
	}
	arm(call->server, (size_t)(call->method - methods));
	nve_call_began(call->server);
	call->method->accepted(call);
}

static void arm(struct nve_session_server *s, size_t method)
{
	const struct nve_method_entry *m = &methods[method];
	struct nve_call *call = m->alloc();

	if (!call)
		return;
	call->server = s;
	call->method = m;
	call->accept.done = accepted;
	nve_tag_given(&call->accept);
	if (grpc_server_request_registered_call(s->server, s->registered[method], &call->call,
						&call->deadline, &call->metadata,
						m->stream_in ? NULL : &call->payload, s->cq, s->cq,
						&call->accept) != GRPC_CALL_OK)
		m->unused(call);
}

static void shutdown_done(struct nve_completion *tag, bool ok)
{
	struct nve_session_server *s = container_of(tag, struct nve_session_server, shutdown_tag);

	(void)ok;
	pthread_mutex_lock(&s->lock);
	atomic_store(&s->shutdown_done, true);
	pthread_cond_signal(&s->changed);
	pthread_mutex_unlock(&s->lock);
	s->config.wake(s->config.wake_arg);
}

/* The ports do not change while the agent runs, so any thread may look. */
static uint16_t find_port(const void *arg, const char *name)
{
	const struct nve_session_server *s = arg;
	uint16_t slot = nve_engine_find_port(s->config.engine, name);

	if (slot == NVE_PORT_NONE)
		return slot;
	return nve_engine_port(s->config.engine, slot)->dp.role == NVE_DP_ACCESS ? slot
										 : NVE_PORT_NONE;
}

static uint16_t find_any_port(const void *arg, const char *name)
{
	const struct nve_session_server *s = arg;

	return nve_engine_find_port(s->config.engine, name);
}

static void fill_env(struct nve_session_server *s)
{
	const struct nve_session_config *c = &s->config;

	s->ports = (struct nve_codec_ports){ find_port, s };
	s->all_ports = (struct nve_codec_ports){ find_any_port, s };
	s->env = (struct nve_admin_env){
		.engine = c->engine,
		.ports = &s->ports,
		.authz = c->authz,
		.nve = c->nve,
		.version = c->version,
		.store = c->store,
		.durability = c->durability,
		.local_vtep = c->local_vtep,
		.started_unix_ns = c->started_unix_ns,
		.max_message_bytes = c->limits.message_bytes,
		.max_outstanding = c->limits.outstanding,
		.max_sessions = c->limits.sessions,
		.n_listeners = c->n_listeners,
		.listeners = c->listeners,
		.n_notes = c->n_notes,
		.notes = c->notes,
		.doctor = c->doctor,
		.doctor_arg = c->doctor_arg,
	};
}

/* Signals are for the caller's thread. */
static int start_thread(struct nve_session_server *s)
{
	sigset_t all, old;
	int r;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	r = pthread_create(&s->thread, NULL, nve_serve, s);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	return -r;
}

static int start(struct nve_session_server *s, char **err)
{
	int r = nve_bind(s, err);

	if (r < 0)
		return r;
	s->registered = calloc(N_METHODS, sizeof(*s->registered));
	if (!s->registered)
		return -ENOMEM;
	for (size_t i = 0; i < N_METHODS; i++)
		s->registered[i] = grpc_server_register_method(
			s->server, methods[i].path, NULL,
			methods[i].stream_in ? GRPC_SRM_PAYLOAD_NONE
					     : GRPC_SRM_PAYLOAD_READ_INITIAL_BYTE_BUFFER,
			0);
	grpc_server_start(s->server);
	for (size_t i = 0; i < N_METHODS; i++) {
		for (int n = 0; n < methods[i].armed; n++)
			arm(s, i);
	}
	for (int n = 0; n < UNKNOWN_ARMED; n++)
		nve_unknown_arm(s);
	return nve_door_start(s->door);
}

static void forget(struct nve_session_server *s)
{
	free(s->registered);
	free(s->bound);
	nve_peers_free(s->peers);
	nve_listeners_free(s->listeners);
	nve_config_release(&s->config);
	nve_clients_free(&s->clients);
	pthread_mutex_destroy(&s->lock);
	pthread_cond_destroy(&s->changed);
	free(s);
}

/* Takes down what gRPC has; without a thread its completions are taken here. */
static void take_down(struct nve_session_server *s, bool has_thread)
{
	if (!has_thread) {
		grpc_server_shutdown_and_notify(s->server, s->cq, &s->shutdown_tag);
		grpc_server_cancel_all_calls(s->server);
		while (!atomic_load(&s->shutdown_done)) {
			grpc_event ev = nve_next_tag(s->cq, true);
			struct nve_completion *tag = ev.tag;

			tag->done(tag, ev.success);
		}
	}
	nve_door_free(s->door); /* what gRPC has sent goes out, and nobody comes in */
	grpc_server_destroy(s->server);
	grpc_completion_queue_shutdown(s->cq);
	if (has_thread)
		pthread_join(s->thread, NULL);
	else
		nve_serve(s);
	grpc_completion_queue_destroy(s->cq);
	grpc_shutdown_blocking();
}

int nve_session_open(const struct nve_session_config *config, struct nve_session_server **ret,
		     char **err)
{
	struct nve_session_server *s = calloc(1, sizeof(*s));
	int r;

	if (err)
		*err = NULL;
	if (!s)
		return -ENOMEM;
	pthread_mutex_init(&s->lock, NULL);
	pthread_cond_init(&s->changed, NULL);
	nve_fair_init(&s->fair);
	nve_clients_init(&s->clients, &config->limits.per_client);
	s->in_engine.prev = s->in_engine.next = &s->in_engine;
	s->shutdown_tag.done = shutdown_done;
	r = nve_config_copy(&s->config, config);
	if (r == 0)
		r = nve_listeners_take(s->config.listeners, s->config.n_listeners, &s->listeners,
				       err);
	if (r == 0)
		r = nve_peers_new(s, &s->peers);
	if (r == 0)
		r = nve_tls_door(s, err);
	if (r < 0) {
		forget(s);
		return r;
	}
	fill_env(s);
	grpc_init();
	s->cq = grpc_completion_queue_create_for_next(NULL);
	s->server = nve_make_server(&s->config);
	grpc_server_register_completion_queue(s->server, s->cq, NULL);
	r = start(s, err);
	if (r == 0)
		r = start_thread(s);
	if (r < 0) {
		take_down(s, false);
		forget(s);
		return r;
	}
	s->last_seq = nve_engine_counters(config->engine)->events;
	s->watch = (struct nve_engine_watch){ .fn = nve_event_occurred, .arg = s };
	nve_engine_watch(config->engine, &s->watch);
	nve_drain_changed(s);
	*ret = s;
	return 0;
}

void nve_begin_shutdown(struct nve_session_server *s)
{
	if (s->shutdown_begun)
		return;
	s->shutdown_begun = true;
	nve_door_shut(s->door);
	grpc_server_shutdown_and_notify(s->server, s->cq, &s->shutdown_tag);
}

void nve_session_stop(struct nve_session_server *s)
{
	if (atomic_exchange(&s->stopping, true))
		return;
	for (struct nve_stream *st = s->streams; st; st = st->next) {
		pthread_mutex_lock(&st->lock);
		st->ops->stop(st);
		pthread_mutex_unlock(&st->lock);
	}
	if (!s->streams)
		nve_begin_shutdown(s);
}

bool nve_session_stopped(const struct nve_session_server *s)
{
	return atomic_load(&s->shutdown_done);
}

bool nve_session_idle(struct nve_session_server *s)
{
	bool idle;

	pthread_mutex_lock(&s->lock);
	idle = s->live == 0;
	pthread_mutex_unlock(&s->lock);
	return idle;
}

/* Requests that the engine keeps (it waits for the NVA, say) lose their call, not their memory. */
static void abandon_all(struct nve_session_server *s)
{
	while (s->in_engine.next != &s->in_engine) {
		struct nve_op *op = s->in_engine.next;

		op->prev->next = op->next;
		op->next->prev = op->prev;
		op->abandon(op);
	}
}

void nve_session_close(struct nve_session_server *s)
{
	bool over = false;

	if (!s)
		return;
	nve_engine_unwatch(s->config.engine, &s->watch);
	nve_session_stop(s);
	nve_begin_shutdown(s);
	s->closing = true;
	grpc_server_cancel_all_calls(s->server);
	abandon_all(s);
	while (!over) {
		nve_session_drain(s);
		pthread_mutex_lock(&s->lock);
		while (nve_fair_empty(&s->fair) && (s->live > 0 || !atomic_load(&s->shutdown_done)))
			pthread_cond_wait(&s->changed, &s->lock);
		over = nve_fair_empty(&s->fair);
		pthread_mutex_unlock(&s->lock);
	}
	take_down(s, true);
	forget(s);
}

uint16_t nve_session_port(const struct nve_session_server *s, uint32_t i)
{
	return i < s->config.n_listeners ? s->bound[i] : 0;
}
