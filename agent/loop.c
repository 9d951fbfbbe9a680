/* SPDX-License-Identifier: Apache-2.0 */
/*
 * All on one thread but nve_loop_wake() and nve_loop_turn().  Whoever touches engine or session
 * holds 'lock'; the loop's own thread does so in each callback, and not while it waits.
 */
#include "loop.h"

#include "audit.h"
#include "log.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>
#include <uv.h>

enum {
	GRACE_MS = 5000,  /* for requests that are under way */
	GOODBYE_MS = 200, /* then, for clients to confirm the end of their connections */
};

/* A descriptor of a backend. */
struct source {
	uv_poll_t poll;
	struct nve_loop *loop;
	void (*dispatch)(struct nve_loop *loop);
};

struct nve_loop {
	uv_loop_t uv;
	uv_async_t wake;
	uv_timer_t deadline;
	uv_timer_t grace;
	uv_timer_t watchdog;
	uv_signal_t hup, term, intr;
	struct source dp, nva;
	pthread_mutex_t lock;
	struct nve_engine *engine;
	struct nve_session_server *server;
	uint64_t armed; /* when the deadline's timer is due */
	bool running;
	bool stopping;
	bool idle; /* stopping, and no call is under way any more */
};

static void begin_stop(struct nve_loop *loop, const char *why);
static void on_deadline(uv_timer_t *timer);
static void on_grace_over(uv_timer_t *timer);

static uint64_t next_deadline(const struct nve_loop *loop)
{
	uint64_t engine = nve_engine_next_deadline(loop->engine);
	uint64_t session = nve_session_next_deadline(loop->server);

	return session < engine ? session : engine;
}

/* libuv counts milliseconds: rounded up, so that the timer is never there before its time. */
static void arm_deadline(struct nve_loop *loop)
{
	uint64_t at = next_deadline(loop);
	uint64_t now = uv_hrtime();

	loop->armed = at;
	if (at == NVE_NEVER_NS) {
		uv_timer_stop(&loop->deadline);
		return;
	}
	uv_update_time(&loop->uv);
	uv_timer_start(&loop->deadline, on_deadline, at > now ? (at - now + 999999) / 1000000 : 0,
		       0);
}

/* One turn: whatever woke the loop, all that is to do gets done. */
static void turn(struct nve_loop *loop)
{
	nve_session_drain(loop->server);
	nve_engine_run(loop->engine, uv_hrtime());
	arm_deadline(loop);
	if (!loop->stopping && nve_session_flush_asked(loop->server))
		begin_stop(loop, "flush");
	if (!loop->stopping)
		return;
	if (nve_session_stopped(loop->server))
		uv_stop(&loop->uv);
	else if (!loop->idle && nve_session_idle(loop->server)) {
		loop->idle = true;
		uv_timer_start(&loop->grace, on_grace_over, GOODBYE_MS, 0);
	}
}

static void locked_turn(struct nve_loop *loop)
{
	pthread_mutex_lock(&loop->lock);
	turn(loop);
	pthread_mutex_unlock(&loop->lock);
}

static void on_wake(uv_async_t *wake)
{
	locked_turn(wake->data);
}

static void on_deadline(uv_timer_t *timer)
{
	locked_turn(timer->data);
}

static void on_grace_over(uv_timer_t *timer)
{
	struct nve_loop *loop = timer->data;

	if (!loop->idle)
		nve_log(WARNING, "stop_forced",
			LOG_S("why", "requests were outstanding for too long"));
	uv_stop(&loop->uv);
}

static void on_watchdog(uv_timer_t *timer)
{
	(void)timer;
	sd_notify(0, "WATCHDOG=1");
}

static void dispatch_dp(struct nve_loop *loop)
{
	struct nve_dp *dp;
	const struct nve_dp_ops *ops = nve_engine_dp(loop->engine, &dp);

	ops->dispatch(dp);
}

