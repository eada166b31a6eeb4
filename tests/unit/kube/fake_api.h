/* A scripted API server on libmicrohttpd, with or without TLS. Its answers are queued, each for the
 * requests that begin with its `match`; a request that finds none is answered 599. What was asked
 * is kept. Streams say what the test lets them say. Every function belongs to the test's thread. */
#ifndef TESTS_UNIT_KUBE_FAKE_API_H
#define TESTS_UNIT_KUBE_FAKE_API_H

#include <arpa/inet.h>
#include <gnutls/gnutls.h>
#include <microhttpd.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/check.h"
#include "base/memory.h"
#include "base/text.h"

enum fake_manner {
    FAKE_WHOLE,
    FAKE_CUT,    /* half of the body, then the connection is closed */
    FAKE_CLOSED, /* closed without a word */
    FAKE_SILENT, /* nothing, and the connection stays */
    FAKE_STREAM, /* see fake_api_say() */
};

struct fake_answer {
    const char *match; /* how the request begins, "PUT /apis/", all of it when a $ follows */
    unsigned status;   /* 0 = 200 */
    const char *body;  /* NULL = "{}" */
    const char *header, *value;
    enum fake_manner manner;
    size_t padding_bytes; /* spaces behind the body */
    unsigned times;       /* 0 = once */
};

struct fake_request {
    char line[1024]; /* "GET /api?x=y" */
    char authorization[256];
    char content_type[64];
    char host[64];
    char agent[64];
    char body[8192];
    uint16_t from_port; /* tells connections apart */
    bool certified;     /* the client showed a certificate that the authority signed */
};

enum { FAKE_API_MAX = 256 };

/* The body of a stream; it lives until the server stops. */
struct fake_stream {
    struct fake_api *api;
    struct buf said;
    bool ended, cut;
    bool suspended;
    struct MHD_Connection *connection;
    struct fake_stream *next;
};

struct fake_api {
    struct MHD_Daemon *daemon;
    uint16_t port;
    pthread_mutex_t lock; /* of all that follows */
    bool stopping;
    struct fake_answer answers[FAKE_API_MAX];
    unsigned answer_count;
    struct fake_request seen[FAKE_API_MAX];
    unsigned seen_count;
    struct fake_stream *streams; /* newest first */
    struct MHD_Connection *silent[FAKE_API_MAX];
    unsigned silent_count;
};

struct fake_api_options {
    bool ipv6;
    uint16_t port;           /* 0 = any */
    const char *certificate; /* PEM; NULL = no TLS */
    const char *key;
    const char *client_authority; /* asks for the client's certificate */
};

static inline void fake_copy(char *out, size_t size, const char *text)
{
    (void)snprintf(out, size, "%s", text != NULL ? text : "");
}

/* The state of one request. */
struct fake_visit {
    char *uri; /* before it is taken apart */
    struct fake_request request;
    bool counted;
};

static inline bool fake_is_certified(struct MHD_Connection *connection)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_GNUTLS_SESSION);
    unsigned status = 1;
    return info != NULL && gnutls_certificate_verify_peers2(info->tls_session, &status) == 0 &&
           status == 0;
}

static inline uint16_t fake_port_of(struct MHD_Connection *connection)
{
    const struct sockaddr *address =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CLIENT_ADDRESS)->client_addr;
    return ntohs(address->sa_family == AF_INET6
                     ? ((const struct sockaddr_in6 *)(const void *)address)->sin6_port
                     : ((const struct sockaddr_in *)(const void *)address)->sin_port);
}

static inline const char *fake_header(struct MHD_Connection *connection, const char *name)
{
    return MHD_lookup_connection_value(connection, MHD_HEADER_KIND, name);
}

static inline void *fake_begin(void *self UNUSED, const char *uri,
                               struct MHD_Connection *connection UNUSED)
{
    struct fake_visit *visit = memory_alloc(sizeof(*visit));
    visit->uri = memory_text(uri);
    return visit;
}

