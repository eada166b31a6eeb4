#include "kube/kube_transfer.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/socket.h>

#include "base/memory.h"
#include "base/secret.h"
#include "base/text.h"
#include "kube/kube_client.h"
#include "kube/kube_config_server.h"

/* How soon a peer is known to be gone: one that does not acknowledge, one that is silent. */
enum { UNACKNOWLEDGED_MS = 10000, IDLE_S = 5, PROBE_INTERVAL_S = 2, PROBE_COUNT = 3 };

#define SET(easy, option, value) CHECK(curl_easy_setopt(easy, option, value) == CURLE_OK)

static int on_socket(void *self UNUSED, curl_socket_t fd, curlsocktype purpose UNUSED)
{
    static const struct {
        int level, name, value;
    } options[] = {
        { SOL_SOCKET, SO_KEEPALIVE, 1 },
        { IPPROTO_TCP, TCP_KEEPIDLE, IDLE_S },
        { IPPROTO_TCP, TCP_KEEPINTVL, PROBE_INTERVAL_S },
        { IPPROTO_TCP, TCP_KEEPCNT, PROBE_COUNT },
        { IPPROTO_TCP, TCP_USER_TIMEOUT, UNACKNOWLEDGED_MS },
    };
    for (size_t i = 0; i < COUNT_OF(options); i++)
        if (setsockopt(fd, options[i].level, options[i].name, &options[i].value,
                       sizeof(options[i].value)) != 0)
            return CURL_SOCKOPT_ERROR;
    return CURL_SOCKOPT_OK;
}

bool kube_transfer_is_stream(const struct kube_transfer *transfer)
{
    return transfer->stream && transfer->status >= 200 && transfer->status < 300;
}

/* Called for each line of a head; an empty one ends it. */
static size_t on_header(char *bytes, size_t item_bytes, size_t count, void *self)
{
    struct kube_transfer *transfer = self;
    size_t size = item_bytes * count;
    long status = 0;
    if (size > 0 && (bytes[0] == '\r' || bytes[0] == '\n'))
        CHECK(curl_easy_getinfo(transfer->easy, CURLINFO_RESPONSE_CODE, &status) == CURLE_OK);
    if (status >= 200) { /* not "100 Continue" */
        transfer->status = (int)status;
        transfer->news = true;
    }
    return size;
}

static size_t on_body(char *bytes, size_t item_bytes, size_t count, void *self)
{
    struct kube_transfer *transfer = self;
    struct slice part = { bytes, item_bytes * count };
    transfer->news = true;
    if (kube_transfer_is_stream(transfer)) {
        transfer->too_large = !kube_lines_add(&transfer->lines, part);
    } else {
        buf_append_slice(&transfer->body, part);
        transfer->too_large = transfer->body.failed;
    }
    return transfer->too_large ? CURL_WRITEFUNC_ERROR : part.size;
}

static void add_header(struct kube_transfer *transfer, const char *line)
{
    transfer->headers = curl_slist_append(transfer->headers, line);
    CHECK(transfer->headers != NULL);
}

static void set_headers(struct kube_transfer *transfer, const struct kube_transfer_options *options)
{
    AUTO(char *, secret_free_p) login = kube_login_header(options->login);
    add_header(transfer, "Accept: application/json");
    add_header(transfer, "Expect:"); /* no round trip before a body */
    if (login != NULL)
        add_header(transfer, login);
    if (options->body != NULL) {
        AUTO(char *, memory_free_p) type = text_format("Content-Type: %s", options->content_type);
        add_header(transfer, type);
    }
}

/* A server whose certificate has another name is called by that name, at its own address. */
static void set_url(struct kube_transfer *transfer, const struct kube_transfer_options *options)
{
    const struct kube_config *config = options->login->config;
    AUTO(char *, memory_free_p) server = NULL;
    if (config->tls_server_name == NULL) {
        server = memory_text(config->server);
    } else {
        AUTO(char *, memory_free_p) authority = NULL;
        kube_config_server_rename(config->server, config->tls_server_name, &server, &authority);
        AUTO(char *, memory_free_p) host = text_format("Host: %s", authority);
        AUTO(char *, memory_free_p) connect_to = text_format("::%s", authority);
        add_header(transfer, host);
        transfer->connect_to = curl_slist_append(NULL, connect_to);
        SET(transfer->easy, CURLOPT_CONNECT_TO, transfer->connect_to);
    }
    AUTO(char *, memory_free_p) url = text_format("%s%s", server, options->path);
    SET(transfer->easy, CURLOPT_URL, url);
    SET(transfer->easy, CURLOPT_PATH_AS_IS, 1L);
    SET(transfer->easy, CURLOPT_PROTOCOLS_STR,
        strncmp(server, "http:", strlen("http:")) == 0 ? "http" : "https");
}

