# Sourced by cluster.sh: containerd, kubelet and kube-proxy.
# shellcheck shell=bash

plugins=${CNI_BIN:-/usr/lib/cni}
PAUSE=localhost/pqcdc-lab/pause:1

node_possible() {
    local plugin controller
    for plugin in ptp host-local loopback portmap; do
        [ -x "$plugins/$plugin" ] || lab_die "$EX_SKIP" "no network plugin $plugin: tests/lab/deps.sh cluster"
    done
    grep -qw overlay /proc/filesystems || lab_die "$EX_SKIP" "the kernel has no overlay file system"
    [ ! -e /sys/fs/cgroup/cgroup.controllers ] || return 0
    for controller in cpu cpuacct cpuset memory pids; do
        [ -d "/sys/fs/cgroup/$controller" ] || lab_die "$EX_SKIP" "no cgroup controller $controller"
    done
}

# --- control groups: all pods are below one of ours -------------------------------------------------

make_cgroup() {
    local directory file controller
    if [ -e /sys/fs/cgroup/cgroup.controllers ]; then
        for controller in cpuset cpu memory pids; do echo "+$controller" >/sys/fs/cgroup/cgroup.subtree_control; done
        mkdir -p "/sys/fs/cgroup/$group"
        for controller in cpuset cpu memory pids; do
            echo "+$controller" >"/sys/fs/cgroup/$group/cgroup.subtree_control"
        done
        return 0
    fi
    for directory in /sys/fs/cgroup/*/; do
        [ ! -e "$directory/cgroup.procs" ] || [ "$directory" = /sys/fs/cgroup/unified/ ] ||
            mkdir -p "$directory$group"
    done
    for file in cpuset.cpus cpuset.mems; do # of a new cpuset they are empty, and nothing can run in it
        cat "/sys/fs/cgroup/cpuset/$file" >"/sys/fs/cgroup/cpuset/$group/$file"
    done
}

remove_cgroup() {
    local root
    for root in /sys/fs/cgroup /sys/fs/cgroup/*; do
        [ ! -d "$root/$group" ] || find "$root/$group" -depth -type d -exec rmdir {} + 2>/dev/null || true
    done
}

# --- containerd --------------------------------------------------------------------------------------

# restrict_oom_score_adj: lowering an oom score takes a capability that not every root has.
containerd_toml() {
    local apparmor=true
    [ ! -d /sys/kernel/security/apparmor ] || apparmor=false
    cat <<TOML
version = 2
root = "$state/containerd"
state = "$state/run/containerd"
oom_score = 0
disabled_plugins = ["io.containerd.snapshotter.v1.aufs", "io.containerd.snapshotter.v1.btrfs",
  "io.containerd.snapshotter.v1.devmapper", "io.containerd.snapshotter.v1.zfs",
  "io.containerd.tracing.processor.v1.otlp"]
[grpc]
  address = "$state/run/containerd.sock"
[plugins."io.containerd.internal.v1.opt"]
  path = "$state/containerd-opt"
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "$PAUSE"
  restrict_oom_score_adj = true
  disable_apparmor = $apparmor
  tolerate_missing_hugetlb_controller = true
  stream_server_address = "127.0.0.1"
  [plugins."io.containerd.grpc.v1.cri".containerd]
    snapshotter = "overlayfs"
    default_runtime_name = "runc"
  [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
    runtime_type = "io.containerd.runc.v2"
    [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc.options]
      SystemdCgroup = false
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "$plugins"
    conf_dir = "$state/cni"
TOML
}

# Point to point, not a bridge: every packet between pods is routed, so services work without
# bridge-nf-call-iptables.
network_json() {
    cat <<JSON
{"cniVersion": "1.0.0", "name": "lab", "plugins": [
  {"type": "ptp", "mtu": 1500, "ipMasq": false,
   "ipam": {"type": "host-local", "dataDir": "$state/network/networks",
            "ranges": [[{"subnet": "$POD_NET"}]], "routes": [{"dst": "0.0.0.0/0"}]}},
  {"type": "portmap", "capabilities": {"portMappings": true}}]}
JSON
}

containers() { ctr --address "$state/run/containerd.sock" -n k8s.io "$@"; }

start_containerd() {
    mkdir -p "$state/cni"
    containerd_toml >"$state/containerd.toml"
    network_json >"$state/cni/10-lab.conflist"
    component_start containerd containerd --config "$state/containerd.toml" --log-level warn
    await containerd 30 containers version
    load_pause
}

load_image() { containers images import "$1" >/dev/null; } # load_image ARCHIVE

# The image of one static program, as an archive, by tar alone.
pause_archive() { # pause_archive DIRECTORY
    local sum same=(--sort=name --owner=0 --group=0 --numeric-owner --mtime=@0) architecture
    architecture=$(uname -m | sed 's/x86_64/amd64/; s/aarch64/arm64/')
    mkdir -p "$1/root" "$1/image"
    cc -Os -static -s -o "$1/root/pause" "$lab_directory/cluster/pause.c"
    tar -C "$1/root" "${same[@]}" -cf "$1/image/layer.tar" .
    sum=$(sha256sum <"$1/image/layer.tar")
    cat >"$1/image/config.json" <<JSON
{"architecture": "$architecture", "os": "linux", "config": {"Entrypoint": ["/pause"], "User": "65535:65535"},
 "rootfs": {"type": "layers", "diff_ids": ["sha256:${sum%% *}"]}}
JSON
    echo "[{\"Config\": \"config.json\", \"RepoTags\": [\"$PAUSE\"], \"Layers\": [\"layer.tar\"]}]" \
        >"$1/image/manifest.json"
    tar -C "$1/image" "${same[@]}" -cf "$1/pause.tar" manifest.json config.json layer.tar
}

load_pause() {
    pause_archive "$state/pause"
    load_image "$state/pause/pause.tar"
}

# --- kubelet and kube-proxy --------------------------------------------------------------------------

# syncFrequency: a Secret that changed is in the pod's files soon. Imported images are never collected:
# they cannot be pulled again.
kubelet_yaml() {
    cat <<YAML
apiVersion: kubelet.config.k8s.io/v1beta1
kind: KubeletConfiguration
authentication:
  anonymous: {enabled: false}
  webhook: {enabled: true}
  x509: {clientCAFile: $keys/ca.crt}
authorization: {mode: Webhook}
tlsCertFile: $keys/kubelet.crt
tlsPrivateKeyFile: $keys/kubelet.key
containerRuntimeEndpoint: unix://$state/run/containerd.sock
cgroupDriver: cgroupfs
cgroupRoot: /$group
failCgroupV1: false
failSwapOn: false
oomScoreAdj: 0
clusterDNS: [$DNS_IP]
clusterDomain: cluster.local
resolvConf: $state/resolv.conf
evictionHard: {memory.available: 64Mi, nodefs.available: 1%, nodefs.inodesFree: 1%, imagefs.available: 1%}
imageGCHighThresholdPercent: 100
imageMaximumGCAge: 0s
rotateCertificates: false
nodeStatusUpdateFrequency: 5s
syncFrequency: 5s
logging: {verbosity: 1}
YAML
}

# The table of connections is the whole machine's: its size and its timeouts stay as they are.
proxy_yaml() {
    cat <<YAML
apiVersion: kubeproxy.config.k8s.io/v1alpha1
kind: KubeProxyConfiguration
mode: iptables
clusterCIDR: $POD_NET
hostnameOverride: $NODE
clientConnection: {kubeconfig: $state/kubeconfig/proxy}
oomScoreAdj: 0
conntrack: {maxPerCore: 0, min: 0, tcpEstablishedTimeout: 0s, tcpCloseWaitTimeout: 0s}
YAML
}

start_node() {
    start_containerd
    make_cgroup
    echo "nameserver 127.0.0.1" >"$state/resolv.conf"
    kubelet_yaml >"$state/kubelet.yaml"
    proxy_yaml >"$state/proxy.yaml"
    component_start kubelet "$cache/bin/kubelet" --config="$state/kubelet.yaml" \
        --kubeconfig="$state/kubeconfig/node" --hostname-override="$NODE" --node-ip="$NODE_IP"
    component_start kube-proxy "$cache/bin/kube-proxy" --config="$state/proxy.yaml"
}

await_node() {
    await kubelet 90 kubectl get node "$NODE"
    await kubelet 90 kubectl wait --for=condition=Ready --timeout=1s "node/$NODE"
    await kube-proxy 30 in_network curl -fs http://127.0.0.1:10256/healthz
}
