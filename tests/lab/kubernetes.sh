#!/usr/bin/env bash
# A Kubernetes API server (etcd and kube-apiserver; no controllers, no nodes) on loopback, built from Go
# modules.
#   kubernetes.sh fetch [PROGRAM...]    build what the cache has not got yet (start does it too): etcd,
#                                       kube-apiserver and kubectl, or those that are named
#   kubernetes.sh start                 starts what does not run of the two; waits until they are ready
#   kubernetes.sh stop | kill [PROGRAM] both, or only etcd or kube-apiserver; kill is SIGKILL
#   kubernetes.sh rotate                another authority and serving certificate, which count from the next
#                                       start of kube-apiserver; what clients have to log in stays good
#   kubernetes.sh status                address, pids and version; exit status 1 when one does not run
#   kubernetes.sh kubectl ARGUMENTS     kubectl as the administrator, whose STATE/kubeconfig it is
# K8S_STATE: its directory, K8S_PORT: the API server's port (the next two are etcd's); both are required
# but for fetch. K8S_FLAGS: more options for kube-apiserver.
# STATE/pki has ca.crt, by which the server is known, and admin.crt with admin.key, who may do everything.
# Exit status 77: this machine cannot build or run it, and why.
# shellcheck source=common.sh
. "$(dirname "${BASH_SOURCE[0]}")/common.sh"
# shellcheck source=deps.sh
. "$lab_directory/deps.sh"
# shellcheck source=kubernetes/programs.sh
. "$lab_directory/kubernetes/programs.sh"
# shellcheck source=kubernetes/keys.sh
. "$lab_directory/kubernetes/keys.sh"

# What start needs, and kubectl. Others can be built by name: kubelet, kube-scheduler, ...
programs=(etcd kube-apiserver kubectl)

# --- certificates --------------------------------------------------------------------------------

make_serving_certificate() {
    make_certificate server /CN=kube-apiserver serverAuth \
        DNS:localhost,DNS:kubernetes.default.svc,IP:127.0.0.1,IP:::1
}

make_keys() { # RSA for service accounts: openssl then signs a token as it is written
    make_authority
    make_serving_certificate
    make_certificate admin /O=system:masters/CN=admin clientAuth
    quietly openssl genrsa -out accounts.key 2048
    quietly openssl rsa -in accounts.key -pubout -out accounts.pub
}

admin_kubeconfig() {
    cat <<KUBECONFIG
apiVersion: v1
kind: Config
clusters: [{name: lab, cluster: {server: "https://127.0.0.1:$K8S_PORT", certificate-authority: pki/ca.crt}}]
users: [{name: admin, user: {client-certificate: pki/admin.crt, client-key: pki/admin.key}}]
contexts: [{name: lab, context: {cluster: lab, user: admin}}]
current-context: lab
KUBECONFIG
}

in_keys() { # in_keys COMMAND: in their directory, which is nobody else's
    mkdir -p "$keys"
    chmod 700 "$keys"
    (cd "$keys" && "$1")
}

# --- running -------------------------------------------------------------------------------------

run() { # run PROGRAM ARGUMENTS...: frugal with memory rather than with time
    local program=$1
    shift
    GOGC=50 setsid "$cache/bin/$program" "$@" >>"$K8S_STATE/$program.log" 2>&1 </dev/null &
    lab_pid_write "$K8S_STATE/$program.pid" $!
}

pid_of() { lab_pid "$K8S_STATE/$1.pid"; }

answers() { # answers URL [OPTION...]
    curl --silent --fail --max-time 5 --output /dev/null "$@"
}

etcd_url=http://127.0.0.1:$((${K8S_PORT:-0} + 1))
peer_url=http://127.0.0.1:$((${K8S_PORT:-0} + 2))

etcd_ready() { answers "$etcd_url/health"; }

etcd_start() { # the disk is not waited for: the machine is not what fails here
    run etcd --name lab --data-dir "$K8S_STATE/etcd" --unsafe-no-fsync --log-level warn \
        --listen-client-urls "$etcd_url" --advertise-client-urls "$etcd_url" \
        --listen-peer-urls "$peer_url" --initial-advertise-peer-urls "$peer_url" \
        --initial-cluster "lab=$peer_url"
}

apiserver_ready() {
    answers "https://127.0.0.1:$K8S_PORT/readyz" --cacert "$keys/ca.crt" \
        --cert "$keys/admin.crt" --key "$keys/admin.key"
}

