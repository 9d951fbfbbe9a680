/* SPDX-License-Identifier: Apache-2.0 */
/*
 * nvectl drain: empties the NVE, or a port: announces it, waits while TSIs move away, clears the
 * rest.
 *
 * The agent keeps that it drains, also over its own restart; waiting and clearing is done from
 * here.  So who interrupts this program leaves a drain that goes on and clears nothing.
 */
#include <inttypes.h>
#include <poll.h>
#include <string.h>
#include <time.h>

#include "nvectl/evict.h"
#include "nvectl/json.h"
#include "nvectl/text.h"

enum { LOOK_MS = 250, ACK_MS = 2000 };

struct draining {
	struct ctl *ctl;
	const char *port; /* "" = all */
	uint64_t until_ms;
	uint32_t said; /* TSIs left, as last printed */
	Nve__V1__Status *status;
};

static uint64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

static int keep_status(void *arg, ProtobufCMessage **message)
{
	struct draining *d = arg;

	if (d->status)
		nve__v1__status__free_unpacked(d->status, NULL);
	d->status = (Nve__V1__Status *)*message;
	*message = NULL;
	return 0;
}

/* Quietly: an agent that is not there is one that restarts.  False: not known now. */
static bool look(struct draining *d)
{
	Nve__V1__GetStatusRequest req = NVE__V1__GET_STATUS_REQUEST__INIT;
	struct ctl_call call = { CTL_ADMIN("GetStatus"), &req.base, &nve__v1__status__descriptor,
				 1000, false };
	struct ctl_outcome outcome = { 0 };
	int r = d->ctl->client ? ctl_client_call(d->ctl->client, &call, keep_status, d, &outcome)
			       : -ENOMEM;

	ctl_outcome_free(&outcome);
	if (r == 0)
		return d->status != NULL;
	/* One that failed tries again after longer and longer pauses: a new one does at once. */
	ctl_client_free(d->ctl->client);
	d->ctl->client = NULL;
	ctl_client_new(d->ctl->target, d->ctl->tls, &d->ctl->client);
	return false;
}

/* False: it drains no more, somebody has undone it. */
static bool count_left(const struct draining *d, uint32_t *tsis)
{
	bool any = false;

	*tsis = 0;
	for (size_t i = 0; i < d->status->n_draining; i++) {
		const Nve__V1__DrainingPort *p = d->status->draining[i];

		if (*d->port && strcmp(p->port, d->port))
			continue;
		any = true;
		*tsis += p->tsis;
	}
	return any;
}

static void say_progress(struct draining *d, uint32_t left)
{
	uint64_t now = now_ms(), ms = d->until_ms > now ? d->until_ms - now : 0;

	if (left == d->said)
		return;
	d->said = left;
	fprintf(stderr, "nvectl: %u TSI%s left, %" PRIu64 " s to go\n", left, left == 1 ? "" : "s",
		(ms + 999) / 1000);
}

/* CTL_OK: empty, or the time is over; 'left' says which. */
static int wait_until_empty(struct draining *d, uint32_t *left)
{
	for (;;) {
		bool known = look(d);
		uint64_t now, until = d->until_ms;

		if (known) {
			if (!count_left(d, left))
				return ctl_refused("DRAIN_UNDONE", "somebody has ended the drain; "
								   "nothing was cleared");
			say_progress(d, *left);
			if (!*left)
				return CTL_OK;
		}
		/* An agent that restarts just then gets the time that a call would. */
		until += known ? 0 : d->ctl->timeout_ms;
		now = now_ms();
		if (now >= until)
			return CTL_OK; /* if there is no agent, the call that clears says so */
		poll(NULL, 0, until - now < LOOK_MS ? (int)(until - now) : LOOK_MS);
	}
}

static int clear(struct draining *d, ProtobufCMessage **ret)
{
	Nve__V1__EvictRequest req = NVE__V1__EVICT_REQUEST__INIT;

	req.port = (char *)d->port;
	req.everything = !*d->port;
	req.reason = NVE__V1__REASON__REASON_DRAINING;
	req.wait_ms = ACK_MS;
	return ctl_evict_call(d->ctl, CTL_ADMIN("DisconnectVn"), &req, ret);
}

