/* SPDX-License-Identifier: Apache-2.0 */
/* The eBPF datapath's dealings with interfaces, routes and neighbors. */
#pragma once

#include "dp/ebpf.h"

struct nlmsghdr;
struct nve_ebpf_link;

/* --- attach, probe ---------------------------------------------------------------------------- */
int nve_ebpf_port_set(struct nve_dp *dp, const struct nve_dp_port *port, char **err);
int nve_ebpf_port_del(struct nve_dp *dp, uint16_t slot);
int nve_ebpf_port_status(struct nve_dp *dp, uint16_t slot, struct nve_dp_port_status *ret);
struct nve_port nve_ebpf_port_row(const struct nve_dp *dp, uint16_t slot);
/* The interface of that name is now another, or gone (ifindex 0): programs and rows follow. */
void nve_ebpf_port_follow(struct nve_dp *dp, uint16_t slot, const struct nve_ebpf_link *link);
/* Detaches what an earlier agent attached and this one has no port for. */
void nve_ebpf_detach_others(struct nve_dp *dp);
/* Detaches everything. */
void nve_ebpf_detach_all(struct nve_dp *dp);

/* For want of tcx: the TC program as a filter on clsact; its id there, 0: none. */
int nve_ebpf_clsact_make(struct nve_dp *dp, uint16_t slot, int prog);
uint32_t nve_ebpf_clsact_prog(const struct nve_dp *dp, uint16_t slot);
/* Not in Debian 12's headers; older kernels answer -EINVAL. */
enum { NVE_ATTACH_TCX_INGRESS = 46 };

/*
 * The program at a hook (BPF_XDP, or tcx) of an interface, by a link that is pinned as KIND_IFINDEX
 * and was, if an earlier agent left one, only given the program: its fd, or -errno.
 */
int nve_ebpf_link_make(struct nve_dp *dp, const char *kind, int prog, uint32_t ifindex, int type);
/* Gives all ports' links (and clsact filters) this agent's programs: see ebpf_migrate.c. */
int nve_ebpf_links_update(struct nve_dp *dp);
/* Takes program, link and pin away; 'fd' may be -1. */
void nve_ebpf_link_end(struct nve_dp *dp, const char *kind, uint32_t ifindex, int *fd);

/* --- copier: the loop that makes copies of BUM in XDP (bpf/replicate.h) --------------------------
 */
/* Lets copies leave by this port, which is in XDP mode.  The loop is made for the first one. */
int nve_ebpf_copier_add(struct nve_dp *dp, uint16_t slot);
void nve_ebpf_copier_del(struct nve_dp *dp, uint16_t slot);
/* A link changed or went (.ifindex as it was, not .up): if it is of the loop, copies are TC's. */
void nve_ebpf_copier_follow(struct nve_dp *dp, const struct nve_ebpf_link *link, bool gone);
/* Takes away a loop that no port needs. */
void nve_ebpf_copier_sweep(struct nve_dp *dp);
/* Without pins the loop goes, else it stays as all that is attached. */
void nve_ebpf_copier_close(struct nve_dp *dp);

/* What an interface is: its driver's name, and whether hardware is behind it. */
struct nve_ebpf_nic {
	char driver[32];
	bool hardware;
};
void nve_ebpf_probe(const char *ifname, struct nve_ebpf_nic *ret);
/* Switches VLAN tags in frame metadata off; false if they are on and stay on. */
bool nve_ebpf_rxvlan_off(const char *ifname, bool *changed);

/* --- netlink -------------------------------------------------------------------------------- */
/* A socket that hears of these groups (RTMGRP_..), the caller's; or -errno. */
int nve_ebpf_netlink_socket(uint32_t groups);
int nve_ebpf_netlink_open(struct nve_dp *dp);
void nve_ebpf_netlink_close(struct nve_dp *dp);
/* Sends one request and gives the first answer to 'fn' (may be NULL); the kernel's -errno. */
typedef void nve_ebpf_answer_fn(void *arg, const struct nlmsghdr *msg);
int nve_ebpf_ask(struct nve_dp *dp, struct nlmsghdr *request, nve_ebpf_answer_fn *fn, void *arg);
/* Appends an attribute; the message has room for it. */
void nve_ebpf_attr(struct nlmsghdr *msg, uint16_t type, const void *data, uint16_t len);
struct nve_ebpf_link {
	uint32_t ifindex;
	uint16_t mtu;
	uint8_t mac[NVE_MAC_LEN];
	bool up;
	char name[16];
};
/* By index, or by name if that is 0. */
int nve_ebpf_link_get(struct nve_dp *dp, uint32_t ifindex, const char *name,
		      struct nve_ebpf_link *ret);
/* Reads what happened, and follows it. */
void nve_ebpf_netlink_dispatch(struct nve_dp *dp);

/* --- send ----------------------------------------------------------------------------------- */
int nve_ebpf_send(struct nve_dp *dp, uint16_t port, uint16_t tag, enum nve_dp_send_to to,
		  const void *frame, size_t len);

/* --- neigh ---------------------------------------------------------------------------------- */
/* Finds the way to the VTEP of a slot, and writes its row if that differs. */
int nve_ebpf_vtep_resolve(struct nve_dp *dp, uint32_t slot);
void nve_ebpf_vteps_resolve(struct nve_dp *dp);
/* The row by what is known of the way; written if it differs. */
void nve_ebpf_vtep_row(const struct nve_dp *dp, uint32_t slot, struct nve_vtep *row);
int nve_ebpf_vtep_write(struct nve_dp *dp, uint32_t slot);
/* Waits, a moment at most, for the next hops of VTEPs that this apply() is the first to know. */
void nve_ebpf_vteps_await(struct nve_dp *dp);
/* A neighbor changed. */
void nve_ebpf_neigh_follow(struct nve_dp *dp, const struct nlmsghdr *msg);
/* Takes back what the kernel was asked to keep resolved. */
void nve_ebpf_neigh_forget(struct nve_dp *dp);
