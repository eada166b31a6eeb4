#!/usr/bin/env bash
# A Kubernetes cluster of one node that runs pods, in network, mount and pid namespaces of its own: nothing of
# it is seen outside, no address outside is reached from inside, and down ends it completely. Needs root.
#   cluster.sh fetch                builds what the cache has not got yet (up does it too)
#   cluster.sh up | down            etcd, kube-apiserver, controllers, scheduler, containerd, kubelet, kube-proxy
#                                   and CoreDNS
#   cluster.sh status               the components, and whether they run; exit status 1 when it is not up
#   cluster.sh load ARCHIVE...      images for its pods (imagePullPolicy: IfNotPresent or Never)
#   cluster.sh ctr ARGUMENTS        containerd's own client
#   cluster.sh kubectl ARGUMENTS    as the administrator, whose STATE/kubeconfig/admin it is
#   cluster.sh exec COMMAND...      in the cluster's network, with KUBECONFIG and kubectl. What listens there on
#                                   the node's address ("cluster.sh address") is reached by pods
#   cluster.sh stop | kill | freeze | thaw | start | restart COMPONENT
# CLUSTER_STATE: its directory; short, as there are sockets in it. CLUSTER_API_FLAGS: more options for
# kube-apiserver. Exit status 77: this machine cannot, and why.
# shellcheck source=common.sh
. "$(dirname "${BASH_SOURCE[0]}")/common.sh"
# shellcheck source=deps.sh
. "$lab_directory/deps.sh"
# shellcheck source=kubernetes/programs.sh
. "$lab_directory/kubernetes/programs.sh"
# shellcheck source=kubernetes/keys.sh
. "$lab_directory/kubernetes/keys.sh"

NODE=node-1
NODE_IP=10.197.0.10 # in the cluster's network alone, as are all the others
POD_NET=10.197.64.0/24
SERVICE_NET=10.197.128.0/20
SERVICE_IP=10.197.128.1 # its first one: the API server's
DNS_IP=10.197.128.10

programs=(etcd kube-apiserver kube-controller-manager kube-scheduler kubelet kube-proxy kubectl)
cache=$(kubernetes_cache)
state=${CLUSTER_STATE:-}
keys=$state/keys
group=$(basename "${state:-none}") # the control group above all its pods

# shellcheck source=cluster/namespaces.sh
. "$lab_directory/cluster/namespaces.sh"
# shellcheck source=cluster/control_plane.sh
. "$lab_directory/cluster/control_plane.sh"
# shellcheck source=cluster/node.sh
. "$lab_directory/cluster/node.sh"
# shellcheck source=cluster/dns.sh
. "$lab_directory/cluster/dns.sh"

fetch() {
    kubernetes_fetch "${programs[@]}"
    dns_fetch
}

make_state() {
    local directory
    [ "${#state}" -le 60 ] || lab_die "$EX_USAGE" "CLUSTER_STATE is too long for the sockets in it: $state"
    case $state in /run/* | /var/run/*) lab_die "$EX_USAGE" "CLUSTER_STATE must not be below /run: it is covered" ;; esac
    umask 022
    for directory in pid run log command kubeconfig keys kubelet network; do mkdir -p "$state/$directory"; done
    chmod 700 "$keys" "$state/kubeconfig"
}

up() {
    [ "$(id -u)" = 0 ] || lab_die "$EX_SKIP" "a node needs root (control groups, mounts)"
    deps_install kubernetes cluster || exit "$EX_SKIP"
    node_possible
    ! is_up || lab_die "$EX_UNAVAILABLE" "already up in $state"
    fetch
    make_state
    trap 'failed' EXIT
    make_namespaces
    (cd "$keys" && make_keys)
    start_control_plane
    start_node
    start_dns
    await_control_plane
    await_node
    await_dns
    trap - EXIT
    echo "Kubernetes $K8S_VERSION: https://$NODE_IP:6443, in $SECONDS s"
}

failed() { # its logs stay for a look
    lab_say "the cluster did not come up; its logs: $state/log"
    end_namespaces
    remove_cgroup
}

down() { # the directory stays, for whoever made it
    [ -d "$state/pid" ] || return 0
    end_namespaces
    remove_cgroup
    ! grep -qF " $state/" /proc/self/mounts || lab_die "$EX_UNAVAILABLE" "mounts are left below $state"
    rm -rf --one-file-system "$state"/{pid,run,etcd,kubelet,network,containerd,containerd-opt}
}

status() {
    local file
    is_up || { echo "no cluster is up in $state" && return 1; }
    for file in "$state"/command/*; do
        echo "$(basename "$file") $(lab_pid "$state/pid/$(basename "$file")" || echo -)"
    done
}

in_cluster() {
    export KUBECONFIG=$state/kubeconfig/admin PATH=$cache/bin:$PATH
    exec nsenter -t "$(holder)" -n -- "$@"
}

component() { # component VERB NAME
    [ -e "$state/command/$2" ] || lab_die "$EX_USAGE" "no component $2"
    case $1 in
        stop) component_signal TERM "$2" && lab_wait 30 lab_pid_gone "$state/pid/$2" ;;
        kill) component_kill "$2" ;;
        freeze) component_signal STOP "$2" ;;
        thaw) component_signal CONT "$2" ;;
        start) component_again "$2" ;;
        restart) component_kill "$2" && component_again "$2" ;;
    esac
}

require_up() { is_up || lab_die "$EX_UNAVAILABLE" "no cluster is up in $state"; }

verb=${1:-}
[ $# = 0 ] || shift
case $verb in
    fetch | address) ;;
    up | down | status | load | ctr | kubectl | exec | stop | kill | freeze | thaw | start | restart)
        lab_require CLUSTER_STATE
        ;;
    *) lab_usage && exit "$EX_USAGE" ;;
esac
case $verb in
    fetch) fetch ;;
    address) echo "$NODE_IP" ;;
    up) up ;;
    down) down ;;
    status) status ;;
    load) require_up && for archive in "$@"; do load_image "$archive"; done ;;
    ctr) require_up && containers "$@" ;;
    kubectl) require_up && kubectl "$@" ;;
    exec) require_up && in_cluster "$@" ;;
    *) require_up && component "$verb" "${1:-}" ;;
esac
