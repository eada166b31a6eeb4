#include "base/loop.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <stdatomic.h>
#include <stdint.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/memory.h"

struct loop_watch {
    struct loop *loop;
    struct loop_watch *next;
    loop_ready_fn *ready;
    void *self;
    int fd;
    short events;
    short revents; /* of the turn that is running */
    bool removed;  /* freed when no callback runs */
};

struct loop_timer {
    struct loop *loop;
    struct loop_timer *next;
    loop_due_fn *due_fn;
    void *self;
    mono_ms_t due;
    uint64_t set_in_turn;
    bool armed;
    bool removed;
};

struct loop {
    struct clock clock;
    struct loop_watch *watches; /* newest first */
    struct loop_timer *timers;  /* newest first */
    struct pollfd *polled;
    size_t watch_count;
    size_t polled_capacity;
    uint64_t turn;
    bool in_turn;
    bool must_sweep;
    bool stop_told; /* a turn returned false */
    int stop_fd;
    atomic_bool stopped;
};

struct loop *loop_new(const struct clock *clock)
{
    struct loop *loop = memory_alloc(sizeof(*loop));
    loop->clock = *clock;
    loop->stop_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    CHECK(loop->stop_fd >= 0);
    atomic_init(&loop->stopped, false);
    return loop;
}

/* Frees what was removed; `all` frees the rest as well. */
static void sweep(struct loop *loop, bool all)
{
    for (struct loop_watch **link = &loop->watches; *link != NULL;) {
        struct loop_watch *watch = *link;
        if (!watch->removed && !all) {
            link = &watch->next;
            continue;
        }
        *link = watch->next;
        memory_free(watch);
        loop->watch_count--;
    }
    for (struct loop_timer **link = &loop->timers; *link != NULL;) {
        struct loop_timer *timer = *link;
        if (!timer->removed && !all) {
            link = &timer->next;
            continue;
        }
        *link = timer->next;
        memory_free(timer);
    }
    loop->must_sweep = false;
}

void loop_free(struct loop *loop)
{
    if (loop == NULL)
        return;
    CHECK(!loop->in_turn);
    sweep(loop, true);
    memory_free(loop->polled);
    close(loop->stop_fd);
    memory_free(loop);
}

static void note_removed(struct loop *loop)
{
    loop->must_sweep = true;
    if (!loop->in_turn)
        sweep(loop, false);
}

struct loop_watch *loop_watch_add(struct loop *loop, int fd, short events, loop_ready_fn *ready,
                                  void *self)
{
    struct loop_watch *watch = memory_alloc(sizeof(*watch));
    *watch = (struct loop_watch){ .loop = loop,
                                  .next = loop->watches,
                                  .ready = ready,
                                  .self = self,
                                  .fd = fd,
                                  .events = events };
    loop->watches = watch;
    loop->watch_count++;
    return watch;
}

void loop_watch_set(struct loop_watch *watch, short events)
{
    watch->events = events;
}

void loop_watch_remove(struct loop_watch *watch)
{
    if (watch == NULL)
        return;
    watch->removed = true;
    note_removed(watch->loop);
}

struct loop_timer *loop_timer_add(struct loop *loop, loop_due_fn *due, void *self)
{
    struct loop_timer *timer = memory_alloc(sizeof(*timer));
    *timer = (struct loop_timer){ .loop = loop, .next = loop->timers, .due_fn = due, .self = self };
    loop->timers = timer;
    return timer;
}

void loop_timer_set(struct loop_timer *timer, mono_ms_t due)
{
    timer->due = due;
    timer->armed = true;
    timer->set_in_turn = timer->loop->in_turn ? timer->loop->turn : 0;
}

void loop_timer_clear(struct loop_timer *timer)
{
    timer->armed = false;
}

void loop_timer_remove(struct loop_timer *timer)
{
    if (timer == NULL)
        return;
    timer->armed = false;
    timer->removed = true;
    note_removed(timer->loop);
}

