/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The queue of the audit log and its writer.
 *
 * Two buffers: callers append whole lines to one under the lock, which nobody holds for longer than
 * a copy; the writer takes it as it is, leaves the other one in its place, and writes.  A disk that
 * stands still fills the buffer, and then lines are counted instead.
 */
#include "audit_internal.h"

#include "session/peer.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { QUEUE_BYTES = 4 << 20, RETRY_S = 1, CLOSE_S = 2 };

struct buffer {
	char *text;
	size_t len;
	uint64_t lines, lost;
};

static struct {
	atomic_bool on;
	pthread_mutex_t lock;
	pthread_cond_t changed;
	pthread_t thread;
	char *path;
	size_t max; /* of a buffer, but for the line that says what was lost */
	struct buffer fill;
	uint64_t seq;
	bool stop, reopen;
	struct timespec stop_by;
	struct nve_audit_status status;
	/* The writer's. */
	struct buffer out;
	size_t done; /* of 'out' */
	struct nve_audit_file file;
} audit = { .lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER };

static uint64_t realtime_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

/* With the lock, but for the writer, whose buffer is its own. */
static void append(struct buffer *to, uint64_t seq, const char *body, size_t len)
{
	to->len += nve_audit_head(to->text + to->len, seq, realtime_ns());
	memcpy(to->text + to->len, body, len);
	to->len += len;
	to->lines++;
}

void nve_audit_fields(const char *event, const struct nve_log_field *fields)
{
	char body[NVE_AUDIT_BODY_BYTES];
	size_t len;

	if (!nve_audit_on())
		return;
	len = nve_audit_body(body, event, fields);
	pthread_mutex_lock(&audit.lock);
	if (audit.fill.text) {
		struct buffer *to = &audit.fill;

		audit.seq++;
		/* Once one is lost all are, until the line that tells of it: the order stays. */
		if (to->lost || to->len + NVE_AUDIT_HEAD_BYTES + len > audit.max) {
			to->lost++;
			audit.status.lost++;
		} else {
			append(to, audit.seq, body, len);
		}
		if (to->lines == 1 || to->lost == 1)
			pthread_cond_signal(&audit.changed);
	}
	pthread_mutex_unlock(&audit.lock);
}

/* With the lock: the writer takes what there is. */
static bool take(void)
{
	char body[NVE_AUDIT_BODY_BYTES];
	struct nve_log_field fields[] = { LOG_U("lost", audit.fill.lost), { 0 } };
	struct buffer empty = audit.out;

	if (!audit.fill.lines && !audit.fill.lost)
		return false;
	audit.out = audit.fill;
	audit.done = 0;
	empty.len = empty.lines = empty.lost = 0;
	audit.fill = empty;
	if (audit.out.lost)
		append(&audit.out, audit.seq, body, nve_audit_body(body, "audit_lost", fields));
	return true;
}

/* Without the lock: it may take long. */
static int write_out(void)
{
	int r;

	audit.done += nve_audit_file_write(&audit.file, audit.out.text + audit.done,
					   audit.out.len - audit.done, &r);
	return r;
}

static uint64_t count_lines(const char *text, size_t len)
{
	const char *end = text + len;
	uint64_t n = 0;

	while (text < end && (text = memchr(text, '\n', (size_t)(end - text)))) {
		text++;
		n++;
	}
	return n;
}

/* With the lock. */
static void note(int r, size_t from)
{
	audit.status.lines += count_lines(audit.out.text + from, audit.done - from);
	audit.status.rotated = audit.file.rotated;
	audit.status.failures = audit.file.failures;
	audit.status.error = r;
}

/* With the lock: until there is something to do, or, after a failure, it is time to try again. */
static void wait(int failure)
{
	struct timespec until;

	if (!failure) {
		while (!audit.fill.lines && !audit.fill.lost && !audit.stop && !audit.reopen)
			pthread_cond_wait(&audit.changed, &audit.lock);
		return;
	}
	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec += RETRY_S;
	if (audit.stop) {
		until.tv_sec -= RETRY_S;
		until.tv_nsec += 50000000;
		until.tv_sec += until.tv_nsec / 1000000000;
		until.tv_nsec %= 1000000000;
	}
	while (!audit.reopen &&
	       pthread_cond_timedwait(&audit.changed, &audit.lock, &until) != ETIMEDOUT)
		if (audit.stop)
			return;
}

static bool too_late(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return audit.stop &&
	       (now.tv_sec > audit.stop_by.tv_sec ||
		(now.tv_sec == audit.stop_by.tv_sec && now.tv_nsec >= audit.stop_by.tv_nsec));
}

static void log_change(int was, int r)
{
	if (r && r != was)
		nve_log(ERROR, "audit_failed", LOG_S("path", audit.file.path), LOG_E(r),
			LOG_S("so", "lines wait in memory; those beyond are counted as lost"));
	else if (was && !r)
		nve_log(WARNING, "audit_recovered", LOG_S("path", audit.file.path));
}

