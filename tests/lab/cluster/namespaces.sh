# Sourced by cluster.sh: the namespaces of the cluster, and processes in them.
# shellcheck shell=bash

# Covered in the cluster; outside they stay empty. They are not removed: another cluster may use them.
mount_points=(/var/lib/cni /var/lib/kubelet)

write_sysctls() {
    mkdir -p "$state/sysctl"
    echo 1 >"$state/sysctl/vm.overcommit_memory"
    echo 0 >"$state/sysctl/vm.panic_on_oom"
    echo 10 >"$state/sysctl/kernel.panic"
    echo 1 >"$state/sysctl/kernel.panic_on_oops"
    echo 1000000 >"$state/sysctl/kernel.keys.root_maxkeys"
    echo 25000000 >"$state/sysctl/kernel.keys.root_maxbytes"
}

stage_set() { [ -e "$state/run/ready" ]; }

make_namespaces() {
    mkdir -p "${mount_points[@]}"
    write_sysctls
    rm -f "$state/run/ready"
    setsid unshare --net --mount --pid --fork --kill-child=KILL --mount-proc --propagation private -- \
        bash "$lab_directory/cluster/holder.sh" "$state" "$NODE_IP" >"$state/log/holder.log" 2>&1 </dev/null &
    local outer=$! first
    lab_pid_write "$state/pid/outer" "$outer"
    lab_wait 10 stage_set || { cat "$state/log/holder.log" >&2 && lab_die "$EX_UNAVAILABLE" "no namespaces"; }
    read -r first <"/proc/$outer/task/$outer/children" || true # no end of line
    lab_pid_write "$state/pid/holder" "$first"
}

holder() { lab_pid "$state/pid/holder"; }

# A pid namespace that is being ended has a first process, but no network any more.
is_up() { local pid && pid=$(holder) && readlink "/proc/$pid/ns/net" >/dev/null; }

in_network() { nsenter -t "$(holder)" -n -- "$@"; }

# A daemon becomes a child of the namespaces' first process. Were it one of nsenter, freezing it would stop
# nsenter too, which then never reaps it; a pid namespace with a process that is not reaped cannot end.
component_start() { # component_start NAME COMMAND...: its command line is kept for the next start
    local name=$1
    shift
    printf '%s\0' "$@" >"$state/command/$name"
    rm -f "$state/run/pid.$name"
    # shellcheck disable=SC2016 # for the shell inside
    nsenter -t "$(holder)" -n -m -p -- setsid -f sh -c 'echo $$ >"$0.new"; mv "$0.new" "$0"; exec "$@"' \
        "$state/run/pid.$name" "$@" >>"$state/log/$name.log" 2>&1 </dev/null
    lab_wait 10 component_find "$name" || component_fail "$name" "did not start"
}

component_find() { # component_find NAME: its pid as it is known outside
    local inner child first
    inner=$(cat "$state/run/pid.$1" 2>/dev/null) || return 1
    first=$(holder)
    for child in $(cat "/proc/$first/task/$first/children"); do
        if grep -q "^NSpid:.*[[:space:]]$inner\$" "/proc/$child/status" 2>/dev/null; then
            lab_pid_write "$state/pid/$1" "$child" && return 0
        fi
    done
    return 1
}

component_again() { # component_again NAME
    local command
    mapfile -d '' -t command <"$state/command/$1"
    component_start "$1" "${command[@]}"
}

component_pid() { lab_pid "$state/pid/$1" || lab_die "$EX_UNAVAILABLE" "$1 does not run"; }

component_signal() { kill "-$1" "$(component_pid "$2")"; } # component_signal SIGNAL NAME

component_kill() {
    component_signal KILL "$1"
    lab_wait 10 lab_pid_gone "$state/pid/$1"
}

component_fail() { # component_fail NAME TEXT
    tail -n 20 "$state/log/$1.log" >&2
    lab_die "$EX_UNAVAILABLE" "$1 $2; its log: $state/log/$1.log"
}

await() { # await NAME SECONDS CHECK...: ready, or the component has ended
    local name=$1 end=$((SECONDS + $2))
    shift 2
    until "$@" >/dev/null 2>&1; do
        ! lab_pid_gone "$state/pid/$name" || component_fail "$name" "has ended"
        [ "$SECONDS" -lt "$end" ] || component_fail "$name" "did not get ready"
        sleep 0.1
    done
}

end_namespaces() { # everything in them ends with their first process
    local file pid
    for file in "$state/pid/outer" "$state/pid/holder"; do
        if pid=$(lab_pid "$file"); then kill -KILL "$pid"; fi
    done
    for file in "$state"/pid/*; do
        [ ! -e "$file" ] || lab_wait 10 lab_pid_gone "$file" ||
            lab_die "$EX_UNAVAILABLE" "$(basename "$file") does not end: process $(lab_pid "$file")"
    done
}
