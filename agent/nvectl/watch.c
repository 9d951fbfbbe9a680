/* SPDX-License-Identifier: Apache-2.0 */
/* nvectl watch: what happens on the NVE, as it happens, a line each. */
#include "nvectl/ctl.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "nvectl/text.h"

struct watching {
	const struct ctl *ctl;
	uint32_t left; /* events until the end; 0: no end */
};

static void print_tsi(const Nve__V1__TsiKey *key)
{
	char text[CTL_VN_TEXT];

	if (!key)
		return;
	printf("TSI %s at ", ctl_text_tsi_id(key->tsi_id, text, sizeof(text)));
	ctl_text_print(stdout, key->port);
	fputs(", VN ", stdout);
	ctl_text_print(stdout, ctl_text_vn(key->vn, text, sizeof(text)));
}

static void print_reason(Nve__V1__Reason reason)
{
	if (reason != NVE__V1__REASON__REASON_OK)
		printf(" (%s: %s)", ctl_text_reason(reason), ctl_reason_text(reason));
}

static void print_moved(const Nve__V1__TsiUpdated *e)
{
	print_tsi(e->tsi);
	fputs(": updated", stdout);
	if (*e->new_port) {
		fputs(", now at ", stdout);
		ctl_text_print(stdout, e->new_port);
	}
	print_reason(e->reason);
}

static void print_vn(uint32_t vn_id, const char *port, const char *what)
{
	printf("VN %u at ", vn_id);
	ctl_text_print(stdout, port);
	printf(": %s", what);
}

static void print_what(const Nve__V1__Event *e)
{
	switch (e->event_case) {
	case NVE__V1__EVENT__EVENT_TSI_STATE:
		print_tsi(e->tsi_state->tsi);
		printf(": %s -> ", ctl_text_state(e->tsi_state->from));
		fputs(ctl_text_state(e->tsi_state->to), stdout);
		print_reason(e->tsi_state->reason);
		break;
	case NVE__V1__EVENT__EVENT_TSI_UPDATED:
		print_moved(e->tsi_updated);
		break;
	case NVE__V1__EVENT__EVENT_VN_CONNECTED:
		print_vn(e->vn_connected->vn_id, e->vn_connected->port, "connected");
		printf(", tag %u", e->vn_connected->tag);
		break;
	case NVE__V1__EVENT__EVENT_VN_DISCONNECTED:
		print_vn(e->vn_disconnected->vn_id, e->vn_disconnected->port, "disconnected");
		print_reason(e->vn_disconnected->reason);
		break;
	case NVE__V1__EVENT__EVENT_DUPLICATE_ADDRESS:
		print_tsi(e->duplicate_address->tsi);
		fputs(": an address of it is Activated at two places", stdout);
		break;
	case NVE__V1__EVENT__EVENT_DRAINING:
		ctl_text_print(stdout, e->draining->port);
		fputs(e->draining->over ? " drains no more" : " drains", stdout);
		if (e->draining->wait_ms)
			printf(", what is left in %g s is cleared",
			       (double)e->draining->wait_ms / 1000);
		break;
	case NVE__V1__EVENT__EVENT_LOST:
		printf("%" PRIu64 " events were lost here", e->lost->count);
		break;
	default:
		fputs("an event that this nvectl does not know", stdout);
	}
}

static int take(void *arg, ProtobufCMessage **message)
{
	const Nve__V1__Event *e = (const void *)*message;
	struct watching *w = arg;
	char time[CTL_TIME_TEXT];

	if (w->ctl->json) {
		ctl_print_json(*message);
	} else {
		printf("%s  %" PRIu64 "  ", ctl_text_time(e->time_unix_ns, time, sizeof(time)),
		       e->seq);
		print_what(e);
		if (*e->client) {
			fputs(", asked by ", stdout);
			ctl_text_print(stdout, e->client);
		}
		putchar('\n');
	}
	if (fflush(stdout))
		return -errno; /* nobody reads any more */
	return w->left && !--w->left;
}

static int run(struct ctl *ctl)
{
	const char *port = ctl_option_value(&ctl->in, "port");
	Nve__V1__WatchRequest req = NVE__V1__WATCH_REQUEST__INIT;
	struct ctl_call call = { CTL_ADMIN("Watch"), &req.base, &nve__v1__event__descriptor,
				 ctl->timeout_given ? ctl->timeout_ms : 0, true };
	struct watching w = { .ctl = ctl };
	int r = ctl_get_u32(ctl, "count", &w.left);

	if (r == CTL_OK && ctl_option_value(&ctl->in, "count") && !w.left)
		return ctl_usage(ctl, "--count must be above 0");
	if (r != CTL_OK)
		return r;
	req.port = (char *)(port ? port : "");
	return ctl_call_stream(ctl, &call, take, &w);
}

static const struct ctl_option options[] = {
	{ "port", 'p', "PORT", CTL_WORDS_PORT, false, false, "only what happens at this port" },
	{ "count", 'c', "N", CTL_WORDS_ANY, false, false, "end after so many events" },
	{ 0 },
};

static const struct ctl_command watch_command = {
	.summary = "events of the NVE as they happen",
	.details = "Goes on until it is interrupted, or for as long as --timeout says.  With\n"
		   "-o json each line is one object.\n",
	.options = options,
	.run = run,
};

static const struct ctl_command *const commands[] = { &watch_command, NULL };

const struct ctl_group ctl_watch_group = { "watch", "events of the NVE as they happen", commands };