static int wait_ms(const struct loop *loop, int max_wait_ms)
{
    int64_t wait = max_wait_ms < 0 ? INT_MAX : max_wait_ms;
    bool bounded = max_wait_ms >= 0;
    mono_ms_t now = loop_now(loop);
    for (const struct loop_timer *timer = loop->timers; timer != NULL; timer = timer->next) {
        if (!timer->armed)
            continue;
        int64_t left = mono_ms_since(timer->due, now);
        bounded = true;
        wait = left < wait ? left : wait;
    }
    if (!bounded)
        return -1;
    return wait > 0 ? (int)wait : 0;
}

/* Once a turn has told of the stop, its descriptor is left out: it stays readable, and a drain must
 * not spin. */
static nfds_t fill_polled(struct loop *loop)
{
    if (loop->polled_capacity < loop->watch_count + 1) {
        loop->polled_capacity = 2 * (loop->watch_count + 1);
        loop->polled = memory_resize(loop->polled, loop->polled_capacity * sizeof(*loop->polled));
    }
    nfds_t count = 0;
    for (struct loop_watch *watch = loop->watches; watch != NULL; watch = watch->next)
        if (watch->events != 0)
            loop->polled[count++] = (struct pollfd){ .fd = watch->fd, .events = watch->events };
    if (!loop->stop_told)
        loop->polled[count++] = (struct pollfd){ .fd = loop->stop_fd, .events = POLLIN };
    return count;
}

static void poll_watches(struct loop *loop, int timeout_ms)
{
    nfds_t count = fill_polled(loop);
    int ready = poll(loop->polled, count, timeout_ms);
    /* The kernel may be short of memory for a moment. */
    CHECK(ready >= 0 || errno == EINTR || errno == EAGAIN || errno == ENOMEM);
    nfds_t at = 0;
    for (struct loop_watch *watch = loop->watches; watch != NULL; watch = watch->next) {
        short revents = watch->events != 0 ? loop->polled[at++].revents : 0;
        watch->revents = ready > 0 ? revents : 0;
    }
}

static void call_watches(struct loop *loop)
{
    for (struct loop_watch *watch = loop->watches; watch != NULL; watch = watch->next) {
        /* An earlier callback may have narrowed what this one waits for. */
        short wanted = (short)(watch->events | POLLERR | POLLHUP | POLLNVAL);
        short revents = (short)(watch->revents & wanted);
        watch->revents = 0;
        if (revents != 0 && watch->events != 0 && !watch->removed)
            watch->ready(watch->self, revents);
    }
}

/* The earliest due one; those that a callback of this turn set wait for the next turn. */
static struct loop_timer *next_due(const struct loop *loop, mono_ms_t now)
{
    struct loop_timer *earliest = NULL;
    for (struct loop_timer *timer = loop->timers; timer != NULL; timer = timer->next) {
        if (!timer->armed || timer->set_in_turn == loop->turn || mono_ms_before(now, timer->due))
            continue;
        if (earliest == NULL || mono_ms_before(timer->due, earliest->due))
            earliest = timer;
    }
    return earliest;
}

static void call_timers(struct loop *loop)
{
    mono_ms_t now = loop_now(loop);
    for (;;) {
        struct loop_timer *timer = next_due(loop, now);
        if (timer == NULL)
            return;
        timer->armed = false;
        timer->due_fn(timer->self);
    }
}

bool loop_turn(struct loop *loop, int max_wait_ms)
{
    CHECK(!loop->in_turn);
    poll_watches(loop, wait_ms(loop, max_wait_ms));
    loop->turn++;
    loop->in_turn = true;
    call_timers(loop);
    call_watches(loop);
    loop->in_turn = false;
    if (loop->must_sweep)
        sweep(loop, false);
    loop->stop_told = loop_stopped(loop);
    return !loop->stop_told;
}

mono_ms_t loop_now(const struct loop *loop)
{
    return clock_now(&loop->clock);
}

void loop_stop(struct loop *loop)
{
    int saved_errno = errno;
    const uint64_t one = 1;
    atomic_store_explicit(&loop->stopped, true, memory_order_release);
    /* It can only fail when the descriptor is readable already. */
    ssize_t written = write(loop->stop_fd, &one, sizeof(one));
    (void)written;
    errno = saved_errno;
}

bool loop_stopped(const struct loop *loop)
{
    return atomic_load_explicit(&loop->stopped, memory_order_acquire);
}

int loop_stop_fd(const struct loop *loop)
{
    return loop->stop_fd;
}
