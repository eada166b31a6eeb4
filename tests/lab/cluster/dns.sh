# Sourced by cluster.sh: CoreDNS, a process of the node behind the usual address of a service.
# shellcheck shell=bash

dns_directory=$lab_directory/cluster/dns

dns_cache() {
    local key
    key=$(cat "$dns_directory"/go.* "$dns_directory/main.go" | sha256sum)
    echo "$(lab_cache)/coredns-$(sed -n 's:^require github.com/coredns/coredns v::p' "$dns_directory/go.mod")-${key:0:12}"
}

dns_fetch() {
    mkdir -p "$(dns_cache)/bin"
    (
        flock 9
        go_program "$dns_directory" . "-s -w" "$(dns_cache)/bin/coredns" "$(dns_cache)/build.log"
    ) 9>"$(dns_cache)/.lock"
}

corefile() {
    cat <<COREFILE
.:53 {
    bind $NODE_IP
    errors
    health 127.0.0.1:8080
    kubernetes cluster.local in-addr.arpa {
        kubeconfig $state/kubeconfig/dns
        pods insecure
        ttl 5
    }
    cache 5
}
COREFILE
}

dns_objects() {
    cat <<YAML
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: {name: "system:coredns"}
rules:
- {apiGroups: [""], resources: [endpoints, services, pods, namespaces], verbs: [list, watch]}
- {apiGroups: [discovery.k8s.io], resources: [endpointslices], verbs: [list, watch]}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: {name: "system:coredns"}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: "system:coredns"}
subjects: [{apiGroup: rbac.authorization.k8s.io, kind: User, name: "system:coredns"}]
---
apiVersion: v1
kind: Service
metadata: {name: kube-dns, namespace: kube-system, labels: {k8s-app: kube-dns}}
spec:
  clusterIP: $DNS_IP
  ports: [{name: dns, port: 53, protocol: UDP}, {name: dns-tcp, port: 53, protocol: TCP}]
---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: {name: kube-dns-node, namespace: kube-system, labels: {kubernetes.io/service-name: kube-dns}}
addressType: IPv4
endpoints: [{addresses: [$NODE_IP], conditions: {ready: true}}]
ports: [{name: dns, port: 53, protocol: UDP}, {name: dns-tcp, port: 53, protocol: TCP}]
YAML
}

start_dns() {
    corefile >"$state/Corefile"
    dns_objects | kubectl apply --server-side -f - >/dev/null
    component_start coredns "$(dns_cache)/bin/coredns" -conf "$state/Corefile"
}

await_dns() { await coredns 30 in_network curl -fs http://127.0.0.1:8080/health; }
