/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The gRPC front end, as clients see it.  Without arguments this runs
 * tests/session/grpc_clients.py, whose clients are made by protoc and Debian's grpcio; that in turn
 * runs this with --serve: an engine on the datapath and the store in memory and the local NVA, and
 * the front end, in a small loop that takes commands on stdin:
 *
 *   pause, resume   the loop runs the engine no more, or again: requests stay outstanding
 *   stop MS         stops gracefully within that time, and exits; end of file: stop 0
 */
#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include "engine.h"
#include "session/session.h"

enum { LISTENERS_MAX = 8, LINGER_NS = 200000000 };

struct harness {
	int wakeup;
	pthread_mutex_t lock; /* who touches engine or server holds it */
	bool running;         /* in loop() */
	struct nve_engine *engine;
	struct nve_session_server *server;
	bool paused, stopping, hurry;
	uint64_t stop_by_ns;
	char line[64]; /* of stdin, as far as it came */
	size_t line_len;
};

struct options {
	const char *nva;
	const char *listeners[LISTENERS_MAX];
	uint32_t n_listeners;
	struct nve_session_limits limits;
	uint32_t tsis;
};

static uint64_t now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

static void wake(void *arg)
{
	struct harness *h = arg;
	ssize_t n = write(h->wakeup, &(uint64_t){ 1 }, sizeof(uint64_t));

	(void)n; /* a full counter is awake enough */
}

static bool turn(void *arg)
{
	struct harness *h = arg;
	bool now;

	if (pthread_mutex_trylock(&h->lock))
		return false;
	now = h->running && !h->paused && !h->stopping;
	if (now) {
		nve_session_drain(h->server);
		nve_engine_run(h->engine, now_ns());
	}
	pthread_mutex_unlock(&h->lock);
	if (now)
		wake(h); /* for the engine's next deadline */
	return now;
}

static int open_engine(struct harness *h, const struct options *o)
{
	static const struct nve_engine_scope scopes[] = { { "a", { 10, 4000 } },
							  { "b", { 10, 4000 } } };
	static const struct nve_engine_port ports[] = {
		{ { .slot = 0, .name = "p1", .ifname = "lo", .role = NVE_DP_ACCESS }, 0 },
		{ { .slot = 1, .name = "p2", .ifname = "lo", .role = NVE_DP_ACCESS }, 1 },
		{ { .slot = 2, .name = "u1", .ifname = "lo", .role = NVE_DP_UNDERLAY },
		  NVE_PORT_NONE },
	};
	struct nve_engine_config c = {
		.n_ports = 3,
		.ports = ports,
		.n_scopes = 2,
		.scopes = scopes,
		.core = { .max_vaps = 256,
			  .max_vns = 128,
			  .max_tsis = o->tsis,
			  .max_addrs = 65536,
			  .keepalive = { 300000, 1000, 3600000, false },
			  .keepactive = { 300000, 1000, 3600000, true },
			  .quarantine_ns = 1000000,
			  .duplicate_alarm_ns = 60000000000 },
		.dp_ops = &nve_dp_fake,
		.dp = { .local_vtep = { .family = 4, .bytes = { 192, 0, 2, 1 } },
			.limits = { o->tsis, 128, 65536, 65536, 64, 64 } },
		.nva_ops = &nve_nva_local,
		.nva = { .source = o->nva,
			 .local_vtep = { .family = 4, .bytes = { 192, 0, 2, 1 } } },
		.store_ops = &nve_store_memory,
	};
	char *err = NULL;
	int r = nve_engine_open(&c, now_ns(), &h->engine, &err);

	if (r < 0)
		fprintf(stderr, "engine: %s: %s\n", strerror(-r), err ? err : "");
	free(err);
	return r;
}

static int open_server(struct harness *h, const struct options *o)
{
	static const char *const notes[] = { "no TLS: loopback and unix sockets only" };
	struct nve_session_config c = {
		.engine = h->engine,
		.nve = "nve-test",
		.version = NVED_VERSION,
		.n_listeners = o->n_listeners,
		.listeners = o->listeners,
		.limits = o->limits,
		.wake = wake,
		.turn = turn,
		.wake_arg = h,
		.store = "memory",
		.durability = "process",
		.local_vtep = { .family = 4, .bytes = { 192, 0, 2, 1 } },
		.started_unix_ns = 1,
		.n_notes = 1,
		.notes = notes,
	};
	char *err = NULL;
	int r = nve_session_open(&c, &h->server, &err);

	if (r < 0)
		fprintf(stderr, "session: %s: %s\n", strerror(-r), err ? err : "");
	free(err);
	return r;
}

static void stop(struct harness *h, uint64_t ms)
{
	nve_session_stop(h->server);
	h->stopping = true;
	h->stop_by_ns = now_ns() + ms * 1000000;
}

static void command(struct harness *h)
{
	if (strcmp(h->line, "pause") == 0)
		h->paused = true;
	else if (strcmp(h->line, "resume") == 0)
		h->paused = false;
	else if (strncmp(h->line, "stop ", 5) == 0)
		stop(h, strtoull(h->line + 5, NULL, 10));
	printf("ok %s\n", h->line);
	fflush(stdout);
}