static inline void fake_end(void *self UNUSED, struct MHD_Connection *connection UNUSED,
                            void **state, enum MHD_RequestTerminationCode code UNUSED)
{
    struct fake_visit *visit = TAKE(*state);
    if (visit != NULL)
        memory_free(visit->uri);
    memory_free(visit);
}

static inline void fake_note(struct fake_api *api, struct fake_visit *visit,
                             struct MHD_Connection *connection, const char *method)
{
    struct fake_request *request = &visit->request;
    AUTO(char *, memory_free_p) line = text_format("%s %s", method, visit->uri);
    fake_copy(request->line, sizeof(request->line), line);
    fake_copy(request->authorization, sizeof(request->authorization),
              fake_header(connection, "Authorization"));
    fake_copy(request->content_type, sizeof(request->content_type),
              fake_header(connection, "Content-Type"));
    fake_copy(request->host, sizeof(request->host), fake_header(connection, "Host"));
    fake_copy(request->agent, sizeof(request->agent), fake_header(connection, "User-Agent"));
    request->from_port = fake_port_of(connection);
    request->certified = fake_is_certified(connection);
    if (api->seen_count < FAKE_API_MAX)
        api->seen[api->seen_count++] = *request;
}

static inline bool fake_matches(const char *match, const char *line)
{
    size_t size = match != NULL ? strlen(match) : 0;
    if (size > 0 && match[size - 1] == '$')
        return strlen(line) == size - 1 && memcmp(match, line, size - 1) == 0;
    return size == 0 || strncmp(match, line, size) == 0;
}

static inline struct fake_answer fake_take(struct fake_api *api, const char *line)
{
    for (unsigned i = 0; i < api->answer_count; i++) {
        struct fake_answer *answer = &api->answers[i];
        if (!fake_matches(answer->match, line))
            continue;
        struct fake_answer taken = *answer;
        if (answer->times > 1) {
            answer->times--;
        } else {
            api->answer_count--;
            memmove(answer, answer + 1, (api->answer_count - i) * sizeof(*answer));
        }
        return taken;
    }
    return (struct fake_answer){ .status = 599, .body = "{\"message\":\"nothing is scripted\"}" };
}

/* Half of a body, then an error. */
static inline ssize_t fake_read_half(void *body, uint64_t position, char *out, size_t room)
{
    size_t half = strlen(body) / 2;
    size_t size = half - (size_t)position < room ? half - (size_t)position : room;
    memcpy(out, (const char *)body + position, size);
    return size > 0 ? (ssize_t)size : MHD_CONTENT_READER_END_WITH_ERROR;
}

static inline ssize_t fake_read_stream(void *self, uint64_t position, char *out, size_t room)
{
    struct fake_stream *stream = self;
    ssize_t size = 0;
    pthread_mutex_lock(&stream->api->lock);
    size_t left = stream->said.size - (size_t)position;
    if (left > 0) {
        size = (ssize_t)(left < room ? left : room);
        memcpy(out, stream->said.data + position, (size_t)size);
    } else if (stream->cut || stream->api->stopping) {
        size = MHD_CONTENT_READER_END_WITH_ERROR;
    } else if (stream->ended) {
        size = MHD_CONTENT_READER_END_OF_STREAM;
    } else {
        stream->suspended = true;
        MHD_suspend_connection(stream->connection);
    }
    pthread_mutex_unlock(&stream->api->lock);
    return size;
}

static inline struct MHD_Response *fake_stream_response(struct fake_api *api,
                                                        struct MHD_Connection *connection)
{
    struct fake_stream *stream = memory_alloc(sizeof(*stream));
    *stream = (struct fake_stream){ .api = api,
                                    .said = buf_init(64 * 1024 * 1024),
                                    .connection = connection };
    pthread_mutex_lock(&api->lock);
    stream->next = api->streams;
    api->streams = stream;
    pthread_mutex_unlock(&api->lock);
    return MHD_create_response_from_callback(MHD_SIZE_UNKNOWN, 1024, fake_read_stream, stream,
                                             NULL);
}

