# Sourced after common.sh and deps.sh: builds the programs of Kubernetes from Go modules, each once.
# shellcheck shell=bash

EX_SKIP=77
modules=$lab_directory/kubernetes
K8S_VERSION=$(sed -n 's:^require k8s.io/kubernetes v::p' "$modules/go.mod")

package_of() { # package_of PROGRAM: where its main package is, in a module of go.mod
    case $1 in
        etcd) echo go.etcd.io/etcd/server/v3 ;;
        kube*) echo "k8s.io/kubernetes/cmd/$1" ;;
        *) lab_die "$EX_USAGE" "no program $1 is known" ;;
    esac
}

tags=selinux,notest,grpcnotrace # as the released programs are built

linker_flags() { # without them the programs call themselves v0.0.0-master
    local package minor=${K8S_VERSION#*.}
    echo -n "-s -w"
    for package in k8s.io/component-base/version k8s.io/client-go/pkg/version; do
        echo -n " -X $package.gitVersion=v$K8S_VERSION -X $package.gitMajor=${K8S_VERSION%%.*}" \
            "-X $package.gitMinor=${minor%%.*} -X $package.gitTreeState=clean"
    done
}

kubernetes_cache() { # another directory for another content of it
    local key
    key=$({ linker_flags && echo "$tags" && cat "$modules/go.mod" "$modules/go.sum"; } | sha256sum)
    echo "$(lab_cache)/kubernetes-$K8S_VERSION-${key:0:12}"
}

go_build() { # go_build DIRECTORY PACKAGE LINKER_FLAGS OUTPUT: go.mod and go.sum are never changed by it
    local go
    go=$(deps_go) || lab_die "$EX_SKIP" "Go 1.$GO_MINOR or newer is needed, and PyPI's cannot be had"
    cd "$1"
    GOTOOLCHAIN=local GOWORK=off GOFLAGS=-mod=readonly CGO_ENABLED=0 nice -n 10 "$go" build -v -trimpath \
        -buildvcs=false -tags "$tags" -ldflags "$3" -o "$4.new" "$2"
    mv "$4.new" "$4"
}

go_program() { # go_program DIRECTORY PACKAGE LINKER_FLAGS OUTPUT LOG: when it is not there yet
    local name
    name=$(basename "$4")
    [ ! -x "$4" ] || return 0
    : >"$5"
    if ! (lab_progress "building $name" "$5" go_build "$@"); then
        ! grep -qE 'dial tcp|no such host|connection refused|i/o timeout|lookup disabled|: (403|404|407|5..) ' "$5" ||
            lab_die "$EX_SKIP" "Go's modules cannot be fetched (go env GOPROXY); $name is not built"
        return 1
    fi
}

kubernetes_build() { # kubernetes_build PROGRAM
    local package
    package=$(package_of "$1")
    go_program "$modules" "$package" "$(linker_flags)" "$cache/bin/$1" "$cache/$1.log"
}

kubernetes_fetch() { # kubernetes_fetch PROGRAM...: one build at a time
    local program tool
    for tool in openssl curl flock setsid; do
        command -v "$tool" >/dev/null || lab_die "$EX_SKIP" "$tool is missing: tests/lab/deps.sh kubernetes"
    done
    mkdir -p "$cache/bin"
    (
        flock 9
        for program in "$@"; do kubernetes_build "$program"; done
    ) 9>"$cache/.lock"
}
