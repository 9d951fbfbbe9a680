#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Makes a fresh Debian 12 machine one of the topology: provision.sh NAME [UNDERLAY-ADDRESS]
# Running it again is harmless.  The packages are those of .ci/packages.txt.
set -euo pipefail
name=$1
vtep=${2-}
src=/nved

# The n-th interface that is not Vagrant's own: eth1, ens6 or enp0s8, as the provider likes.
nic() {
	own=$(ip -o route show default | awk '{ print $5; exit }')
	ip -o link show | awk -F': ' '{ print $2 }' | grep -vE "^(lo|$own|vx.*|.*@.*)$" |
		sed -n "$1p"
}

# Offloads are for sockets of this host; the frames here are other hosts' and must stay as they are.
port_up() {
	ip link set "$1" up mtu "$2"
	ethtool -K "$1" tx-vlan-offload off rx-vlan-offload off gro off lro off \
		>/dev/null 2>&1 || true
}

# 1450 inside and 1500 outside: VXLAN's 50 bytes fit whatever the provider's wires carry.
# Addresses of the VNs red (VNI 100) and blue (VNI 200); hv1 has .1, hv2 .2, far .9.
mac_of() { printf '02:00:00:00:%02x:%02x' "$1" "$2"; }

mapping() { # mapping VN HOST VTEP
	echo "      - {mac: \"$(mac_of "$1" "$2")\", ip: 10.$1.0.$2, vtep: $3}"
}

write_vns() {
	case $name in nve1) other=192.0.2.2 there=2 ;; *) other=192.0.2.1 there=1 ;; esac
	echo "vns:"
	for vn in 1 2; do
		case $vn in 1) vn_name=red ;; *) vn_name=blue ;; esac
		echo "  - id: $vn"
		echo "    name: $vn_name"
		echo "    vni: ${vn}00"
		echo "    vteps: [$other, 192.0.2.3]"
		echo "    mappings:"
		mapping "$vn" "$there" "$other"
		mapping "$vn" 9 192.0.2.3
	done
}

write_config() {
	cat <<-YAML
		nve: $name
		local_vtep: $vtep
		listeners:
		  - unix:/run/nved/nved.sock
		  - 127.0.0.1:4800
		ports:
		  - {name: p1, ifname: $1, role: access}
		  - {name: up, ifname: $2, role: underlay}
	YAML
}

make_nve() {
	access=$(nic 1) underlay=$(nic 2)
	port_up "$access" 1500
	port_up "$underlay" 1500
	ip addr replace "$vtep/24" dev "$underlay"
	DEBIAN_FRONTEND=noninteractive apt-get update -q
	# shellcheck disable=SC2046 # one word a package; the checks' packages are not needed here
	DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends \
		$("$src/.ci/deps" --list | grep -vxE 'vagrant|clang-tidy|clang-format|shellcheck')
	make -C "$src" -j"$(nproc)" all
	make -C "$src" install PREFIX=/usr
	install -d /etc/nved
	write_config "$access" "$underlay" >/etc/nved/nved.yaml
	write_vns >/etc/nved/vns.yaml
	nved --check-config
	systemctl daemon-reload
	systemctl enable --quiet nved
	systemctl restart nved # returns when the agent has said READY=1
	nvectl status
}

# VMs of a hypervisor: namespaces, each with an interface that tags.
make_hypervisor() {
	host=${name#hv}
	trunk=$(nic 1)
	apt-get update -q
	apt-get install -q -y --no-install-recommends iproute2 ethtool iputils-ping tcpdump
	modprobe 8021q
	port_up "$trunk" 1500
	for vn in 1 2; do
		ns=vm$vn
		ip netns add "$ns" 2>/dev/null || continue
		ip link add link "$trunk" name "tag$vn" type vlan id "${vn}00"
		ip link set "tag$vn" netns "$ns" address "$(mac_of "$vn" "$host")" name eth0
		ip -n "$ns" addr add "10.$vn.0.$host/24" dev eth0
		ip -n "$ns" link set lo up
		ip -n "$ns" link set eth0 up mtu 1450
	done
}

# A far end that is nothing but Linux.
make_far() {
	underlay=$(nic 1)
	port_up "$underlay" 1500
	ip addr replace "$vtep/24" dev "$underlay"
	for vn in 1 2; do
		ip link add "vx$vn" type vxlan id "${vn}00" local "$vtep" dstport 4789 nolearning \
			2>/dev/null || continue
		ip link set "vx$vn" address "$(mac_of "$vn" 9)" mtu 1450 up
		ip addr add "10.$vn.0.9/24" dev "vx$vn"
		for host in 1 2; do
			bridge fdb append 00:00:00:00:00:00 dev "vx$vn" dst "192.0.2.$host"
			bridge fdb append "$(mac_of "$vn" "$host")" dev "vx$vn" dst "192.0.2.$host"
		done
	done
}

say_what_to_try() {
	cat <<-'TEXT'

		All five machines are up when hv2 has said this.  On your machine:

		  # Nothing was signaled yet, so nothing passes, and the drop is counted.
		  vagrant ssh hv1 -c 'sudo ip netns exec vm1 ping -c2 -W1 10.1.0.9'
		  vagrant ssh nve1 -c 'sudo nvectl drops'

		  # What hypervisors 1 and 2 signal for their VMs; the very next frame passes.
		  vagrant ssh nve1 -c 'sudo nvectl tsi activate \
		      00000000-0000-0000-0000-000000000001 --port p1 --vn red \
		      --tag 100 --addr 02:00:00:00:01:01/10.1.0.1'
		  vagrant ssh nve2 -c 'sudo nvectl tsi activate \
		      00000000-0000-0000-0000-000000000002 --port p1 --vn red \
		      --tag 100 --addr 02:00:00:00:01:02/10.1.0.2'
		  # Over both NVEs, and to the kernel's VXLAN device.
		  vagrant ssh hv1 -c 'sudo ip netns exec vm1 ping -c2 10.1.0.2'
		  vagrant ssh hv1 -c 'sudo ip netns exec vm1 ping -c2 10.1.0.9'

		  vagrant ssh nve1 -c 'sudo nvectl tsi; sudo nvectl port; sudo bpftool net'
	TEXT
}

case $name in
nve*) make_nve ;;
hv*) make_hypervisor ;;
far) make_far ;;
*)
	echo "usage: provision.sh nve1|nve2|hv1|hv2|far [UNDERLAY-ADDRESS]" >&2
	exit 2
	;;
esac
if [ "$name" = hv2 ]; then say_what_to_try; fi