static void *writer(void *arg)
{
	int r = 0;

	pthread_mutex_lock(&audit.lock);
	for (;;) {
		bool reopen = audit.reopen;
		size_t from;
		int was = r;

		if (!reopen && audit.done == audit.out.len && !take()) {
			if (audit.stop)
				break;
			wait(0);
			continue;
		}
		audit.reopen = false;
		from = audit.done;
		pthread_mutex_unlock(&audit.lock);
		r = reopen ? nve_audit_file_open(&audit.file) : 0;
		if (!r)
			r = write_out();
		log_change(was, r);
		pthread_mutex_lock(&audit.lock);
		note(r, from);
		if (r && too_late())
			break;
		if (r)
			wait(r);
	}
	pthread_mutex_unlock(&audit.lock);
	return arg;
}

static void forget(void)
{
	nve_audit_file_close(&audit.file);
	free(audit.fill.text);
	free(audit.out.text);
	free(audit.path);
	audit.fill = audit.out = (struct buffer){ 0 };
	audit.path = NULL;
	audit.status = (struct nve_audit_status){ 0 };
}

static int start(void)
{
	sigset_t all, old;
	int r;

	sigfillset(&all); /* signals are for the caller's thread */
	pthread_sigmask(SIG_SETMASK, &all, &old);
	r = pthread_create(&audit.thread, NULL, writer, NULL);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	return -r;
}

static bool mends_itself(int r)
{
	return r == -ENOSPC || r == -EDQUOT || r == -EROFS || r == -EIO || r == -EMFILE ||
	       r == -ENFILE;
}

static int prepare(const struct nve_audit_config *config)
{
	audit.max = config->queue_bytes ? config->queue_bytes : QUEUE_BYTES;
	audit.fill.text = malloc(audit.max + NVE_AUDIT_HEAD_BYTES + NVE_AUDIT_BODY_BYTES);
	audit.out.text = malloc(audit.max + NVE_AUDIT_HEAD_BYTES + NVE_AUDIT_BODY_BYTES);
	audit.path = strdup(config->path);
	if (!audit.fill.text || !audit.out.text || !audit.path)
		return -ENOMEM;
	audit.file = (struct nve_audit_file){ .path = audit.path,
					      .max_bytes = config->max_bytes,
					      .keep = config->keep,
					      .sync = config->sync,
					      .fd = -1 };
	audit.seq = audit.done = 0;
	audit.stop = audit.reopen = false;
	audit.status.path = audit.path;
	audit.status.error = nve_audit_file_open(&audit.file);
	return mends_itself(audit.status.error) ? 0 : audit.status.error;
}

int nve_audit_open(const struct nve_audit_config *config, char **err)
{
	int r;

	if (!config->path)
		return 0;
	r = prepare(config);
	if (!r)
		r = start();
	if (r) {
		forget();
		if (asprintf(err,
			     "audit log %s: %s; make its directory, owned by the agent's user, or "
			     "change audit.path",
			     config->path, strerrordesc_np(-r) ?: "unknown error") < 0)
			*err = NULL;
		return r;
	}
	atomic_store(&audit.on, true);
	return 0;
}

void nve_audit_close(void)
{
	if (!atomic_exchange(&audit.on, false))
		return;
	pthread_mutex_lock(&audit.lock);
	clock_gettime(CLOCK_MONOTONIC, &audit.stop_by);
	audit.stop_by.tv_sec += CLOSE_S;
	audit.stop = true;
	pthread_cond_signal(&audit.changed);
	pthread_mutex_unlock(&audit.lock);
	pthread_join(audit.thread, NULL);
	pthread_mutex_lock(&audit.lock);
	forget();
	pthread_mutex_unlock(&audit.lock);
}

bool nve_audit_on(void)
{
	return atomic_load_explicit(&audit.on, memory_order_relaxed);
}

void nve_audit_reopen(void)
{
	pthread_mutex_lock(&audit.lock);
	audit.reopen = true;
	pthread_cond_signal(&audit.changed);
	pthread_mutex_unlock(&audit.lock);
}

void nve_audit_status(struct nve_audit_status *ret)
{
	pthread_mutex_lock(&audit.lock);
	*ret = audit.status;
	pthread_mutex_unlock(&audit.lock);
}

static const char *identity_of(const struct nve_peer *peer)
{
	return peer && *peer->identity ? peer->identity : NULL;
}

void nve_audit_auth(const struct nve_peer *peer, const char *address, bool accepted,
		    const char *why)
{
	nve_audit("auth", LOG_S("result", accepted ? "accepted" : "refused"),
		  LOG_S(accepted ? "identity" : "claims", identity_of(peer)),
		  LOG_S("address", address), LOG_S("why", why));
}
