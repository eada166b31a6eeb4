# Sourced by cluster.sh: etcd, kube-apiserver, kube-controller-manager and kube-scheduler.
# shellcheck shell=bash

service_names=DNS:kubernetes,DNS:kubernetes.default,DNS:kubernetes.default.svc
service_names+=,DNS:kubernetes.default.svc.cluster.local,DNS:localhost,IP:$SERVICE_IP,IP:$NODE_IP,IP:127.0.0.1

make_keys() {
    make_authority
    make_certificate server /CN=kube-apiserver serverAuth "$service_names"
    make_certificate to-kubelet /O=system:masters/CN=kube-apiserver-kubelet-client clientAuth
    make_certificate admin /O=system:masters/CN=admin clientAuth
    make_certificate controller-manager /CN=system:kube-controller-manager clientAuth
    make_certificate scheduler /CN=system:kube-scheduler clientAuth
    make_certificate node "/O=system:nodes/CN=system:node:$NODE" clientAuth
    make_certificate kubelet "/CN=$NODE" serverAuth "DNS:$NODE,IP:$NODE_IP"
    make_certificate proxy /CN=system:kube-proxy clientAuth
    make_certificate dns /CN=system:coredns clientAuth
    quietly openssl genrsa -out accounts.key 2048
    quietly openssl rsa -in accounts.key -pubout -out accounts.pub
}

kubeconfig() { # kubeconfig NAME: all is in the file, which may be copied
    cat >"$state/kubeconfig/$1" <<KUBECONFIG
apiVersion: v1
kind: Config
clusters:
- name: lab
  cluster: {server: "https://$NODE_IP:6443", certificate-authority-data: $(base64 -w0 "$keys/ca.crt")}
users:
- name: $1
  user:
    client-certificate-data: $(base64 -w0 "$keys/$1.crt")
    client-key-data: $(base64 -w0 "$keys/$1.key")
contexts: [{name: lab, context: {cluster: lab, user: $1}}]
current-context: lab
KUBECONFIG
}

kubectl() { in_network "$cache/bin/kubectl" --kubeconfig "$state/kubeconfig/admin" --cache-dir "$state/kubectl" "$@"; }

start_etcd() { # the disk is not waited for: the machine is not what fails here
    component_start etcd "$cache/bin/etcd" --name lab --data-dir "$state/etcd" --unsafe-no-fsync --log-level warn \
        --listen-client-urls http://127.0.0.1:2379 --advertise-client-urls http://127.0.0.1:2379 \
        --listen-peer-urls http://127.0.0.1:2380 --initial-advertise-peer-urls http://127.0.0.1:2380 \
        --initial-cluster lab=http://127.0.0.1:2380
}

start_apiserver() {
    # shellcheck disable=SC2086 # options are words
    component_start kube-apiserver "$cache/bin/kube-apiserver" --etcd-servers=http://127.0.0.1:2379 \
        --bind-address=0.0.0.0 --secure-port=6443 --advertise-address="$NODE_IP" \
        --service-cluster-ip-range="$SERVICE_NET" --authorization-mode=Node,RBAC --allow-privileged=true \
        --enable-admission-plugins=NodeRestriction --profiling=false \
        --client-ca-file="$keys/clients.crt" --tls-cert-file="$keys/server.crt" \
        --tls-private-key-file="$keys/server.key" \
        --service-account-issuer=https://kubernetes.default.svc.cluster.local \
        --service-account-key-file="$keys/accounts.pub" \
        --service-account-signing-key-file="$keys/accounts.key" \
        --kubelet-preferred-address-types=InternalIP --kubelet-certificate-authority="$keys/ca.crt" \
        --kubelet-client-certificate="$keys/to-kubelet.crt" --kubelet-client-key="$keys/to-kubelet.key" \
        --shutdown-watch-termination-grace-period=1s ${CLUSTER_API_FLAGS:-}
}

# One of each: none has to be elected, so they work at once.
start_controllers() {
    component_start kube-controller-manager "$cache/bin/kube-controller-manager" --leader-elect=false \
        --profiling=false --kubeconfig="$state/kubeconfig/controller-manager" \
        --use-service-account-credentials=true --service-account-private-key-file="$keys/accounts.key" \
        --root-ca-file="$keys/ca.crt" --bind-address=127.0.0.1
    component_start kube-scheduler "$cache/bin/kube-scheduler" --leader-elect=false \
        --kubeconfig="$state/kubeconfig/scheduler" --bind-address=127.0.0.1
}

start_control_plane() {
    local name
    for name in admin controller-manager scheduler node proxy dns; do kubeconfig "$name"; done
    start_etcd
    start_apiserver
    await kube-apiserver 90 kubectl get --raw /readyz
    start_controllers
}

await_control_plane() { # pods are refused until their namespace has its service account
    await kube-controller-manager 60 kubectl get serviceaccount -n default default
    await kube-scheduler 60 in_network curl -fsk https://127.0.0.1:10259/healthz
}