apiserver_start() { # nobody looks for it by its service, so it does not say where it is
    local issuer=https://kubernetes.default.svc.cluster.local
    # shellcheck disable=SC2086 # options are words
    run kube-apiserver --etcd-servers="$etcd_url" --bind-address=127.0.0.1 --secure-port="$K8S_PORT" \
        --advertise-address=127.0.0.1 --endpoint-reconciler-type=none --service-cluster-ip-range=10.0.0.0/24 \
        --tls-cert-file="$keys/server.crt" --tls-private-key-file="$keys/server.key" \
        --client-ca-file="$keys/clients.crt" --authorization-mode=RBAC --profiling=false \
        --shutdown-watch-termination-grace-period=1s \
        --service-account-issuer=$issuer --service-account-key-file="$keys/accounts.pub" \
        --service-account-signing-key-file="$keys/accounts.key" ${K8S_FLAGS:-}
}

await() { # await PROGRAM SECONDS CHECK: ready, or nothing runs any more
    local end=$((SECONDS + $2))
    until "$3"; do
        if ! pid_of "$1" >/dev/null || [ "$SECONDS" -ge "$end" ]; then
            tail -n 20 "$K8S_STATE/$1.log" >&2
            kubernetes_stop 1
            lab_die "$EX_UNAVAILABLE" "$1 did not get ready; its log: $K8S_STATE/$1.log"
        fi
        sleep 0.05
    done
}

require_free() {
    local port
    for port in "$@"; do
        ! lab_port_taken "$port" || lab_die "$EX_UNAVAILABLE" "port $port is taken; Kubernetes needs \
K8S_PORT=$K8S_PORT and the next two: choose another K8S_PORT"
    done
}

kubernetes_start() {
    ! kubernetes_status >/dev/null || lab_die "$EX_UNAVAILABLE" "already runs in $K8S_STATE"
    pid_of etcd >/dev/null || require_free $((K8S_PORT + 1)) $((K8S_PORT + 2))
    pid_of kube-apiserver >/dev/null || require_free "$K8S_PORT"
    kubernetes_fetch "${programs[@]}"
    mkdir -p "$K8S_STATE"
    [ -e "$keys/accounts.pub" ] || in_keys make_keys
    admin_kubeconfig >"$K8S_STATE/kubeconfig"
    if ! pid_of etcd >/dev/null; then etcd_start && await etcd 30 etcd_ready; fi
    pid_of kube-apiserver >/dev/null || apiserver_start
    await kube-apiserver 90 apiserver_ready
    kubernetes_status
}

kubernetes_stop() { # kubernetes_stop SECONDS [PROGRAM]: SIGKILL after that long
    local program
    for program in ${2:-kube-apiserver etcd}; do lab_pid_stop "$K8S_STATE/$program.pid" "$1"; done
}

kubernetes_kill() { # kubernetes_kill [PROGRAM]
    local program pid
    for program in ${1:-kube-apiserver etcd}; do
        if pid=$(pid_of "$program"); then kill -KILL "$pid"; fi
        lab_wait 10 lab_pid_gone "$K8S_STATE/$program.pid"
    done
}

rotate() { make_authority && make_serving_certificate; }

kubernetes_status() {
    local server etcd
    { server=$(pid_of kube-apiserver) && etcd=$(pid_of etcd); } ||
        { echo "Kubernetes does not run in $K8S_STATE" && return 1; }
    echo "Kubernetes $K8S_VERSION: https://127.0.0.1:$K8S_PORT, pid $server; etcd: pid $etcd"
}

kubernetes_kubectl() { # nothing of it is left in somebody's home
    KUBECONFIG=$K8S_STATE/kubeconfig "$cache/bin/kubectl" --cache-dir "$K8S_STATE/kubectl" "$@"
}

case ${1:-} in
    fetch) ;;
    start | stop | kill | rotate | status | kubectl)
        lab_require K8S_STATE K8S_PORT
        keys=$K8S_STATE/pki
        ;;
    *) lab_usage && exit "$EX_USAGE" ;;
esac
case ${1}:${2:-} in
    stop: | kill: | stop:etcd | kill:etcd | stop:kube-apiserver | kill:kube-apiserver) ;;
    stop:* | kill:*) lab_die "$EX_USAGE" "$1: etcd or kube-apiserver, not $2" ;;
esac
cache=$(kubernetes_cache)
case $1 in
    fetch)
        shift
        [ $# -gt 0 ] || set -- "${programs[@]}"
        kubernetes_fetch "$@"
        ;;
    start) kubernetes_start ;;
    stop) kubernetes_stop 15 "${2:-}" ;;
    kill) kubernetes_kill "${2:-}" ;;
    rotate) in_keys rotate ;;
    status) kubernetes_status ;;
    kubectl) shift && kubernetes_kubectl "$@" ;;
esac
