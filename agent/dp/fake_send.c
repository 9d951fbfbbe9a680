/* SPDX-License-Identifier: Apache-2.0 */
/* Frames of the NVE's own in the datapath in memory, see fake.h: kept for tests to read. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "dp/fake.h"
#include "dp/fake_dp.h"

int nve_fake_send(struct nve_dp *dp, uint16_t port, uint16_t tag, enum nve_dp_send_to to,
		  const void *frame, size_t len)
{
	struct nve_fake_sent *sent;
	uint32_t vn_id;
	int r = nve_shadow_send_check(&dp->shadow, port, tag, len, &vn_id);

	if (r < 0)
		return r;
	if (to == NVE_DP_SEND_WHOLE_VN && dp->unresolved)
		return -EAGAIN;
	if (dp->fail_send_error)
		return dp->fail_send_error;
	sent = realloc(dp->sent, (dp->n_sent + 1) * sizeof(*sent));
	if (!sent)
		return -ENOMEM;
	dp->sent = sent;
	sent += dp->n_sent++;
	*sent = (struct nve_fake_sent){ .vn_id = vn_id, .port = port, .tag = tag, .len = len };
	sent->to_vn = to != NVE_DP_SEND_VAP;
	memcpy(sent->bytes, frame, len < sizeof(sent->bytes) ? len : sizeof(sent->bytes));
	return 0;
}

const struct nve_fake_sent *nve_fake_sent(const struct nve_dp *dp, size_t *n)
{
	*n = dp->n_sent;
	return dp->sent;
}

void nve_fake_forget_sent(struct nve_dp *dp)
{
	free(dp->sent);
	dp->sent = NULL;
	dp->n_sent = 0;
}

void nve_fake_unresolved(struct nve_dp *dp, bool unresolved)
{
	dp->unresolved = unresolved;
}

void nve_fake_fail_send(struct nve_dp *dp, int error)
{
	dp->fail_send_error = error;
}
