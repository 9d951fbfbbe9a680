/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * The benchmark's own programs: a generator of frames, a program that only forwards, a program that
 * counts what arrives, and a wrapper that gives a program another frame in each turn of a test run.
 */
#include "vmlinux.h"

#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#include "plan.bpf.h"

char bench_license[] SEC("license") = "Dual BSD/GPL";

typedef __u16 __attribute__((may_alias)) alias_u16;
typedef __u32 __attribute__((may_alias)) alias_u32;
typedef __u64 __attribute__((may_alias)) alias_u64;

struct bench_plan plan;
struct bench_count seen[BENCH_CPUS]; /* by CPU */
__u64 dice;                          /* one CPU sends */
__u32 forward_to;

/* [0]: the program that 'turn' measures. */
struct {
	__uint(type, BPF_MAP_TYPE_PROG_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u32);
} jump SEC(".maps");

static __always_inline __u32 next_tsi(void)
{
	if (plan.in_order) {
		__u64 i = dice++;

		return i % plan.n_tsis;
	}
	dice = dice * 6364136223846793005ull + 1442695040888963407ull;
	return (dice >> 32) * plan.n_tsis >> 32;
}

static __always_inline void patch_tagged(void *p, __u32 i)
{
	*(alias_u32 *)(p + AT_DST) = bpf_htonl(i);
	*(alias_u32 *)(p + AT_SRC) = bpf_htonl(i);
	*(alias_u16 *)(p + AT_VID) = bpf_htons(BENCH_VID + i % plan.n_vns);
	*(alias_u32 *)(p + AT_IP) = bpf_htonl(0x0a000001 + i);
}

static __always_inline void patch_tunneled(void *p, __u32 i)
{
	__u32 src = bpf_htonl(plan.vtep_net + i % plan.n_vteps);
	__u32 vni = BENCH_VNI + i % plan.n_vns * plan.vni_step;
	__u32 sum = plan.ip_sum + (src & 0xffff) + (src >> 16);

	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	*(alias_u32 *)(p + AT_OUTER_SRC) = src;
	*(alias_u16 *)(p + AT_OUTER_CHECK) = ~sum;
	*(alias_u16 *)(p + AT_OUTER_PORT) = bpf_htons(49152 + (i & 0x3fff));
	*(alias_u32 *)(p + AT_VNI) = bpf_htonl(vni << 8);
	*(alias_u32 *)(p + AT_INNER_DST) = bpf_htonl(i);
	*(alias_u32 *)(p + AT_INNER_SRC) = bpf_htonl(i);
}

/* The datapath has written over the last frame's head, so all of it is written again. */
static __always_inline bool make_frame(struct xdp_md *ctx)
{
	void *p = (void *)(long)ctx->data;
	__u32 i = next_tsi();

	if (p + BENCH_HEAD > (void *)(long)ctx->data_end)
		return false;
#pragma unroll
	for (int w = 0; w < BENCH_HEAD / 8; w++)
		((alias_u64 *)p)[w] = ((alias_u64 *)plan.head)[w];
	if (plan.shape == BENCH_TAGGED)
		patch_tagged(p, i);
	else if (plan.shape == BENCH_TUNNELED)
		patch_tunneled(p, i);
	return true;
}

SEC("xdp")
int generate(struct xdp_md *ctx)
{
	return make_frame(ctx) ? bpf_redirect(plan.ifindex, 0) : XDP_ABORTED;
}

/* A test run keeps the context from turn to turn: what the program moved is moved back. */
SEC("xdp")
int turn(struct xdp_md *ctx)
{
	long len = (long)ctx->data_end - (long)ctx->data;

	barrier_var(len); /* else clang reckons with halves of pointers */
	if (bpf_xdp_adjust_head(ctx, len - (long)plan.len) || !make_frame(ctx))
		return XDP_ABORTED;
	bpf_tail_call(ctx, &jump, 0);
	return XDP_ABORTED;
}

SEC("xdp")
int nothing(struct xdp_md *ctx)
{
	return XDP_REDIRECT;
}

SEC("xdp")
int null_forward(struct xdp_md *ctx)
{
	return bpf_redirect(forward_to, 0);
}

/* Counts frames of IP and VLAN and swallows all: what else the kernel sends is none of ours. */
SEC("xdp")
int sink(struct xdp_md *ctx)
{
	void *p = (void *)(long)ctx->data;
	struct bench_count *c = &seen[bpf_get_smp_processor_id() & (BENCH_CPUS - 1)];
	__u16 type;

	if (p + 14 > (void *)(long)ctx->data_end)
		return XDP_DROP;
	type = *(alias_u16 *)(p + 12);
	if (type != bpf_htons(0x0800) && type != bpf_htons(0x8100))
		return XDP_DROP;
	c->frames++;
	c->bytes += ctx->data_end - ctx->data;
	return XDP_DROP;
}

/* A hypervisor with one VM: tags what its kernel sends, untags what it is sent. */
SEC("tc")
int tag_push(struct __sk_buff *skb)
{
	return bpf_skb_vlan_push(skb, bpf_htons(0x8100), BENCH_VID) ? 2 : 0;
}

SEC("tc")
int tag_pop(struct __sk_buff *skb)
{
	return skb->vlan_present && bpf_skb_vlan_pop(skb) ? 2 : 0;
}
