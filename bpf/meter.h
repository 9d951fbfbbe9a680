/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * A token bucket without a lock (the generic cell rate algorithm): 'full' is the moment when the
 * bucket will be full again.  What passes moves it on by its cost; what would move it further than
 * a burst ahead of now does not pass.  CPUs that race let at most one frame each too many pass, and
 * each is paid for afterwards.
 *
 * Whoever includes it brings nve_abi.h, nve_dry and bpf_ktime_get_ns(): so a test can run it in
 * user space, at a time of its own.
 */
#pragma once

/*
 * Whether 'units' (bytes or frames) pass now.  A dry run is told, and takes nothing.  What is
 * larger than a whole burst (bulk TCP not yet segmented) passes when the bucket is full, and is
 * paid for afterwards; else it would never pass.
 *
 * Nothing overflows: the agent gives no 'cost' beyond 2^33 (64 kbit/s) and no 'burst' beyond 2^34,
 * and no frame, segmented or not, has 2^24 bytes.
 */
static __always_inline bool nve_meter_pass(struct nve_meter *m, __u32 units)
{
	__u64 cost = (m->cost * units + (1 << 15)) >> 16;
	__u64 burst = m->burst;
	__u64 now, full, from;

	if (!m->cost)
		return true;
	now = bpf_ktime_get_ns();
	full = *(volatile __u64 *)&m->full;
	from = full > now ? full : now;
	if (from - now + (cost < burst ? cost : burst) > burst)
		return false;
	if (nve_dry)
		return true;
	if (__sync_val_compare_and_swap(&m->full, full, from + cost) != full)
		__sync_fetch_and_add(&m->full, cost);
	return true;
}
