/* SPDX-License-Identifier: Apache-2.0 */
/* nvectl diff: what the datapath was told against what it has. */
#include "nvectl/ctl.h"

#include <inttypes.h>
#include <stdio.h>

#include "nve/v1/diff.pb-c.h"

static const struct ctl_column columns[] = { { "TABLE" }, { "ROW" },    { "KEY" }, { "WANT" },
					     { "HAVE" },  { "MENDED" }, { 0 } };

struct differences {
	struct ctl_list list;
	uint64_t rows, n, mended;
};

static const char *kind_of(Nve__V1__DifferenceKind kind)
{
	switch (kind) {
	case NVE__V1__DIFFERENCE_KIND__DIFFERENCE_KIND_MISSING:
		return "missing";
	case NVE__V1__DIFFERENCE_KIND__DIFFERENCE_KIND_FOREIGN:
		return "foreign";
	default:
		return "differs";
	}
}

static int take(void *arg, ProtobufCMessage **message)
{
	const Nve__V1__DiffReply *reply = (const void *)*message;
	struct differences *d = arg;

	d->rows = reply->rows;
	for (size_t i = 0; i < reply->n_differences; i++) {
		const Nve__V1__Difference *x = reply->differences[i];

		d->n++;
		d->mended += x->mended;
		if (ctl_list_json(&d->list, &x->base))
			continue;
		ctl_columns_add(d->list.table, "%s", x->table);
		ctl_columns_add(d->list.table, "%s", kind_of(x->kind));
		ctl_columns_add_fields(d->list.table, x->key);
		ctl_columns_add_fields(d->list.table, x->want);
		ctl_columns_add_fields(d->list.table, x->have);
		ctl_columns_add(d->list.table, "%s", x->mended ? "yes" : "no");
	}
	return 0;
}

static int run(struct ctl *ctl)
{
	Nve__V1__DiffRequest req = NVE__V1__DIFF_REQUEST__INIT;
	struct ctl_call call = { CTL_ADMIN("Diff"), &req.base, &nve__v1__diff_reply__descriptor,
				 ctl->timeout_ms, false };
	struct differences d = { 0 };
	int r;

	req.repair = ctl_option_value(&ctl->in, "repair") != NULL;
	if (!ctl->timeout_given)
		call.timeout_ms = 0; /* large tables take their time */
	r = ctl_list_start(&d.list, ctl, columns);
	if (r != CTL_OK)
		return r;
	r = ctl_call_stream(ctl, &call, take, &d);
	if (r == CTL_OK && !d.n && !ctl->json) {
		ctl_list_end(&d.list, CTL_BROKEN); /* an empty table says nothing */
		printf("no differences (%" PRIu64 " rows)\n", d.rows);
		return CTL_OK;
	}
	r = ctl_list_end(&d.list, r);
	if (r != CTL_OK || !d.n)
		return r;
	if (!ctl->json)
		printf("\n%" PRIu64 " differences, %" PRIu64 " mended (%" PRIu64 " rows)\n", d.n,
		       d.mended, d.rows);
	return CTL_REFUSED;
}

static const struct ctl_option options[] = {
	{ "repair", 'r', NULL, CTL_WORDS_ANY, false, false, "mend what is found" },
	{ 0 },
};

static const struct ctl_command diff_command = {
	.summary = "what the datapath was told against what it has",
	.details = "Looks at every row of every table, at programs and at pins, while frames\n"
		   "pass.  Exit code 0: no differences; 1: there were some, mended or not.\n",
	.options = options,
	.run = run,
};

static const struct ctl_command *const commands[] = { &diff_command, NULL };

const struct ctl_group ctl_diff_group = { "diff", "what the datapath was told against what it has",
					  commands };
