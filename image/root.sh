#!/usr/bin/env bash
# Makes the image's root directory out of installed programs and of what this system has that they need.
#   root.sh INSTALLED ROOT
# Beside it ROOT.owners says of each file which package it is of: "PACKAGE<TAB>PATH" a line.
# Runs in the Dockerfile's build stage, on Debian.
set -euo pipefail

installed=$1
root=$2
owners=$root.owners
copied=$root.copied # of Debian's packages

own() { printf '%s\t%s\n' "$1" "$2" >>"$owners"; } # own PACKAGE PATH

# Directories that Debian reaches by another name (/lib is /usr/lib) are named as they are.
true_name() { echo "$(realpath "$(dirname "$1")")/$(basename "$1")"; }

copy() { # copy PATH: a file, and the links by which it is reached
    local path next
    path=$(true_name "$1")
    [ ! -e "$root$path" ] || return 0
    mkdir -p "$root$(dirname "$path")"
    if [ -L "$path" ]; then
        next=$(readlink "$path")
        [[ $next == /* ]] || next=$(dirname "$path")/$next
        copy "$next"
    else
        echo "$path" >>"$copied"
    fi
    cp -P "$path" "$root$path"
}

own_copied() { # dpkg says "PACKAGE: PATH" or "PACKAGE:ARCHITECTURE: PATH"
    xargs dpkg-query -S <"$copied" | sed -E 's/^([^:,]+)[:,](.*:)? +(\/.*)$/\1\t\3/' >>"$owners"
    : >"$copied"
}

programs() { find "$installed/usr/bin" -type f | sort; }

copy_programs() {
    local program
    programs | while read -r program; do
        install -D -m 755 "$program" "$root/usr/bin/$(basename "$program")"
        own pqcdc "/usr/bin/$(basename "$program")"
    done
}

installed_library() { ldconfig -p | awk -v name="$1" '$1 == name {print $NF; exit}'; }

# What the loader loads; what libc loads by itself when a thread is cancelled; what is put before the worker for
# profiles. Names of hosts are looked up by libc alone.
libraries() {
    local profiler
    profiler=$(installed_library libtcmalloc_and_profiler.so.4)
    echo "$profiler"
    installed_library libgcc_s.so.1
    { programs && echo "$profiler"; } | xargs ldd | awk '/=> \// {print $3} $1 ~ /^\// && NF == 2 && !/:$/ {print $1}'
}

copy_libraries() {
    local library
    libraries | sort -u | while read -r library; do copy "$library"; done
    own_copied
    ln -s usr/lib "$root/lib"
    ln -s usr/lib64 "$root/lib64"
}

# Only those that Debian delivers: authorities that this machine trusts besides are nobody else's business.
copy_certificates() {
    local bundle=/etc/ssl/certs/ca-certificates.crt
    mkdir -p "$root/etc/ssl/certs" "$root/usr/lib/ssl"
    dpkg-query -L ca-certificates | grep '\.crt$' | LC_ALL=C sort | xargs cat >"$root$bundle"
    own ca-certificates "$bundle"
    ln -s "$bundle" "$root/usr/lib/ssl/cert.pem" # where OpenSSL looks
}

write() { # write PATH: standard input
    mkdir -p "$root$(dirname "$1")"
    cat >"$root$1"
    own pqcdc "$1"
}

write_accounts() {
    write /etc/passwd <<'PASSWD'
root:x:0:0:root:/:/usr/sbin/nologin
pqcdc:x:65532:65532:pqcdc:/:/usr/sbin/nologin
PASSWD
    write /etc/group <<'GROUP'
root:x:0:
pqcdc:x:65532:
GROUP
    write /etc/nsswitch.conf <<'NSSWITCH'
passwd: files
group: files
hosts: files dns
NSSWITCH
}

# Whoever passes the image on passes the licences on.
copy_licences() {
    local package text
    cut -f1 "$owners" | sort -u | grep -v '^pqcdc$' | while read -r package; do
        text=/usr/share/doc/$package/copyright
        install -D -m 644 "$text" "$root$text"
        own "$package" "$text"
    done
    write /usr/share/doc/pqcdc/copyright <LICENSE
    for text in /usr/share/common-licenses/*; do copy "$text"; done
    own_copied
}

umask 022
rm -rf "$root"
mkdir -p "$root"
: >"$owners"
: >"$copied"
copy_programs
copy_libraries
copy_certificates
write_accounts
copy_licences
LC_ALL=C sort -u -o "$owners" "$owners"