static void print_ports(const Nve__V1__DrainReply *reply)
{
	if (!reply->n_ports)
		puts("no port drains");
	for (size_t i = 0; i < reply->n_ports; i++) {
		const Nve__V1__DrainingPort *p = reply->ports[i];
		char since[CTL_TIME_TEXT];

		ctl_text_print(stdout, p->port);
		printf(" drains since %s: %u TSI%s, %u VN%s left\n",
		       ctl_text_time(p->since_unix_ns, since, sizeof(since)), p->tsis,
		       p->tsis == 1 ? "" : "s", p->vns, p->vns == 1 ? "" : "s");
	}
}

/* One document: the ports as they were when it began, and what had to be cleared. */
static void print(const struct ctl *ctl, const ProtobufCMessage *drain,
		  const ProtobufCMessage *evicted)
{
	if (ctl->json) {
		fputs("{\"drain\":", stdout);
		ctl_json_message(stdout, drain);
		fputs(",\"evicted\":", stdout);
		if (evicted)
			ctl_json_message(stdout, evicted);
		else
			fputs("null", stdout);
		puts("}");
		return;
	}
	if (evicted)
		ctl_evict_print((const void *)evicted, "VN", "disconnected");
	else
		print_ports((const void *)drain);
}

static int wait_and_clear(struct ctl *ctl, const char *port, uint32_t wait_ms,
			  ProtobufCMessage **evicted)
{
	struct draining d = {
		.ctl = ctl, .port = port, .until_ms = now_ms() + wait_ms, .said = UINT32_MAX
	};
	uint32_t left = 0;
	int r = wait_until_empty(&d, &left);

	if (d.status)
		nve__v1__status__free_unpacked(d.status, NULL);
	/* Also VNs without TSIs: what is drained has nothing. */
	return r == CTL_OK ? clear(&d, evicted) : r;
}

static int run(struct ctl *ctl)
{
	const char *port = ctl_option_value(&ctl->in, "port");
	bool waits = ctl_option_value(&ctl->in, "wait") != NULL;
	Nve__V1__DrainRequest req = NVE__V1__DRAIN_REQUEST__INIT;
	ProtobufCMessage *drain = NULL, *evicted = NULL;
	int r = ctl_get_wait(ctl, 86400000, &req.wait_ms);

	req.undo = ctl_option_value(&ctl->in, "undo") != NULL;
	req.port = (char *)(port ? port : "");
	if (r == CTL_OK && req.undo && waits)
		return ctl_usage(ctl, "--undo does not wait");
	if (r == CTL_OK)
		r = ctl_call_unary(ctl, CTL_ADMIN("Drain"), &req.base,
				   &nve__v1__drain_reply__descriptor, &drain);
	if (r == CTL_OK && waits)
		r = wait_and_clear(ctl, req.port, req.wait_ms, &evicted);
	if (r == CTL_OK)
		print(ctl, drain, evicted);
	if (r == CTL_OK && evicted && ((Nve__V1__EvictReply *)evicted)->n_failures)
		r = CTL_REFUSED;
	protobuf_c_message_free_unpacked(evicted, NULL);
	protobuf_c_message_free_unpacked(drain, NULL);
	return r;
}

static const struct ctl_option options[] = {
	{ "port", 'p', "PORT", CTL_WORDS_PORT, false, false, "only this port; without it all" },
	{ "wait", 'w', "SECONDS", CTL_WORDS_ANY, false, false,
	  "wait so long for TSIs to leave, then clear what is left;\n"
	  "without it nothing is waited for, and nothing cleared" },
	{ "undo", 'u', NULL, CTL_WORDS_ANY, false, false, "the drain is over" },
	{ 0 },
};

static const struct ctl_command drain_command = {
	.summary = "empty the NVE, or a port: take nothing new, wait, clear the rest",
	.details = "Hypervisors are told by an event, and new TSIs and VNs are refused (DRAINING)\n"
		   "until --undo, also over a restart of the agent.  Who interrupts the command\n"
		   "leaves the drain as it is: announced, and nothing is cleared.\n",
	.options = options,
	.run = run,
};

static const struct ctl_command *const commands[] = { &drain_command, NULL };
const struct ctl_group ctl_drain_group = {
	"drain", "empty the NVE, or a port: take nothing new, wait, clear the rest", commands
};
