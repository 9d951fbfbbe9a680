/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Frames of the NVE's own: a test run of tc_send, whose copies leave for real.  It is the one way
 * that needs no second implementation of replication and of tunnel headers, and no interface.
 */
#include <bpf/bpf.h>
#include <errno.h>
#include <linux/bpf.h>

#include "dp/ebpf_net.h"

/* Whether each VTEP of the VN can be sent to. */
static bool all_resolved(const struct nve_dp *dp, uint32_t vn_id)
{
	const struct nve_shadow_vn *vn = nve_shadow_vn(&dp->shadow, vn_id);

	for (uint32_t i = 0; vn && vn->now && i < vn->now->n_vteps; i++)
		if (!dp->hops[vn->now->vteps[i]].resolved)
			return false;
	return true;
}

int nve_ebpf_send(struct nve_dp *dp, uint16_t port, uint16_t tag, enum nve_dp_send_to to,
		  const void *frame, size_t len)
{
	struct __sk_buff skb = { 0 };
	uint32_t vn_id;
	int r = nve_shadow_send_check(&dp->shadow, port, tag, len, &vn_id);
	LIBBPF_OPTS(bpf_test_run_opts, opts, .data_in = frame, .data_size_in = (uint32_t)len,
		    .ctx_in = &skb, .ctx_size_in = sizeof(skb));

	if (r < 0)
		return r;
	if (!dp->ports[port].ifindex)
		return -ENODEV;
	if (to == NVE_DP_SEND_WHOLE_VN && !all_resolved(dp, vn_id))
		return -EAGAIN;
	skb.cb[NVE_SEND_KIND] = to == NVE_DP_SEND_VAP ? NVE_SEND_TO_VAP : NVE_SEND_TO_VN;
	skb.cb[NVE_SEND_VN] = vn_id;
	skb.cb[NVE_SEND_IFINDEX] = dp->ports[port].ifindex;
	skb.cb[NVE_SEND_VID] = tag;
	r = bpf_prog_test_run_opts(dp->prog[NVE_PROG_TC_SEND], &opts);
	if (r < 0)
		return r;
	return opts.retval == NVE_FORWARD || opts.retval == NVE_DROP_NO_MEMBER ? 0 : -EIO;
}
