/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * The datapath: an access port and an underlay port, each for XDP and for TC.  A port that runs in
 * XDP mode has both programs.  Read forward.h for the way of a frame; xdp.h and tc.h carry it out.
 */
#include "vmlinux.h"

#include "send.h"
#include "tc.h"
#include "xdp.h"

char nve_license[] SEC("license") = "Dual BSD/GPL";

SEC("xdp")
int xdp_access(struct xdp_md *ctx)
{
	struct nve_frame f = nve_xdp_frame(ctx);

	return nve_xdp_end(ctx, &f, nve_access(&f) ?: nve_xdp_access(ctx, &f));
}

SEC("xdp")
int xdp_underlay(struct xdp_md *ctx)
{
	struct nve_frame f = nve_xdp_frame(ctx);

	return nve_xdp_end(ctx, &f, nve_underlay(&f) ?: nve_xdp_underlay(ctx, &f));
}

SEC("tc")
int tc_access(struct __sk_buff *skb)
{
	struct nve_frame f;

	nve_tc_linear(skb, nve_tc_access_head(skb));
	f = nve_tc_frame(skb);
	/* The tag of another kind of VLAN (802.1ad) is none: no VAP is known by it. */
	if (f.tag_in_meta && skb->vlan_proto != NVE_P_8021Q)
		return nve_tc_end(skb, &f, NVE_DROP_NO_TAG);
	return nve_tc_end(skb, &f, nve_access(&f) ?: nve_tc_access(skb, &f));
}

SEC("tc")
int tc_underlay(struct __sk_buff *skb)
{
	struct nve_frame f;

	nve_tc_linear(skb, nve_tc_underlay_head(skb));
	f = nve_tc_frame(skb);
	if (f.tag_in_meta) /* another network on the same wire */
		return NVE_TC_OK;
	if (nve_tc_has_options(&f)) {
		nve_tc_linear(skb, NVE_TC_PULL);
		f = nve_tc_frame(skb);
	}
	return nve_tc_end(skb, &f, nve_underlay(&f) ?: nve_tc_underlay(skb, &f));
}

#if !NVE_DRY /* it sends for real */
SEC("tc")
int tc_send(struct __sk_buff *skb)
{
	return nve_send(skb);
}
#endif
