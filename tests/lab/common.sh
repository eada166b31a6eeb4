# Sourced by the lab's scripts and by scripts/: words for people, caches, waiting, processes.
# shellcheck shell=bash
set -euo pipefail

# shellcheck disable=SC2034 # for those who source this
lab_directory=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)

# sysexits, as the product uses them
EX_USAGE=64
EX_UNAVAILABLE=69

lab_say() { printf '%s\n' "$@" >&2; } # a line an argument

lab_die() { # lab_die STATUS TEXT
    lab_say "${0##*/}: $2"
    exit "$1"
}

lab_require() { # lab_require VARIABLE...: the caller must have set them
    local name
    for name in "$@"; do
        [ -n "${!name:-}" ] || lab_die "$EX_USAGE" "$name is not set (see --help)"
    done
}

lab_usage() { # the comment at the top of the script that called
    sed -n '2,/^[^#]/{/^#/s/^# \{0,1\}//p}' "$0"
}

# Downloads are kept by version outside the tree.
lab_cache() { echo "${PQCDC_LAB_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/pqcdc-lab}"; }

# PostgreSQL refuses to run as root, and who it runs as instead may not enter root's home.
lab_postgres_cache() {
    if [ "$(id -u)" = 0 ]; then
        echo "${PQCDC_LAB_CACHE:-/var/cache/pqcdc-lab}/pg"
    else
        echo "$(lab_cache)/pg"
    fi
}

lab_wait() { # lab_wait SECONDS COMMAND...: until the command succeeds
    local end=$((SECONDS + $1))
    shift
    until "$@"; do
        [ "$SECONDS" -lt "$end" ] || return 1
        sleep 0.1
    done
}

# lab_progress TEXT LOG COMMAND...: runs the command with its output in LOG and says each few
# seconds that it goes on; a failure shows the end of the log.
lab_progress() {
    local text=$1 log=$2 start=$SECONDS next=5 status=0
    shift 2
    lab_say "$text ..."
    "$@" >>"$log" 2>&1 &
    local pid=$!
    while kill -0 "$pid" 2>/dev/null; do
        sleep 0.2
        if [ $((SECONDS - start)) -ge "$next" ]; then
            lab_say "  $((SECONDS - start)) s: $(tail -n 1 "$log" | tr -d '\r' | cut -c1-100)"
            next=$((next + 10))
        fi
    done
    wait "$pid" || status=$?
    if [ "$status" != 0 ]; then
        tail -n 40 "$log" >&2
        lab_say "$text: failed (status $status); the whole log: $log"
    fi
    return "$status"
}

# A free TCP port on loopback whose successor is free too (Kafka takes two).
lab_free_port() {
    local port
    for _ in $(seq 100); do
        port=$((20000 + RANDOM % 12000))
        if ! lab_port_taken "$port" && ! lab_port_taken $((port + 1)); then
            echo "$port"
            return 0
        fi
    done
    lab_die "$EX_UNAVAILABLE" "no free port between 20000 and 32000"
}

lab_port_taken() { (exec 3<>"/dev/tcp/${2:-127.0.0.1}/$1") 2>/dev/null; } # lab_port_taken PORT [ADDRESS]

# A pid file holds the pid and the process's start time, so that a number that the system gave to
# somebody else is never taken for ours. A process that has ended with all its threads is gone, however
# long its parent takes to notice it.
lab_start_time() { # fields 3, 20 and 22 of stat; the name before them may hold spaces
    local stat
    stat=$(cat "/proc/$1/stat" 2>/dev/null) || return 1
    stat=${stat##*) }
    # shellcheck disable=SC2086
    set -- $stat
    [ "$1" != Z ] || [ "${18}" -gt 1 ] || return 1
    echo "${20}"
}

lab_pid_write() { echo "$2 $(lab_start_time "$2")" >"$1"; } # lab_pid_write FILE PID

lab_pid() { # lab_pid FILE: the pid when that very process lives
    local pid start
    [ -s "$1" ] && read -r pid start <"$1" && [ -n "$start" ] &&
        [ "$(lab_start_time "$pid")" = "$start" ] && echo "$pid"
}

lab_pid_stop() { # lab_pid_stop FILE SECONDS: SIGTERM, after SECONDS SIGKILL
    local pid
    if pid=$(lab_pid "$1"); then
        kill "$pid" 2>/dev/null || true
        lab_wait "$2" lab_pid_gone "$1" || kill -KILL "$pid" 2>/dev/null || true
        lab_wait 10 lab_pid_gone "$1" || lab_die "$EX_UNAVAILABLE" "process $pid does not end"
    fi
    rm -f "$1"
}

lab_pid_gone() { ! lab_pid "$1" >/dev/null; }
