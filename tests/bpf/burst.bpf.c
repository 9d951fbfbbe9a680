/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * A generator for live test runs: sends the given frames by turns, each with its number in its last
 * four bytes, so that they arrive in batches, as from a NIC.
 */
#include "vmlinux.h"

#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

enum { BURST_LEN = 96, BURST_KINDS = 4 };

char burst_license[] SEC("license") = "Dual BSD/GPL";

typedef __u32 __attribute__((may_alias)) alias_u32;

__u8 frames[BURST_KINDS][BURST_LEN];
__u32 n_kinds = 1;
__u32 next;
__u32 ifindex;

SEC("xdp")
int burst(struct xdp_md *ctx)
{
	alias_u32 *to = (void *)(long)ctx->data;
	__u32 number = next++;
	const alias_u32 *from = (const void *)frames[number % n_kinds & (BURST_KINDS - 1)];

	if ((void *)to + BURST_LEN > (void *)(long)ctx->data_end)
		return XDP_ABORTED;
	for (int i = 0; i < BURST_LEN / 4 - 1; i++)
		to[i] = from[i];
	to[BURST_LEN / 4 - 1] = bpf_htonl(number);
	return bpf_redirect(ifindex, 0);
}