static void set_request(struct kube_transfer *transfer, const struct kube_transfer_options *options)
{
    CURL *easy = transfer->easy;
    if (options->body != NULL) {
        SET(easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)strlen(options->body));
        SET(easy, CURLOPT_COPYPOSTFIELDS, options->body);
    }
    SET(easy, CURLOPT_CUSTOMREQUEST, options->method);
    SET(easy, CURLOPT_USERAGENT, options->user_agent);
    SET(easy, CURLOPT_HTTP_VERSION, CURL_HTTP_VERSION_1_1);
    SET(easy, CURLOPT_HTTPHEADER, transfer->headers);
    SET(easy, CURLOPT_FRESH_CONNECT, options->stream ? 1L : 0L);
    SET(easy, CURLOPT_FORBID_REUSE, options->stream ? 1L : 0L);
}

static void set_connection(struct kube_transfer *transfer, int64_t timeout_ms)
{
    CURL *easy = transfer->easy;
    int64_t connect_ms =
        timeout_ms < KUBE_CLIENT_CONNECT_TIMEOUT_MS ? timeout_ms : KUBE_CLIENT_CONNECT_TIMEOUT_MS;
    SET(easy, CURLOPT_CONNECTTIMEOUT_MS, (long)connect_ms);
    SET(easy, CURLOPT_SOCKOPTFUNCTION, on_socket);
    SET(easy, CURLOPT_NOSIGNAL, 1L);
    /* A resolver that hangs keeps its thread, not ours. */
    SET(easy, CURLOPT_QUICK_EXIT, 1L);
}

static void set_callbacks(struct kube_transfer *transfer, void *self)
{
    CURL *easy = transfer->easy;
    SET(easy, CURLOPT_HEADERFUNCTION, on_header);
    SET(easy, CURLOPT_HEADERDATA, transfer);
    SET(easy, CURLOPT_WRITEFUNCTION, on_body);
    SET(easy, CURLOPT_WRITEDATA, transfer);
    SET(easy, CURLOPT_ERRORBUFFER, transfer->problem);
    SET(easy, CURLOPT_PRIVATE, self);
}

struct kube_transfer *kube_transfer_new(const struct kube_transfer_options *options)
{
    struct kube_transfer *transfer = memory_alloc(sizeof(*transfer));
    *transfer = (struct kube_transfer){ .easy = curl_easy_init(),
                                        .body = buf_init(options->limit_bytes),
                                        .lines = kube_lines_init(options->limit_bytes),
                                        .stream = options->stream };
    CHECK(transfer->easy != NULL);
    set_headers(transfer, options);
    set_url(transfer, options);
    set_request(transfer, options);
    set_connection(transfer, options->timeout_ms);
    set_callbacks(transfer, options->self);
    kube_login_apply(options->login, transfer->easy);
    return transfer;
}

/* The token is in it. */
static void wipe(struct curl_slist *list)
{
    for (; list != NULL; list = list->next)
        explicit_bzero(list->data, strlen(list->data));
}

void kube_transfer_free(struct kube_transfer *transfer)
{
    if (transfer == NULL)
        return;
    curl_easy_cleanup(transfer->easy);
    wipe(transfer->headers);
    curl_slist_free_all(transfer->headers);
    curl_slist_free_all(transfer->connect_to);
    buf_done(&transfer->body);
    kube_lines_done(&transfer->lines);
    memory_free(transfer);
}

void *kube_transfer_self(CURL *easy)
{
    char *self = NULL;
    CHECK(curl_easy_getinfo(easy, CURLINFO_PRIVATE, &self) == CURLE_OK);
    return self;
}

int64_t kube_transfer_retry_after_ms(const struct kube_transfer *transfer)
{
    curl_off_t seconds = 0;
    CHECK(curl_easy_getinfo(transfer->easy, CURLINFO_RETRY_AFTER, &seconds) == CURLE_OK);
    if (seconds <= 0)
        return -1;
    return seconds < INT64_MAX / 1000 ? seconds * 1000 : INT64_MAX;
}
