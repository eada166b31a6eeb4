#!/usr/bin/env bash
# The first process of the cluster's namespaces: sets the stage, then reaps what is left of others.
#   holder.sh STATE NODE_IP
set -eu
state=$1
ip link set lo up
# The far end of the node's interface stays unused, so that the default route leads nowhere: no address
# outside can be reached from here.
ip link add node0 type veth peer name node0x
ip addr add "$2/24" dev node0
ip link set node0 up
ip link set node0x up
ip route add default dev node0
# Paths that kubelet, containerd and the network's plugins have built in.
mount -t tmpfs -o mode=755 tmpfs /run
mkdir -p /run/lock /run/netns
mount --bind "$state/log" /var/log
mount --bind "$state/network" /var/lib/cni
mount --bind "$state/kubelet" /var/lib/kubelet
# kubelet insists on settings of the whole machine: it is shown what it wants to see, and changes nothing.
for file in "$state"/sysctl/*; do
    name=${file##*/}
    [ ! -e "/proc/sys/${name//.//}" ] || mount --bind "$file" "/proc/sys/${name//.//}"
done
trap 'exit 0' TERM INT
: >"$state/run/ready"
while :; do sleep 86400 & wait $! || :; done
