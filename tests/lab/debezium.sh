#!/usr/bin/env bash
# Debezium's PostgreSQL connector in a standalone Kafka Connect, from their Maven jars: to measure
# beside.
#   debezium.sh fetch     resolve the jars into the cache (start does it too)
#   debezium.sh start     returns when the process runs; it streams when its slot is active
#   debezium.sh stop
# DEBEZIUM_STATE: its directory, DEBEZIUM_PORT: the port of its REST interface, DEBEZIUM_KAFKA: the
# brokers, DEBEZIUM_PG_PORT, DEBEZIUM_DATABASE, DEBEZIUM_SLOT, DEBEZIUM_PUBLICATION (both are there),
# DEBEZIUM_TABLE (schema.table; the topic is DATABASE.TABLE); required but for fetch.
# DEBEZIUM_HEAP (768m).
. "$(dirname "${BASH_SOURCE[0]}")/common.sh"

version_of() { sed -n "s:.*<$1.version>\(.*\)</$1.version>.*:\1:p" "$lab_directory/$1/pom.xml"; }

libraries=$(lab_cache)/kafka-$(version_of kafka)/libs
plugins=$(lab_cache)/debezium-$(version_of debezium)

debezium_fetch() { # what Connect has already must not be there twice
    "$lab_directory/kafka.sh" fetch
    [ -e "$plugins/.done" ] && return 0
    mkdir -p "$plugins"
    lab_progress "fetching Debezium $(version_of debezium)" "$plugins/fetch.log" \
        mvn -B -Dstyle.color=never -f "$lab_directory/debezium/pom.xml" \
        dependency:copy-dependencies -DincludeScope=runtime \
        -DexcludeGroupIds=org.apache.kafka,org.slf4j -DoutputDirectory="$plugins/debezium"
    touch "$plugins/.done"
}

worker_properties() {
    cat <<PROPERTIES
bootstrap.servers=$DEBEZIUM_KAFKA
listeners=http://127.0.0.1:$DEBEZIUM_PORT
plugin.path=$plugins
key.converter=org.apache.kafka.connect.json.JsonConverter
value.converter=org.apache.kafka.connect.json.JsonConverter
key.converter.schemas.enable=false
value.converter.schemas.enable=false
offset.storage.file.filename=$DEBEZIUM_STATE/offsets
PROPERTIES
}

connector_properties() {
    cat <<PROPERTIES
name=lab
connector.class=io.debezium.connector.postgresql.PostgresConnector
tasks.max=1
plugin.name=pgoutput
database.hostname=127.0.0.1
database.port=$DEBEZIUM_PG_PORT
database.user=postgres
database.password=none
database.dbname=$DEBEZIUM_DATABASE
topic.prefix=$DEBEZIUM_DATABASE
slot.name=$DEBEZIUM_SLOT
publication.name=$DEBEZIUM_PUBLICATION
publication.autocreate.mode=disabled
table.include.list=$DEBEZIUM_TABLE
snapshot.mode=no_data
PROPERTIES
}

debezium_start() {
    ! lab_pid "$pid_file" >/dev/null || lab_die "$EX_UNAVAILABLE" "already runs in $DEBEZIUM_STATE"
    debezium_fetch
    mkdir -p "$DEBEZIUM_STATE"
    worker_properties >"$DEBEZIUM_STATE/worker.properties"
    connector_properties >"$DEBEZIUM_STATE/connector.properties"
    setsid java -Xms256m -Xmx"${DEBEZIUM_HEAP:-768m}" -XX:+UseG1GC \
        -Dlog4j2.configurationFile="$lab_directory/kafka/log4j2.properties" -cp "$libraries/*" \
        org.apache.kafka.connect.cli.ConnectStandalone "$DEBEZIUM_STATE/worker.properties" \
        "$DEBEZIUM_STATE/connector.properties" >"$DEBEZIUM_STATE/connect.log" 2>&1 </dev/null &
    lab_pid_write "$pid_file" $!
}

case ${1:-} in
    fetch) debezium_fetch ;;
    start | stop)
        lab_require DEBEZIUM_STATE
        pid_file=$DEBEZIUM_STATE/connect.pid
        if [ "$1" = stop ]; then
            lab_pid_stop "$pid_file" 30
        else
            lab_require DEBEZIUM_PORT DEBEZIUM_KAFKA DEBEZIUM_PG_PORT DEBEZIUM_DATABASE \
                DEBEZIUM_SLOT DEBEZIUM_PUBLICATION DEBEZIUM_TABLE
            debezium_start
        fi
        ;;
    *) lab_usage && exit "$EX_USAGE" ;;
esac