static void read_commands(struct harness *h)
{
	ssize_t n = read(STDIN_FILENO, h->line + h->line_len, sizeof(h->line) - 1 - h->line_len);
	char *end;

	if (n <= 0) {
		stop(h, 0);
		return;
	}
	h->line_len += (size_t)n;
	h->line[h->line_len] = '\0';
	while ((end = strchr(h->line, '\n'))) {
		*end = '\0';
		command(h);
		h->line_len -= (size_t)(end + 1 - h->line);
		memmove(h->line, end + 1, h->line_len + 1);
	}
}

static int timeout_ms(const struct harness *h)
{
	uint64_t next = h->paused ? NVE_NEVER_NS : nve_engine_next_deadline(h->engine);
	uint64_t now = now_ns();

	if (h->stopping && h->stop_by_ns < next)
		next = h->stop_by_ns;
	if (next == NVE_NEVER_NS)
		return -1;
	return next > now ? (int)((next - now) / 1000000 % 60000) + 1 : 0;
}

static void loop(struct harness *h)
{
	struct pollfd fds[] = { { h->wakeup, POLLIN, 0 }, { STDIN_FILENO, POLLIN, 0 } };
	uint64_t count;
	int timeout;

	pthread_mutex_lock(&h->lock);
	h->running = true;
	while (!h->stopping || (!nve_session_stopped(h->server) && now_ns() < h->stop_by_ns)) {
		if (h->stopping && !h->hurry && nve_session_idle(h->server)) {
			h->hurry = true;
			if (now_ns() + LINGER_NS < h->stop_by_ns)
				h->stop_by_ns = now_ns() + LINGER_NS;
		}
		timeout = timeout_ms(h);
		pthread_mutex_unlock(&h->lock);
		if (poll(fds, h->stopping ? 1 : 2, timeout) < 0 && errno != EINTR)
			abort();
		pthread_mutex_lock(&h->lock);
		if (fds[0].revents && read(h->wakeup, &count, sizeof(count)) < 0)
			abort();
		if (fds[1].revents && !h->stopping)
			read_commands(h);
		if (h->paused)
			continue;
		nve_session_drain(h->server);
		nve_engine_run(h->engine, now_ns());
	}
	h->running = false;
	pthread_mutex_unlock(&h->lock);
}

static int serve(const struct options *o)
{
	struct harness h = { .wakeup = eventfd(0, EFD_CLOEXEC), .lock = PTHREAD_MUTEX_INITIALIZER };
	int r = h.wakeup < 0 ? -errno : open_engine(&h, o);

	if (r < 0)
		return 1;
	r = open_server(&h, o);
	if (r == 0) {
		printf("ready");
		for (uint32_t i = 0; i < o->n_listeners; i++)
			printf(" %u", nve_session_port(h.server, i));
		printf("\n");
		fflush(stdout);
		loop(&h);
		printf("idle %d\n", nve_session_idle(h.server));
		fflush(stdout);
		nve_session_close(h.server);
	}
	nve_engine_close(h.engine);
	close(h.wakeup);
	return r < 0 ? 2 : 0;
}

static uint32_t number(const char *text)
{
	return (uint32_t)strtoul(text, NULL, 10);
}

static int parse(int argc, char **argv, struct options *o)
{
	for (int i = 2; i + 1 < argc; i += 2) {
		if (strcmp(argv[i], "--nva") == 0)
			o->nva = argv[i + 1];
		else if (strcmp(argv[i], "--sessions") == 0)
			o->limits.sessions = number(argv[i + 1]);
		else if (strcmp(argv[i], "--outstanding") == 0)
			o->limits.outstanding = number(argv[i + 1]);
		else if (strcmp(argv[i], "--connections") == 0)
			o->limits.per_client.connections = number(argv[i + 1]);
		else if (strcmp(argv[i], "--streams") == 0)
			o->limits.per_client.streams = number(argv[i + 1]);
		else if (strcmp(argv[i], "--calls") == 0)
			o->limits.per_client.calls = number(argv[i + 1]);
		else if (strcmp(argv[i], "--bytes") == 0)
			o->limits.per_client.bytes = number(argv[i + 1]);
		else if (strcmp(argv[i], "--tsis") == 0)
			o->tsis = number(argv[i + 1]);
		else if (strcmp(argv[i], "--listen") == 0 && o->n_listeners < LISTENERS_MAX)
			o->listeners[o->n_listeners++] = argv[i + 1];
		else
			return -EINVAL;
	}
	return o->nva ? 0 : -EINVAL;
}

int main(int argc, char **argv)
{
	struct options o = { .tsis = 8192 };

	if (argc == 1) {
		execl("/usr/bin/python3", "python3", "tests/session/grpc_clients.py", argv[0],
		      (char *)NULL);
		perror("/usr/bin/python3");
		return 1;
	}
	if (strcmp(argv[1], "--serve") != 0 || parse(argc, argv, &o) < 0) {
		fprintf(stderr, "usage: %s [--serve --nva FILE --listen ADDRESS ...]\n", argv[0]);
		return 2;
	}
	return serve(&o);
}
