/* SPDX-License-Identifier: Apache-2.0 */
/*
 * nvectl doctor: what may be wrong, and the remedy.  The agent knows most; where none answers, what
 * the machine and the configuration tell is looked at here.
 */
#include "doctor.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "nve/v1/doctor.pb-c.h"
#include "nvectl/ctl.h"

#define CONFIG "/etc/nved/nved.yaml"

/* Exit codes of this command alone. */
enum { ALL_OK = 0, SOME_WARN = 1, SOME_FAIL = 2 };

static const struct ctl_column columns[] = { { "HEALTH" }, { "CHECK" },  { "SUBJECT" },
					     { "FOUND" },  { "REMEDY" }, { 0 } };

struct report {
	struct ctl_list list;
	int worst;
};

static void add(struct report *r, const Nve__V1__Finding *f)
{
	static const char *const words[] = { "?", "ok", "warn", "FAIL" };
	int health =
		f->health >= NVE__V1__HEALTH__HEALTH_OK && f->health <= NVE__V1__HEALTH__HEALTH_FAIL
			? (int)f->health
			: 0;

	if (health - 1 > r->worst)
		r->worst = health - 1;
	if (ctl_list_json(&r->list, &f->base))
		return;
	ctl_columns_add(r->list.table, "%s", words[health]);
	ctl_columns_add(r->list.table, "%s", f->check);
	ctl_columns_add(r->list.table, "%s", f->subject);
	ctl_columns_add(r->list.table, "%s", f->text);
	ctl_columns_add(r->list.table, "%s", f->remedy);
}

static void add_own(void *arg, const struct nve_finding *own)
{
	Nve__V1__Finding f = NVE__V1__FINDING__INIT;

	f.check = (char *)own->check;
	f.subject = (char *)own->subject;
	f.text = (char *)own->text;
	f.remedy = (char *)own->remedy;
	f.health = own->health == NVE_DOCTOR_OK     ? NVE__V1__HEALTH__HEALTH_OK
		   : own->health == NVE_DOCTOR_WARN ? NVE__V1__HEALTH__HEALTH_WARN
						    : NVE__V1__HEALTH__HEALTH_FAIL;
	add(arg, &f);
}

static void no_agent(struct ctl *ctl, struct report *report)
{
	const char *config = ctl_option_value(&ctl->in, "config");

	add_own(report,
		&(struct nve_finding){
			.health = NVE_DOCTOR_FAIL,
			.check = "agent",
			.subject = ctl->server,
			.text = "no agent answers; what follows is what can be told without",
			.remedy = "systemctl start nved; its log: journalctl -u nved",
		});
	nve_doctor_offline(config ? config : CONFIG, add_own, report);
}

static int run(struct ctl *ctl)
{
	Nve__V1__DoctorRequest req = NVE__V1__DOCTOR_REQUEST__INIT;
	const Nve__V1__DoctorReply *findings;
	ProtobufCMessage *reply = NULL;
	struct report report = { 0 };
	int r, answered;

	answered = ctl_call_unary(ctl, CTL_ADMIN("Doctor"), &req.base,
				  &nve__v1__doctor_reply__descriptor, &reply);
	if (answered != CTL_OK && answered != CTL_UNREACHABLE)
		return SOME_FAIL;
	r = ctl_list_start(&report.list, ctl, columns);
	if (r != CTL_OK)
		return r;
	findings = (const Nve__V1__DoctorReply *)reply;
	for (size_t i = 0; findings && i < findings->n_findings; i++)
		add(&report, findings->findings[i]);
	if (!findings)
		no_agent(ctl, &report);
	r = ctl_list_end(&report.list, CTL_OK);
	if (reply)
		protobuf_c_message_free_unpacked(reply, NULL);
	return r == CTL_OK ? report.worst : r;
}

static const struct ctl_option options[] = {
	{ "config", 'c', "FILE", CTL_WORDS_ANY, false, false,
	  "the agent's configuration, where none answers (default: " CONFIG ")" },
	{ 0 },
};

static const struct ctl_command doctor_command = {
	.summary = "what may be wrong with this NVE, and the remedy",
	.details = "Works without an agent, too: then it looks at the machine and at the\n"
		   "configuration.  Exit code 0: all is well; 1: warnings; 2: something fails.\n",
	.options = options,
	.run = run,
};

static const struct ctl_command *const commands[] = { &doctor_command, NULL };

const struct ctl_group ctl_doctor_group = { "doctor",
					    "what may be wrong with this NVE, and the remedy",
					    commands };
