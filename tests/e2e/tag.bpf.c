/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * The hypervisors' virtual switch of the tests: the kernels it must run on may have neither 802.1Q
 * devices nor VLAN filtering in their bridge.  One trunk that carries tagged frames, and up to
 * SWITCH_PORTS veths of VMs, each with its tag.  It is a hub per tag and knows no MACs: whatever
 * the NVE sends up the trunk shows at every VM of that tag, so that nothing sent there by mistake
 * goes unseen.  Loaded by lab.py, which writes the two maps.
 */
#include "vmlinux.h"
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#define ETH_P_8021Q  0x8100
#define TC_ACT_OK    0
#define TC_ACT_SHOT  2
#define VID_MASK     0xfff
#define SWITCH_PORTS 16

struct switch_port {
	__u32 ifindex; /* 0: unused */
	__u32 vid;
};

/* Written by lab.py alone. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, SWITCH_PORTS);
	__type(key, __u32);
	__type(value, struct switch_port);
} tag_ports SEC(".maps");

/* [0]: ifindex of the trunk.  Written by lab.py alone. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u32);
} tag_trunk SEC(".maps");

static __always_inline __u32 vid_of(__u32 ifindex)
{
	for (__u32 i = 0; i < SWITCH_PORTS; i++) {
		__u32 key = i;
		struct switch_port *port = bpf_map_lookup_elem(&tag_ports, &key);

		if (port && port->ifindex == ifindex)
			return port->vid;
	}
	return 0;
}

static __always_inline void give_to_all_but(struct __sk_buff *skb, __u32 vid, __u32 but)
{
	for (__u32 i = 0; i < SWITCH_PORTS; i++) {
		__u32 key = i;
		struct switch_port *port = bpf_map_lookup_elem(&tag_ports, &key);

		if (port && port->ifindex && port->ifindex != but && port->vid == vid)
			bpf_clone_redirect(skb, port->ifindex, 0);
	}
}

/* tc ingress of a VM's veth: tags its frames and sends them up the trunk. */
SEC("tc") int from_vm(struct __sk_buff *skb)
{
	__u32 key = 0, *trunk = bpf_map_lookup_elem(&tag_trunk, &key);
	__u32 vid = vid_of(skb->ifindex);

	if (!trunk || !vid)
		return TC_ACT_SHOT;
	give_to_all_but(skb, vid, skb->ifindex);
	if (bpf_skb_vlan_push(skb, bpf_htons(ETH_P_8021Q), vid))
		return TC_ACT_SHOT;
	return bpf_redirect(*trunk, 0);
}

/* tc ingress of the trunk: takes the tag off and gives the frame to the VMs of that tag. */
SEC("tc") int from_trunk(struct __sk_buff *skb)
{
	__u32 vid = skb->vlan_tci & VID_MASK;

	if (!skb->vlan_present)
		return TC_ACT_OK;
	if (bpf_skb_vlan_pop(skb))
		return TC_ACT_SHOT;
	give_to_all_but(skb, vid, 0);
	return TC_ACT_SHOT;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
