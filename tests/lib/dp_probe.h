/* SPDX-License-Identifier: Apache-2.0 */
/* What the programs of the eBPF datapath make of a frame, by bpf_prog_test_run. */
#pragma once

#include "lib/dp_world.h"
#include "lib/frame.h"

struct nve_fake_verdict dp_probe_port(struct dpw *w, const struct nve_fake_frame *frame);
struct nve_fake_verdict dp_probe_vtep(struct dpw *w, const char *vtep, uint32_t vni,
				      const char *dst);
/* Asks by ARP or neighbor solicitation for the IP: is it answered, and with which MAC? */
bool dp_probe_answer(struct dpw *w, const struct nve_fake_frame *frame, const struct nve_ip *ip,
		     uint8_t mac[NVE_MAC_LEN]);
/* Runs the program of that role and mode alone; its return value.  'out' may be NULL. */
int dp_probe_run(struct dpw *w, uint8_t role, uint8_t mode, uint32_t ifindex,
		 const struct frame *in, struct frame *out);
/*
 * Frames on the loop that makes copies in XDP.  A test run puts none there for real: the other
 * turns it by hand for the frame that came out, until as many are left as 'before'; the copies
 * made.
 */
uint64_t dp_probe_on_loop(const struct dpw *w);
uint32_t dp_probe_turn_loop(struct dpw *w, uint64_t before, struct frame *f);
/* How long this thread's last run was inside the program. */
extern _Thread_local uint32_t dp_probe_ns;
struct frame dp_probe_frame(const struct nve_fake_frame *f);
/* TC programs on an interface, by tcx. */
uint32_t dp_probe_attached(const char *ifname);
