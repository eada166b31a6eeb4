#!/usr/bin/env bash
# Helm 3 and Helm 4, built from Go modules.
#   helm.sh fetch [3|4 ...]      builds what the cache has not got yet, or only those that are named
#   helm.sh path 3|4             where the program is, built first if need be
#   helm.sh version 3|4          which version that is
#   helm.sh run 3|4 ARGUMENTS    helm itself; nothing of it is left in somebody's home
# Exit status 77: this machine cannot build it, and why.
# shellcheck source=common.sh
. "$(dirname "${BASH_SOURCE[0]}")/common.sh"
# shellcheck source=deps.sh
. "$lab_directory/deps.sh"

EX_SKIP=77
declare -A versions=([3]=3.22.0 [4]=4.3.1)
go_minor=26 # as its go.mod asks for
kubernetes_minor=$(sed -n 's:^require k8s.io/kubernetes v1\.\([0-9]*\).*:\1:p' "$lab_directory/kubernetes/go.mod")

directory_of() { # directory_of MAJOR: another one for another way to build it
    local key
    key=$(linker_flags "$1" | sha256sum)
    echo "$(lab_cache)/helm-${versions[$1]}-${key:0:12}"
}

program_of() { echo "$(directory_of "$1")/bin/helm"; }

require_major() {
    [[ ${1:-} =~ ^[34]$ ]] || lab_die "$EX_USAGE" "Helm 3 or 4, not ${1:-nothing}"
}

# Without them it would call itself v3 or v4 alone, and Helm 3 would take every cluster for a 1.20.
linker_flags() { # linker_flags MAJOR
    local variable
    echo -n "-s -w -X helm.sh/helm/v$1/internal/version.version=v${versions[$1]}"
    for variable in pkg/chartutil pkg/lint/rules; do
        echo -n " -X helm.sh/helm/v3/$variable.k8sVersionMajor=1 -X helm.sh/helm/v3/$variable.k8sVersionMinor=$kubernetes_minor"
    done
}

# The module's own go.mod says what it is built of.
go_install() { # go_install GO MAJOR
    cd / && GOTOOLCHAIN=local GOWORK=off GOFLAGS='' CGO_ENABLED=0 GOBIN=$(directory_of "$2")/new nice -n 10 "$1" \
        install -v -trimpath -ldflags "$(linker_flags "$2")" "helm.sh/helm/v$2/cmd/helm@v${versions[$2]}"
}

helm_build() { # helm_build MAJOR
    local go directory log
    directory=$(directory_of "$1")
    log=$directory/build.log
    [ ! -x "$directory/bin/helm" ] || return 0
    go=$(GO_MINOR=$go_minor deps_go) ||
        lab_die "$EX_SKIP" "Helm needs Go 1.$go_minor or newer, and PyPI's cannot be had"
    : >"$log"
    if ! (lab_progress "building Helm ${versions[$1]}" "$log" go_install "$go" "$1"); then
        ! grep -qE 'dial tcp|no such host|connection refused|i/o timeout|lookup disabled|: (403|404|407|5..) ' "$log" ||
            lab_die "$EX_SKIP" "Go's modules cannot be fetched (go env GOPROXY); Helm is not built"
        return 1
    fi
    mkdir -p "$directory/bin"
    mv "$directory/new/helm" "$directory/bin/helm"
    rmdir "$directory/new"
}

helm_fetch() { # helm_fetch MAJOR...: one build at a time
    local major
    for major in "$@"; do
        require_major "$major"
        mkdir -p "$(directory_of "$major")"
        (
            flock 9
            helm_build "$major"
        ) 9>"$(directory_of "$major")/.lock"
    done
}

helm_run() { # helm_run MAJOR ARGUMENTS
    local home program
    require_major "$1"
    home=$(directory_of "$1")/home
    helm_fetch "$1"
    program=$(program_of "$1")
    shift
    HELM_CACHE_HOME=$home/cache HELM_CONFIG_HOME=$home/config HELM_DATA_HOME=$home/data exec "$program" "$@"
}

case ${1:-} in
    fetch)
        shift
        [ $# -gt 0 ] || set -- 3 4
        helm_fetch "$@"
        ;;
    path)
        require_major "${2:-}"
        helm_fetch "$2"
        program_of "$2"
        ;;
    version)
        require_major "${2:-}"
        echo "${versions[$2]}"
        ;;
    run) shift && helm_run "$@" ;;
    *) lab_usage && exit "$EX_USAGE" ;;
esac