static void dispatch_nva(struct nve_loop *loop)
{
	struct nve_nva *nva;
	const struct nve_nva_ops *ops = nve_engine_nva(loop->engine, &nva);

	ops->dispatch(nva);
}

/* A descriptor that fails would be reported again and again: it is let go, and the log says so. */
static void on_readable(uv_poll_t *poll, int status, int events)
{
	struct source *source = poll->data;

	(void)events;
	if (status < 0) {
		nve_log(ERROR, "poll_failed",
			LOG_S("source", source == &source->loop->dp ? "datapath" : "nva"),
			LOG_E(status));
		uv_poll_stop(poll);
		return;
	}
	pthread_mutex_lock(&source->loop->lock);
	source->dispatch(source->loop);
	turn(source->loop);
	pthread_mutex_unlock(&source->loop->lock);
}

static void reload(struct nve_loop *loop)
{
	char *err = NULL;
	int r;

	sd_notifyf(0, "RELOADING=1\nMONOTONIC_USEC=%llu", (unsigned long long)(uv_hrtime() / 1000));
	r = nve_engine_reload(loop->engine, uv_hrtime(), &err);
	if (r)
		nve_log(ERROR, "reload_failed", LOG_S("why", err), LOG_E(r));
	else
		nve_log(INFO, "reloaded", LOG_S("signal", "SIGHUP"));
	nve_audit("reload", LOG_S("what", "nva"), LOG_S("result", r ? "failed" : "done"),
		  LOG_S("why", err));
	nve_audit_reopen();
	free(err);
	nve_session_reload(loop->server);
	nve_session_reload_policy(loop->server);
	turn(loop);
	sd_notify(0, "READY=1");
}

static void on_reload(uv_signal_t *signal, int signum)
{
	struct nve_loop *loop = signal->data;

	(void)signum;
	pthread_mutex_lock(&loop->lock);
	reload(loop);
	pthread_mutex_unlock(&loop->lock);
}

static void begin_stop(struct nve_loop *loop, const char *why)
{
	loop->stopping = true;
	sd_notify(0, "STOPPING=1");
	nve_log(INFO, "stopping", LOG_S("signal", why));
	nve_audit("stopping", LOG_S("why", why));
	nve_session_stop(loop->server);
	uv_timer_start(&loop->grace, on_grace_over, GRACE_MS, 0);
}

static void on_stop(uv_signal_t *signal, int signum)
{
	struct nve_loop *loop = signal->data;

	if (loop->stopping) {
		uv_stop(&loop->uv);
		return;
	}
	pthread_mutex_lock(&loop->lock);
	begin_stop(loop, signum == SIGINT ? "SIGINT" : "SIGTERM");
	turn(loop);
	pthread_mutex_unlock(&loop->lock);
}

static int watch_fd(struct nve_loop *loop, struct source *source, int fd,
		    void (*dispatch)(struct nve_loop *loop))
{
	int r;

	if (fd < 0)
		return 0;
	r = uv_poll_init(&loop->uv, &source->poll, fd);
	if (r)
		return r;
	source->loop = loop;
	source->dispatch = dispatch;
	source->poll.data = source;
	return uv_poll_start(&source->poll, UV_READABLE, on_readable);
}

static int watch_backends(struct nve_loop *loop)
{
	struct nve_dp *dp;
	struct nve_nva *nva;
	const struct nve_dp_ops *dp_ops = nve_engine_dp(loop->engine, &dp);
	const struct nve_nva_ops *nva_ops = nve_engine_nva(loop->engine, &nva);
	int r;

	r = watch_fd(loop, &loop->dp, dp_ops->fd(dp), dispatch_dp);
	if (r)
		return r;
	return watch_fd(loop, &loop->nva, nva_ops->fd(nva), dispatch_nva);
}

