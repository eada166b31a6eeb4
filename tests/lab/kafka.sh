#!/usr/bin/env bash
# Apache Kafka (KRaft; each node is broker and controller), on loopback unless told else, from its Maven jars.
#   kafka.sh fetch                      resolve the jars into the cache (start does it too)
#   kafka.sh start | stop | kill        start waits until the broker is ready; kill is SIGKILL
#   kafka.sh status                     pid, address and version; exit status 1 when it does not run
#   kafka.sh topic NAME [PARTITIONS]    create a topic in the broker of KAFKA_STATE, which must run
#   kafka.sh tool CLASS [ARGUMENTS]     run a main class of Kafka
# KAFKA_STATE: its directory, KAFKA_PORT: its port (the next one is the controller's); both are
# required but for fetch. KAFKA_HEAP (512m), KAFKA_AUTO_CREATE (false): auto.create.topics.enable.
# KAFKA_HOST (127.0.0.1): the address that it listens on, and that its clients are told.
# KAFKA_PROXY: the port of a proxy; it forwards to KAFKA_PORT + 2, and its clients are told that the
# broker is there. KAFKA_PROXIED: the security protocol of that listener (PLAINTEXT).
# KAFKA_PATIENCE (90): how many seconds a start may take.
# KAFKA_CONF: more lines for server.properties. KAFKA_JAVA: more options for Java.
# A cluster: one start per node, each with KAFKA_NODE (1, 2, ...) and the same KAFKA_VOTERS
# (1@127.0.0.1:PORT,2@127.0.0.1:PORT,...: the controllers). Of three nodes, each partition has three
# replicas, of which two must be in sync.
. "$(dirname "${BASH_SOURCE[0]}")/common.sh"

KAFKA_VERSION=$(sed -n 's:.*<kafka.version>\(.*\)</kafka.version>.*:\1:p' "$lab_directory/kafka/pom.xml")
host=${KAFKA_HOST:-127.0.0.1}
libraries=$(lab_cache)/kafka-$KAFKA_VERSION/libs
classes=$libraries/../classes.jsa # what the first broker has loaded: the next start in half the time

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
    local controller=$((KAFKA_PORT + 1)) proxied='' advertised='' replicas=1 in_sync=1
    local voters=${KAFKA_VOTERS:-1@$host:$controller}
    if [ -n "${KAFKA_PROXY:-}" ]; then
        proxied=,PROXIED://$host:$((KAFKA_PORT + 2))
        advertised=,PROXIED://$host:$KAFKA_PROXY
    fi
    if [[ $voters == *,*,* ]]; then replicas=3 in_sync=2; fi
    cat <<PROPERTIES
process.roles=broker,controller
node.id=${KAFKA_NODE:-1}
controller.quorum.voters=$voters
listeners=PLAINTEXT://$host:$KAFKA_PORT,CONTROLLER://$host:$controller$proxied
advertised.listeners=PLAINTEXT://$host:$KAFKA_PORT$advertised
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT,PROXIED:${KAFKA_PROXIED:-PLAINTEXT}
controller.listener.names=CONTROLLER
log.dirs=$KAFKA_STATE/data
auto.create.topics.enable=${KAFKA_AUTO_CREATE:-false}
num.partitions=1
default.replication.factor=$replicas
min.insync.replicas=$in_sync
offsets.topic.replication.factor=$replicas
offsets.topic.num.partitions=1
transaction.state.log.replication.factor=$replicas
transaction.state.log.num.partitions=1
transaction.state.log.min.isr=$in_sync
share.coordinator.state.topic.replication.factor=$replicas
share.coordinator.state.topic.min.isr=$in_sync
share.coordinator.state.topic.num.partitions=1
group.initial.rebalance.delay.ms=0
${KAFKA_CONF:-}
PROPERTIES
}

# A port in the controller's place would show as a trace of Java, one in the broker's as a success of
# somebody else's server.
kafka_require_free() {
    local port proxied=''
    if [ -n "${KAFKA_PROXY:-}" ]; then proxied=$((KAFKA_PORT + 2)); fi
    for port in "$KAFKA_PORT" $((KAFKA_PORT + 1)) $proxied; do
        ! lab_port_taken "$port" "$host" ||
            lab_die "$EX_UNAVAILABLE" "port $port is taken; Kafka needs KAFKA_PORT=$KAFKA_PORT and the next \
one, $((KAFKA_PORT + 1))${proxied:+, and $proxied}: choose another KAFKA_PORT"
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
    local sharing=-XX:SharedArchiveFile=$classes
    [ -e "$classes" ] || sharing=-XX:ArchiveClassesAtExit=$KAFKA_STATE/classes.jsa
    # The previous run's log is kept: what is waited for below must be this run's.
    if [ -e "$server_log" ]; then cat "$server_log" >>"$server_log.old"; fi
    : >"$server_log"
    # shellcheck disable=SC2086 # options are words
    setsid java "$sharing" ${KAFKA_JAVA:-} -Xms"${KAFKA_HEAP:-512m}" -Xmx"${KAFKA_HEAP:-512m}" -XX:+UseG1GC \
        -XX:MaxGCPauseMillis=20 -XX:InitiatingHeapOccupancyPercent=35 -Djava.net.preferIPv4Stack=true \
        -Dlog4j2.configurationFile="$lab_directory/kafka/log4j2.properties" \
        -cp "$libraries/*" kafka.Kafka "$KAFKA_STATE/server.properties" \
        >>"$server_log" 2>&1 </dev/null &
    lab_pid_write "$pid_file" $!
    if ! lab_wait "${KAFKA_PATIENCE:-90}" kafka_ready_or_gone || ! kafka_ready; then
        tail -n 20 "$server_log" >&2
        lab_pid_stop "$pid_file" 1
        lab_die "$EX_UNAVAILABLE" "Kafka did not get ready; its log: $server_log"
    fi
    kafka_status
}

kafka_stop() {
    lab_pid_stop "$pid_file" 30
    if [ -e "$KAFKA_STATE/classes.jsa" ]; then mv "$KAFKA_STATE/classes.jsa" "$classes"; fi
}

kafka_status() {
    local pid version
    pid=$(lab_pid "$pid_file") || { echo "Apache Kafka does not run in $KAFKA_STATE" && return 1; }
    version=$(sed -n 's/.*Kafka version: \([0-9.]*\).*/\1/p' "$server_log" | head -n 1)
    echo "Apache Kafka ${version:-$KAFKA_VERSION} (KRaft): $host:$KAFKA_PORT, pid $pid"
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
    stop) kafka_stop ;;
    kill)
        if pid=$(lab_pid "$pid_file"); then kill -KILL "$pid"; fi
        lab_wait 10 lab_pid_gone "$pid_file"
        ;;
    status) kafka_status ;;
    topic)
        [ -n "${2:-}" ] || lab_die "$EX_USAGE" "topic needs a name (see --help)"
        kafka_require_running
        kafka_tool org.apache.kafka.tools.TopicCommand --bootstrap-server "$host:$KAFKA_PORT" \
            --create --topic "$2" --partitions "${3:-1}"
        ;;
    tool) shift && kafka_tool "$@" ;;
esac
