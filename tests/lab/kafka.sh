#!/usr/bin/env bash
# Apache Kafka (KRaft, one node that is broker and controller) on loopback, from its Maven jars.
#   kafka.sh fetch                      resolve the jars into the cache (start does it too)
#   kafka.sh start | stop | kill        start waits until the broker is ready; kill is SIGKILL
#   kafka.sh status                     pid, address and version; exit status 1 when it does not run
#   kafka.sh topic NAME [PARTITIONS]    create a topic in the broker of KAFKA_STATE, which must run
#   kafka.sh tool CLASS [ARGUMENTS]     run a main class of Kafka
# KAFKA_STATE: its directory, KAFKA_PORT: its port (the next one is the controller's); both are
# required but for fetch. KAFKA_HEAP (512m), KAFKA_AUTO_CREATE (false): auto.create.topics.enable.
. "$(dirname "${BASH_SOURCE[0]}")/common.sh"

KAFKA_VERSION=$(sed -n 's:.*<kafka.version>\(.*\)</kafka.version>.*:\1:p' "$lab_directory/kafka/pom.xml")
libraries=$(lab_cache)/kafka-$KAFKA_VERSION/libs

kafka_fetch() {
    [ -e "$libraries/.done" ] && return 0
    mkdir -p "$libraries"
    lab_progress "fetching Apache Kafka $KAFKA_VERSION" "$libraries/../fetch.log" \
        mvn -B -Dstyle.color=never -f "$lab_directory/kafka/pom.xml" \
        dependency:copy-dependencies -DincludeScope=runtime -DoutputDirectory="$libraries"
    touch "$libraries/.done"
}

kafka_tool() { # short-lived: small heap, quick start
    java -Xmx256m -XX:+UseSerialGC -XX:TieredStopAtLevel=1 \
        -Dlog4j2.configurationFile="$lab_directory/kafka/log4j2-tools.properties" \
        -cp "$libraries/*" "$@"
}

kafka_properties() {
    local controller=$((KAFKA_PORT + 1))
    cat <<PROPERTIES
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:$controller
listeners=PLAINTEXT://127.0.0.1:$KAFKA_PORT,CONTROLLER://127.0.0.1:$controller
advertised.listeners=PLAINTEXT://127.0.0.1:$KAFKA_PORT
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT
controller.listener.names=CONTROLLER
log.dirs=$KAFKA_STATE/data
auto.create.topics.enable=${KAFKA_AUTO_CREATE:-false}
num.partitions=1
offsets.topic.replication.factor=1
offsets.topic.num.partitions=1
transaction.state.log.replication.factor=1
transaction.state.log.num.partitions=1
transaction.state.log.min.isr=1
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
share.coordinator.state.topic.num.partitions=1
group.initial.rebalance.delay.ms=0
PROPERTIES
}

# A port in the controller's place would show as a trace of Java, one in the broker's as a success of
# somebody else's server.
kafka_require_free() {
    local port
    for port in "$KAFKA_PORT" $((KAFKA_PORT + 1)); do
        ! lab_port_taken "$port" ||
            lab_die "$EX_UNAVAILABLE" "port $port is taken; Kafka needs KAFKA_PORT=$KAFKA_PORT and the next \
one, $((KAFKA_PORT + 1)): choose another KAFKA_PORT"
    done
}

kafka_require_running() {
    lab_pid "$pid_file" >/dev/null ||
        lab_die "$EX_UNAVAILABLE" "Apache Kafka does not run in $KAFKA_STATE; start it first"
}

kafka_ready() { grep -q 'Kafka Server started' "$server_log"; }
kafka_ready_or_gone() { kafka_ready || lab_pid_gone "$pid_file"; }

kafka_start() {
    ! lab_pid "$pid_file" >/dev/null || lab_die "$EX_UNAVAILABLE" "already runs in $KAFKA_STATE"
    kafka_require_free
    kafka_fetch
    mkdir -p "$KAFKA_STATE"
    kafka_properties >"$KAFKA_STATE/server.properties"
    if [ ! -e "$KAFKA_STATE/data/meta.properties" ]; then
        kafka_tool kafka.tools.StorageTool format -t pqcdc-lab-cluster-000 \
            -c "$KAFKA_STATE/server.properties" >"$KAFKA_STATE/format.log" 2>&1 ||
            { cat "$KAFKA_STATE/format.log" >&2 && return 1; }
    fi
    # The previous run's log is kept: what is waited for below must be this run's.
    if [ -e "$server_log" ]; then cat "$server_log" >>"$server_log.old"; fi
    : >"$server_log"
    setsid java -Xms"${KAFKA_HEAP:-512m}" -Xmx"${KAFKA_HEAP:-512m}" -XX:+UseG1GC \
        -XX:MaxGCPauseMillis=20 -XX:InitiatingHeapOccupancyPercent=35 -Djava.net.preferIPv4Stack=true \
        -Dlog4j2.configurationFile="$lab_directory/kafka/log4j2.properties" \
        -cp "$libraries/*" kafka.Kafka "$KAFKA_STATE/server.properties" \
        >>"$server_log" 2>&1 </dev/null &
    lab_pid_write "$pid_file" $!
    if ! lab_wait 90 kafka_ready_or_gone || ! kafka_ready; then
        tail -n 20 "$server_log" >&2
        lab_pid_stop "$pid_file" 1
        lab_die "$EX_UNAVAILABLE" "Kafka did not get ready; its log: $server_log"
    fi
    kafka_status
}

kafka_status() {
    local pid version
    pid=$(lab_pid "$pid_file") || { echo "Apache Kafka does not run in $KAFKA_STATE" && return 1; }
    version=$(sed -n 's/.*Kafka version: \([0-9.]*\).*/\1/p' "$server_log" | head -n 1)
    echo "Apache Kafka ${version:-$KAFKA_VERSION} (KRaft): 127.0.0.1:$KAFKA_PORT, pid $pid"
}

case ${1:-} in
    fetch | tool) ;;
    start | stop | kill | status | topic)
        lab_require KAFKA_STATE KAFKA_PORT
        pid_file=$KAFKA_STATE/kafka.pid
        server_log=$KAFKA_STATE/server.log
        ;;
    *) lab_usage && exit "$EX_USAGE" ;;
esac
case $1 in
    fetch) kafka_fetch ;;
    start) kafka_start ;;
    stop) lab_pid_stop "$pid_file" 30 ;;
    kill)
        if pid=$(lab_pid "$pid_file"); then kill -KILL "$pid"; fi
        lab_wait 10 lab_pid_gone "$pid_file"
        ;;
    status) kafka_status ;;
    topic)
        [ -n "${2:-}" ] || lab_die "$EX_USAGE" "topic needs a name (see --help)"
        kafka_require_running
        kafka_tool org.apache.kafka.tools.TopicCommand --bootstrap-server "127.0.0.1:$KAFKA_PORT" \
            --create --topic "$2" --partitions "${3:-1}" --replication-factor 1
        ;;
    tool) shift && kafka_tool "$@" ;;
esac