static int watch_signals(struct nve_loop *loop)
{
	int r;

	r = uv_signal_start(&loop->hup, on_reload, SIGHUP);
	if (!r)
		r = uv_signal_start(&loop->term, on_stop, SIGTERM);
	if (!r)
		r = uv_signal_start(&loop->intr, on_stop, SIGINT);
	return r;
}

/* Pings at half the time that systemd allows: from the loop, so that a stuck loop is restarted. */
static int start_watchdog(struct nve_loop *loop)
{
	uint64_t usec = 0;

	if (sd_watchdog_enabled(0, &usec) <= 0)
		return 0;
	return uv_timer_start(&loop->watchdog, on_watchdog, 0, usec / 2000 ?: 1);
}

static int init_handles(struct nve_loop *loop)
{
	uv_timer_t *timers[] = { &loop->deadline, &loop->grace, &loop->watchdog };
	uv_signal_t *signals[] = { &loop->hup, &loop->term, &loop->intr };
	int r = uv_async_init(&loop->uv, &loop->wake, on_wake);

	loop->wake.data = loop;
	for (int i = 0; i < 3; i++) {
		uv_timer_init(&loop->uv, timers[i]);
		timers[i]->data = loop;
		if (!r)
			r = uv_signal_init(&loop->uv, signals[i]);
		signals[i]->data = loop;
	}
	return r;
}

int nve_loop_new(struct nve_loop **ret)
{
	struct nve_loop *loop = calloc(1, sizeof(*loop));
	int r;

	if (!loop)
		return -ENOMEM;
	r = uv_loop_init(&loop->uv);
	if (r) {
		free(loop);
		return r;
	}
	pthread_mutex_init(&loop->lock, NULL);
	r = init_handles(loop);
	if (r) {
		nve_loop_free(loop);
		return r;
	}
	*ret = loop;
	return 0;
}

static void close_handle(uv_handle_t *handle, void *arg)
{
	(void)arg;
	if (!uv_is_closing(handle))
		uv_close(handle, NULL);
}

void nve_loop_free(struct nve_loop *loop)
{
	if (!loop)
		return;
	uv_walk(&loop->uv, close_handle, NULL);
	uv_run(&loop->uv, UV_RUN_DEFAULT);
	uv_loop_close(&loop->uv);
	pthread_mutex_destroy(&loop->lock);
	free(loop);
}

void nve_loop_wake(void *arg)
{
	struct nve_loop *loop = arg;

	uv_async_send(&loop->wake);
}

bool nve_loop_turn(void *arg)
{
	struct nve_loop *loop = arg;
	bool wake;

	if (pthread_mutex_trylock(&loop->lock))
		return false;
	if (!loop->running) {
		pthread_mutex_unlock(&loop->lock);
		return false;
	}
	nve_session_drain(loop->server);
	nve_engine_run(loop->engine, uv_hrtime());
	/* What only the loop's thread can do: timers, and the end. */
	wake = loop->stopping || next_deadline(loop) < loop->armed ||
	       nve_session_flush_asked(loop->server);
	pthread_mutex_unlock(&loop->lock);
	if (wake)
		nve_loop_wake(loop);
	return true;
}

int nve_loop_run(struct nve_loop *loop, struct nve_engine *engine,
		 struct nve_session_server *server)
{
	int r;

	loop->engine = engine;
	loop->server = server;
	r = watch_signals(loop);
	if (!r)
		r = watch_backends(loop);
	if (!r)
		r = start_watchdog(loop);
	if (r)
		return r;
	pthread_mutex_lock(&loop->lock);
	turn(loop);
	loop->running = true;
	pthread_mutex_unlock(&loop->lock);
	sd_notify(0, "READY=1\nSTATUS=serving");
	nve_log(INFO, "ready", LOG_U("pid", (uint64_t)getpid()));
	uv_run(&loop->uv, UV_RUN_DEFAULT);
	pthread_mutex_lock(&loop->lock);
	loop->running = false;
	pthread_mutex_unlock(&loop->lock);
	return 0;
}