static inline struct MHD_Response *fake_response(struct fake_api *api,
                                                 struct MHD_Connection *connection,
                                                 const struct fake_answer *answer)
{
    const char *body = answer->body != NULL ? answer->body : "{}";
    size_t size = strlen(body);
    if (answer->manner == FAKE_STREAM)
        return fake_stream_response(api, connection);
    char *text = malloc(size + answer->padding_bytes + 1);
    CHECK(text != NULL);
    memcpy(text, body, size);
    memset(text + size, ' ', answer->padding_bytes);
    text[size + answer->padding_bytes] = '\0';
    if (answer->manner == FAKE_CUT)
        return MHD_create_response_from_callback(size, 1024, fake_read_half, text, free);
    return MHD_create_response_from_buffer(size + answer->padding_bytes, text,
                                           MHD_RESPMEM_MUST_FREE);
}

static inline enum MHD_Result fake_answer_it(struct fake_api *api,
                                             struct MHD_Connection *connection,
                                             const struct fake_answer *answer)
{
    if (answer->manner == FAKE_CLOSED)
        return MHD_NO;
    if (answer->manner == FAKE_SILENT) {
        pthread_mutex_lock(&api->lock);
        bool stopping = api->stopping;
        CHECK(api->silent_count < FAKE_API_MAX);
        if (!stopping) {
            api->silent[api->silent_count++] = connection;
            MHD_suspend_connection(connection);
        }
        pthread_mutex_unlock(&api->lock);
        return stopping ? MHD_NO : MHD_YES;
    }
    struct MHD_Response *response = fake_response(api, connection, answer);
    CHECK(response != NULL);
    if (answer->header != NULL)
        CHECK(MHD_add_response_header(response, answer->header, answer->value) == MHD_YES);
    enum MHD_Result queued = MHD_queue_response(
        connection, answer->status != 0 ? answer->status : MHD_HTTP_OK, response);
    MHD_destroy_response(response);
    return queued;
}

static inline void fake_add_body(struct fake_request *request, const char *bytes, size_t size)
{
    size_t have = strlen(request->body);
    CHECK(have + size < sizeof(request->body));
    memcpy(request->body + have, bytes, size);
}

static inline enum MHD_Result fake_handle(void *self, struct MHD_Connection *connection,
                                          const char *url UNUSED, const char *method,
                                          const char *version UNUSED, const char *upload,
                                          size_t *upload_size, void **state)
{
    struct fake_api *api = self;
    struct fake_visit *visit = *state;
    if (!visit->counted) { /* the head; a body may follow */
        visit->counted = true;
        return MHD_YES;
    }
    if (*upload_size > 0) {
        fake_add_body(&visit->request, upload, *upload_size);
        *upload_size = 0;
        return MHD_YES;
    }
    struct fake_answer answer = { .manner = FAKE_CLOSED };
    pthread_mutex_lock(&api->lock);
    if (!api->stopping) {
        fake_note(api, visit, connection, method);
        answer = fake_take(api, visit->request.line);
    }
    pthread_mutex_unlock(&api->lock);
    /* Without the lock, since libmicrohttpd has its own. */
    return fake_answer_it(api, connection, &answer);
}

static inline void fake_api_start(struct fake_api *api, const struct fake_api_options *options)
{
    *api = (struct fake_api){ .port = options->port };
    CHECK(pthread_mutex_init(&api->lock, NULL) == 0);
    struct sockaddr_in four = { .sin_family = AF_INET,
                                .sin_port = htons(options->port),
                                .sin_addr = { .s_addr = htonl(INADDR_LOOPBACK) } };
    struct sockaddr_in6 six = { .sin6_family = AF_INET6,
                                .sin6_port = htons(options->port),
                                .sin6_addr = IN6ADDR_LOOPBACK_INIT };
    void *address = options->ipv6 ? (void *)&six : (void *)&four;
    unsigned flags = MHD_USE_INTERNAL_POLLING_THREAD | MHD_ALLOW_SUSPEND_RESUME |
                     (options->ipv6 ? MHD_USE_IPv6 : 0) |
                     (options->certificate != NULL ? MHD_USE_TLS : 0);
    struct MHD_OptionItem tls[] = {
        { MHD_OPTION_HTTPS_MEM_CERT, 0, (void *)(intptr_t)options->certificate },
        { MHD_OPTION_HTTPS_MEM_KEY, 0, (void *)(intptr_t)options->key },
        { options->client_authority != NULL ? MHD_OPTION_HTTPS_MEM_TRUST : MHD_OPTION_END, 0,
          (void *)(intptr_t)options->client_authority },
        { MHD_OPTION_END, 0, NULL },
    };
    api->daemon = MHD_start_daemon(flags, 0, NULL, NULL, fake_handle, api, MHD_OPTION_SOCK_ADDR,
                                   address, MHD_OPTION_URI_LOG_CALLBACK, fake_begin, api,
                                   MHD_OPTION_NOTIFY_COMPLETED, fake_end, api, MHD_OPTION_ARRAY,
                                   options->certificate != NULL ? tls : tls + 3, MHD_OPTION_END);
    CHECK(api->daemon != NULL);
    api->port = MHD_get_daemon_info(api->daemon, MHD_DAEMON_INFO_BIND_PORT)->port;
}

