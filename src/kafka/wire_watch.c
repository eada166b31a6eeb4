#include "kafka/wire_watch.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>

#include "base/memory.h"
#include "base/thread.h"

enum {
    API_KEY_PRODUCE = 0,
    LOST_RETRANSMITS = 2, /* time-outs of TCP in a row: 0.6 s where the way is short */
};

struct wire_link {
    pthread_t thread;
    uint64_t unanswered;
    int socket; /* of its last request; -1 = none yet */
    bool up;
};

struct wire_watch {
    pthread_mutex_t lock; /* of everything but the two counters */
    struct wire_link *links;
    size_t count, capacity;
    int wake_fd;
    bool produce_answered;
    _Atomic uint32_t brokers_up;
    _Atomic uint64_t unanswered;
};

struct wire_watch *wire_watch_new(int wake_fd, bool produce_answered)
{
    struct wire_watch *watch = memory_alloc(sizeof *watch);
    CHECK(pthread_mutex_init(&watch->lock, NULL) == 0);
    watch->wake_fd = wake_fd;
    watch->produce_answered = produce_answered;
    return watch;
}

void wire_watch_free(struct wire_watch *watch)
{
    if (watch == NULL)
        return;
    pthread_mutex_destroy(&watch->lock);
    memory_free(watch->links);
    memory_free(watch);
}

static struct wire_link *link_of_this_thread(struct wire_watch *watch)
{
    pthread_t self = pthread_self();
    for (size_t i = 0; i < watch->count; i++)
        if (pthread_equal(watch->links[i].thread, self))
            return &watch->links[i];
    if (watch->count == watch->capacity) {
        watch->capacity = watch->capacity == 0 ? 8 : watch->capacity * 2;
        watch->links = memory_resize(watch->links, watch->capacity * sizeof *watch->links);
    }
    watch->links[watch->count] = (struct wire_link){ .thread = self, .socket = -1 };
    return &watch->links[watch->count++];
}

/* Under the lock: the counters are sums over few links. */
static void publish(struct wire_watch *watch)
{
    uint32_t up = 0;
    uint64_t unanswered = 0;
    for (size_t i = 0; i < watch->count; i++) {
        up += watch->links[i].up ? 1U : 0U;
        unanswered += watch->links[i].unanswered;
    }
    atomic_store(&watch->unanswered, unanswered);
    if (atomic_exchange(&watch->brokers_up, up) != up && watch->wake_fd >= 0)
        (void)eventfd_write(watch->wake_fd, 1);
}

static rd_kafka_resp_err_t on_request_sent(rd_kafka_t *handle UNUSED, int socket,
                                           const char *broker UNUSED, int32_t broker_id UNUSED,
                                           int16_t api_key, int16_t api_version UNUSED,
                                           int32_t correlation UNUSED, size_t size UNUSED,
                                           void *opaque)
{
    struct wire_watch *watch = opaque;
    pthread_mutex_lock(&watch->lock);
    struct wire_link *link = link_of_this_thread(watch);
    link->socket = socket;
    if (api_key != API_KEY_PRODUCE || watch->produce_answered)
        link->unanswered++;
    publish(watch);
    pthread_mutex_unlock(&watch->lock);
    return RD_KAFKA_RESP_ERR_NO_ERROR;
}

/* Called also when librdkafka gives a request up (purged, timed out): then nothing was received,
 * size is 0, and the answer comes later as one to an unknown request, with a size. */
static rd_kafka_resp_err_t on_response_received(rd_kafka_t *handle UNUSED, int socket UNUSED,
                                                const char *broker UNUSED, int32_t broker_id UNUSED,
                                                int16_t api_key UNUSED, int16_t api_version UNUSED,
                                                int32_t correlation UNUSED, size_t size,
                                                int64_t rtt UNUSED,
                                                rd_kafka_resp_err_t error UNUSED, void *opaque)
{
    struct wire_watch *watch = opaque;
    if (size == 0)
        return RD_KAFKA_RESP_ERR_NO_ERROR;
    pthread_mutex_lock(&watch->lock);
    struct wire_link *link = link_of_this_thread(watch);
    if (link->unanswered > 0)
        link->unanswered--;
    publish(watch);
    pthread_mutex_unlock(&watch->lock);
    return RD_KAFKA_RESP_ERR_NO_ERROR;
}

