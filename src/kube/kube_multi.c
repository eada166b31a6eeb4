#include "kube/kube_multi.h"

#include <poll.h>

#include "base/memory.h"

struct kube_multi {
    CURLM *curl;
    struct loop *loop;
    struct loop_timer *timer;
    kube_multi_moved_fn *moved;
    void *self;
};

/* A descriptor that libcurl waits for. */
struct wait {
    struct kube_multi *multi;
    struct loop_watch *watch;
    curl_socket_t fd;
};

static void act(struct kube_multi *multi, curl_socket_t fd, int ready)
{
    int running;
    CHECK(curl_multi_socket_action(multi->curl, fd, ready, &running) == CURLM_OK);
    multi->moved(multi->self);
}

static void on_ready(void *self, short revents)
{
    const struct wait *wait = self;
    bool gone = (revents & (POLLHUP | POLLERR | POLLNVAL)) != 0;
    int ready = ((revents & POLLIN) != 0 || gone ? CURL_CSELECT_IN : 0) |
                ((revents & POLLOUT) != 0 ? CURL_CSELECT_OUT : 0) | (gone ? CURL_CSELECT_ERR : 0);
    act(wait->multi, wait->fd, ready);
}

static void on_due(void *self)
{
    act(self, CURL_SOCKET_TIMEOUT, 0);
}

static struct wait *begin(struct kube_multi *multi, curl_socket_t fd)
{
    struct wait *wait = memory_alloc(sizeof(*wait));
    *wait = (struct wait){ .multi = multi, .fd = fd };
    wait->watch = loop_watch_add(multi->loop, fd, 0, on_ready, wait);
    CHECK(curl_multi_assign(multi->curl, fd, wait) == CURLM_OK);
    return wait;
}

static int on_socket(CURL *easy UNUSED, curl_socket_t fd, int what, void *self, void *known)
{
    struct kube_multi *multi = self;
    struct wait *wait = known;
    if (what == CURL_POLL_REMOVE) {
        if (wait != NULL)
            loop_watch_remove(wait->watch);
        memory_free(wait);
        return 0;
    }
    if (wait == NULL)
        wait = begin(multi, fd);
    loop_watch_set(wait->watch, (short)(((what & CURL_POLL_IN) != 0 ? POLLIN : 0) |
                                        ((what & CURL_POLL_OUT) != 0 ? POLLOUT : 0)));
    return 0;
}

static int on_timeout(CURLM *curl UNUSED, long timeout_ms, void *self)
{
    struct kube_multi *multi = self;
    if (timeout_ms < 0)
        loop_timer_clear(multi->timer);
    else
        loop_timer_set(multi->timer, mono_ms_add(loop_now(multi->loop), timeout_ms));
    return 0;
}

struct kube_multi *kube_multi_new(struct loop *loop, long kept_connections,
                                  kube_multi_moved_fn *moved, void *self)
{
    struct kube_multi *multi = memory_alloc(sizeof(*multi));
    *multi = (struct kube_multi){
        .curl = curl_multi_init(), .loop = loop, .moved = moved, .self = self
    };
    multi->timer = loop_timer_add(loop, on_due, multi);
    CHECK(multi->curl != NULL &&
          curl_multi_setopt(multi->curl, CURLMOPT_SOCKETFUNCTION, on_socket) == CURLM_OK &&
          curl_multi_setopt(multi->curl, CURLMOPT_SOCKETDATA, multi) == CURLM_OK &&
          curl_multi_setopt(multi->curl, CURLMOPT_TIMERFUNCTION, on_timeout) == CURLM_OK &&
          curl_multi_setopt(multi->curl, CURLMOPT_TIMERDATA, multi) == CURLM_OK &&
          curl_multi_setopt(multi->curl, CURLMOPT_MAXCONNECTS, kept_connections) == CURLM_OK);
    return multi;
}

void kube_multi_free(struct kube_multi *multi)
{
    if (multi == NULL)
        return;
    CHECK(curl_multi_cleanup(multi->curl) == CURLM_OK);
    loop_timer_remove(multi->timer);
    memory_free(multi);
}

void kube_multi_add(struct kube_multi *multi, CURL *easy)
{
    CHECK(curl_multi_add_handle(multi->curl, easy) == CURLM_OK);
}

void kube_multi_remove(struct kube_multi *multi, CURL *easy)
{
    CHECK(curl_multi_remove_handle(multi->curl, easy) == CURLM_OK);
}

bool kube_multi_ended(struct kube_multi *multi, CURL **out_easy, CURLcode *out_result)
{
    int left;
    for (CURLMsg *message; (message = curl_multi_info_read(multi->curl, &left)) != NULL;) {
        if (message->msg != CURLMSG_DONE)
            continue;
        *out_easy = message->easy_handle;
        *out_result = message->data.result;
        return true;
    }
    return false;
}