static inline void fake_api_stop(struct fake_api *api)
{
    pthread_mutex_lock(&api->lock);
    api->stopping = true;
    for (unsigned i = 0; i < api->silent_count; i++)
        MHD_resume_connection(api->silent[i]);
    for (struct fake_stream *stream = api->streams; stream != NULL; stream = stream->next)
        if (stream->suspended)
            MHD_resume_connection(stream->connection);
    pthread_mutex_unlock(&api->lock);
    MHD_stop_daemon(api->daemon);
    while (api->streams != NULL) {
        struct fake_stream *stream = api->streams;
        api->streams = stream->next;
        buf_done(&stream->said);
        memory_free(stream);
    }
    pthread_mutex_destroy(&api->lock);
}

/* A body that is a text of the program's: it is not copied. */
static inline void fake_api_push(struct fake_api *api, struct fake_answer answer)
{
    pthread_mutex_lock(&api->lock);
    CHECK(api->answer_count < FAKE_API_MAX);
    api->answers[api->answer_count++] = answer;
    pthread_mutex_unlock(&api->lock);
}

static inline unsigned fake_api_count(struct fake_api *api)
{
    pthread_mutex_lock(&api->lock);
    unsigned count = api->seen_count;
    pthread_mutex_unlock(&api->lock);
    return count;
}

static inline unsigned fake_api_unused(struct fake_api *api)
{
    pthread_mutex_lock(&api->lock);
    unsigned count = api->answer_count;
    pthread_mutex_unlock(&api->lock);
    return count;
}

/* It stays as it is. */
static inline const struct fake_request *fake_api_seen(struct fake_api *api, unsigned index)
{
    CHECK(index < fake_api_count(api));
    return &api->seen[index];
}

/* The newest stream says it; end and cut come behind what was said. */
static inline void fake_api_tell(struct fake_api *api, struct slice bytes, bool end, bool cut)
{
    pthread_mutex_lock(&api->lock);
    struct fake_stream *stream = api->streams;
    CHECK(stream != NULL);
    buf_append_slice(&stream->said, bytes);
    stream->ended = end;
    stream->cut = cut;
    bool resume = stream->suspended;
    stream->suspended = false;
    pthread_mutex_unlock(&api->lock);
    if (resume)
        MHD_resume_connection(stream->connection);
}

static inline void fake_api_say(struct fake_api *api, const char *text)
{
    fake_api_tell(api, slice_of(text), false, false);
}

static inline void fake_api_end_stream(struct fake_api *api)
{
    fake_api_tell(api, SLICE_TEXT(""), true, false);
}

static inline void fake_api_cut_stream(struct fake_api *api)
{
    fake_api_tell(api, SLICE_TEXT(""), false, true);
}

static inline unsigned fake_api_streams(struct fake_api *api)
{
    unsigned count = 0;
    pthread_mutex_lock(&api->lock);
    for (struct fake_stream *stream = api->streams; stream != NULL; stream = stream->next)
        count++;
    pthread_mutex_unlock(&api->lock);
    return count;
}

#endif