/* The states' names are those of librdkafka's statistics (STATISTICS.md, brokers.state). */
static rd_kafka_resp_err_t on_broker_state(rd_kafka_t *handle UNUSED, int32_t broker_id UNUSED,
                                           const char *protocol UNUSED, const char *name UNUSED,
                                           int port, const char *state, void *opaque)
{
    struct wire_watch *watch = opaque;
    if (port == 0) /* not a broker: librdkafka's internal queue */
        return RD_KAFKA_RESP_ERR_NO_ERROR;
    pthread_mutex_lock(&watch->lock);
    struct wire_link *link = link_of_this_thread(watch);
    if (strcmp(state, "DOWN") == 0)
        *link = watch->links[--watch->count];
    else
        link->up = strcmp(state, "UP") == 0 || strcmp(state, "UPDATE") == 0;
    publish(watch);
    pthread_mutex_unlock(&watch->lock);
    return RD_KAFKA_RESP_ERR_NO_ERROR;
}

/* librdkafka starts its threads with every signal blocked. */
static rd_kafka_resp_err_t on_thread_start(rd_kafka_t *handle UNUSED,
                                           rd_kafka_thread_type_t type UNUSED,
                                           const char *name UNUSED, void *opaque UNUSED)
{
    thread_admit_profiler();
    return RD_KAFKA_RESP_ERR_NO_ERROR;
}

static rd_kafka_resp_err_t on_new(rd_kafka_t *handle, const rd_kafka_conf_t *conf UNUSED,
                                  void *opaque, char *reason UNUSED, size_t reason_size UNUSED)
{
    static const char name[] = "wire_watch";
    rd_kafka_resp_err_t code =
        rd_kafka_interceptor_add_on_request_sent(handle, name, on_request_sent, opaque);
    if (code == RD_KAFKA_RESP_ERR_NO_ERROR)
        code = rd_kafka_interceptor_add_on_response_received(handle, name, on_response_received,
                                                             opaque);
    if (code == RD_KAFKA_RESP_ERR_NO_ERROR)
        code =
            rd_kafka_interceptor_add_on_broker_state_change(handle, name, on_broker_state, opaque);
    if (code == RD_KAFKA_RESP_ERR_NO_ERROR)
        code = rd_kafka_interceptor_add_on_thread_start(handle, name, on_thread_start, opaque);
    return code;
}

bool wire_watch_install(struct wire_watch *watch, rd_kafka_conf_t *conf, struct error *err)
{
    rd_kafka_resp_err_t code =
        rd_kafka_conf_interceptor_add_on_new(conf, "wire_watch", on_new, watch);
    return code == RD_KAFKA_RESP_ERR_NO_ERROR ||
           error_set(err, ERROR_BUG, "interceptor", "librdkafka takes no interceptor: %s",
                     rd_kafka_err2str(code));
}

void wire_watch_mute(struct wire_watch *watch)
{
    pthread_mutex_lock(&watch->lock);
    watch->wake_fd = -1;
    pthread_mutex_unlock(&watch->lock);
}

uint32_t wire_watch_brokers_up(const struct wire_watch *watch)
{
    return atomic_load(&watch->brokers_up);
}

/* A socket that was closed since gives an error, or another's state for a moment. */
static bool is_lost(const struct wire_link *link)
{
    struct tcp_info info;
    socklen_t size = sizeof info;
    return link->socket >= 0 &&
           getsockopt(link->socket, IPPROTO_TCP, TCP_INFO, &info, &size) == 0 &&
           info.tcpi_unacked > 0 && info.tcpi_retransmits >= LOST_RETRANSMITS;
}

uint32_t wire_watch_brokers_reached(struct wire_watch *watch)
{
    uint32_t reached = 0;
    pthread_mutex_lock(&watch->lock);
    for (size_t i = 0; i < watch->count; i++)
        reached += watch->links[i].up && !is_lost(&watch->links[i]) ? 1U : 0U;
    pthread_mutex_unlock(&watch->lock);
    return reached;
}

uint64_t wire_watch_unanswered(const struct wire_watch *watch)
{
    return atomic_load(&watch->unanswered);
}
