#include "base/loop.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/memory.h"
#include "unit/base/child.h"

/* A loop with a pipe, whose callbacks write down what happened. */
struct scene {
    struct clock_manual manual;
    struct loop *loop;
    int ends[2];
    char log[64];
    struct loop_watch *watch;
    struct loop_watch *other_watch;
    struct loop_timer *timer;
    struct loop_timer *other_timer;
    short revents;
};

static void note(struct scene *scene, char what)
{
    size_t size = strlen(scene->log);
    assert_true(size + 1 < sizeof(scene->log));
    scene->log[size] = what;
}

static int open_scene(void **state)
{
    struct scene *scene = memory_alloc(sizeof(*scene));
    scene->manual.mono_ms = 1000;
    struct clock clock = clock_manual(&scene->manual);
    scene->loop = loop_new(&clock);
    *state = scene;
    return pipe(scene->ends);
}

static int close_scene(void **state)
{
    struct scene *scene = *state;
    loop_free(scene->loop);
    close(scene->ends[0]);
    close(scene->ends[1]);
    memory_free(scene);
    return 0;
}

static void write_byte(struct scene *scene)
{
    assert_int_equal(write(scene->ends[1], "x", 1), 1);
}

static void on_ready(void *self, short revents)
{
    struct scene *scene = self;
    scene->revents = revents;
    char byte;
    if ((revents & POLLIN) != 0)
        assert_int_equal(read(scene->ends[0], &byte, 1), 1);
    note(scene, 'r');
}

static void on_other_ready(void *self, short revents)
{
    (void)revents;
    note(self, 'o');
}

static void on_due(void *self)
{
    note(self, 't');
}

static void on_other_due(void *self)
{
    note(self, 'u');
}

static void a_readable_descriptor_is_told(void **state)
{
    struct scene *scene = *state;
    loop_watch_add(scene->loop, scene->ends[0], POLLIN, on_ready, scene);
    assert_true(loop_turn(scene->loop, 0));
    assert_string_equal(scene->log, "");
    write_byte(scene);
    assert_true(loop_turn(scene->loop, -1));
    assert_string_equal(scene->log, "r");
    assert_int_equal(scene->revents, POLLIN);
    assert_true(loop_turn(scene->loop, 0));
    assert_string_equal(scene->log, "r");
}

static void a_hang_up_is_told_without_asking(void **state)
{
    struct scene *scene = *state;
    loop_watch_add(scene->loop, scene->ends[0], POLLIN, on_ready, scene);
    close(scene->ends[1]);
    scene->ends[1] = -1;
    assert_true(loop_turn(scene->loop, -1));
    assert_string_equal(scene->log, "r");
    assert_int_equal(scene->revents, POLLHUP);
}

static void events_zero_pauses_a_watch(void **state)
{
    struct scene *scene = *state;
    scene->watch = loop_watch_add(scene->loop, scene->ends[0], 0, on_ready, scene);
    write_byte(scene);
    loop_turn(scene->loop, 0);
    assert_string_equal(scene->log, "");
    loop_watch_set(scene->watch, POLLIN);
    loop_turn(scene->loop, 0);
    assert_string_equal(scene->log, "r");
    write_byte(scene);
    loop_watch_set(scene->watch, 0);
    loop_turn(scene->loop, 0);
    assert_string_equal(scene->log, "r");
    loop_watch_set(scene->watch, POLLOUT); /* the read end is never writable */
    loop_turn(scene->loop, 0);
    assert_string_equal(scene->log, "r");
}

static void remove_both(void *self, short revents)
{
    (void)revents;
    struct scene *scene = self;
    note(scene, 'x');
    loop_watch_remove(TAKE(scene->watch));
    loop_watch_remove(TAKE(scene->other_watch));
    loop_timer_remove(TAKE(scene->timer));
}

static void a_callback_may_remove_itself_and_others(void **state)
{
    struct scene *scene = *state;
    scene->watch = loop_watch_add(scene->loop, scene->ends[0], POLLIN, remove_both, scene);
    scene->other_watch = loop_watch_add(scene->loop, scene->ends[0], POLLIN, remove_both, scene);
    scene->timer = loop_timer_add(scene->loop, on_due, scene);
    loop_timer_set(scene->timer, mono_ms_add(loop_now(scene->loop), 1));
    write_byte(scene);
    loop_turn(scene->loop, -1);
    assert_string_equal(scene->log, "x");
    scene->manual.mono_ms += 10;
    loop_turn(scene->loop, 0);
    assert_string_equal(scene->log, "x");
    loop_watch_remove(NULL);
    loop_timer_remove(NULL);
}

static void what_is_removed_between_turns_is_gone(void **state)
{
    struct scene *scene = *state;
    struct loop_watch *first = loop_watch_add(scene->loop, scene->ends[0], POLLIN, on_ready, scene);
    loop_watch_add(scene->loop, scene->ends[0], POLLIN, on_other_ready, scene);
    struct loop_timer *timer = loop_timer_add(scene->loop, on_due, scene);
    struct loop_timer *other = loop_timer_add(scene->loop, on_other_due, scene);
    loop_timer_set(timer, loop_now(scene->loop));
    loop_timer_set(other, loop_now(scene->loop));
    loop_watch_remove(first);
    loop_timer_remove(timer);
    write_byte(scene);
    loop_turn(scene->loop, -1);
    assert_string_equal(scene->log, "uo");
    loop_free(NULL);
}

static void pause_other(void *self, short revents)
{
    struct scene *scene = self;
    (void)revents;
    note(scene, 'p');
    if (scene->watch != NULL)
        loop_watch_set(scene->watch, 0);
    if (scene->other_watch != NULL)
        loop_watch_set(scene->other_watch, 0);
}

static void a_callback_may_pause_one_that_is_ready(void **state)
{
    struct scene *scene = *state;
    scene->watch = loop_watch_add(scene->loop, scene->ends[0], POLLIN, pause_other, scene);
    scene->other_watch = loop_watch_add(scene->loop, scene->ends[0], POLLIN, pause_other, scene);
    write_byte(scene);
    loop_turn(scene->loop, -1);
    loop_turn(scene->loop, 0);
    assert_string_equal(scene->log, "p");
}

static void add_more(void *self, short revents)
{
    (void)revents;
    struct scene *scene = self;
    note(scene, 'a');
    loop_watch_remove(TAKE(scene->watch));
    for (int i = 0; i < 20; i++)
        loop_watch_add(scene->loop, scene->ends[0], i == 7 ? POLLIN : 0, on_other_ready, scene);
    loop_timer_set(loop_timer_add(scene->loop, on_due, scene), loop_now(scene->loop));
}

static void what_a_callback_adds_is_for_the_next_turn(void **state)
{
    struct scene *scene = *state;
    scene->watch = loop_watch_add(scene->loop, scene->ends[0], POLLIN, add_more, scene);
    write_byte(scene);
    loop_turn(scene->loop, -1);
    assert_string_equal(scene->log, "a");
    loop_turn(scene->loop, -1);
    assert_string_equal(scene->log, "ato");
}

static void timers_fire_once_at_their_time(void **state)
{
    struct scene *scene = *state;
    scene->timer = loop_timer_add(scene->loop, on_due, scene);
    loop_turn(scene->loop, 0);
    assert_string_equal(scene->log, ""); /* not armed */
    loop_timer_set(scene->timer, (mono_ms_t){ 1010 });
    scene->manual.mono_ms = 1009;
    loop_turn(scene->loop, 0);
    assert_string_equal(scene->log, "");
    scene->manual.mono_ms = 1010;
    loop_turn(scene->loop, 0);
    loop_turn(scene->loop, 0);
    assert_string_equal(scene->log, "t");
    loop_timer_set(scene->timer, (mono_ms_t){ 1020 });
    loop_timer_clear(scene->timer);
    scene->manual.mono_ms = 2000;
    loop_turn(scene->loop, 0);
    assert_string_equal(scene->log, "t");
}

static void timers_fire_in_the_order_of_their_times(void **state)
{
    struct scene *scene = *state;
    scene->timer = loop_timer_add(scene->loop, on_due, scene);
    scene->other_timer = loop_timer_add(scene->loop, on_other_due, scene);
    loop_timer_set(scene->timer, (mono_ms_t){ 1001 });
    loop_timer_set(scene->other_timer, (mono_ms_t){ 1002 });
    scene->manual.mono_ms = 1100;
    loop_turn(scene->loop, -1);
    assert_string_equal(scene->log, "tu");
    loop_timer_set(scene->timer, (mono_ms_t){ 1004 });
    loop_timer_set(scene->other_timer, (mono_ms_t){ 1003 });
    loop_turn(scene->loop, -1);
    assert_string_equal(scene->log, "tuut");
}

static void set_again(void *self)
{
    struct scene *scene = self;
    note(scene, 't');
    loop_timer_set(scene->timer, loop_now(scene->loop));
}

static void a_timer_that_sets_itself_does_not_hog_the_turn(void **state)
{
    struct scene *scene = *state;
    scene->timer = loop_timer_add(scene->loop, set_again, scene);
    loop_timer_set(scene->timer, loop_now(scene->loop));
    loop_watch_add(scene->loop, scene->ends[0], POLLIN, on_ready, scene);
    write_byte(scene);
    loop_turn(scene->loop, -1);
    assert_string_equal(scene->log, "tr");
    loop_turn(scene->loop, -1);
    assert_string_equal(scene->log, "trt");
}

static void remove_other_timer(void *self)
{
    struct scene *scene = self;
    note(scene, 'x');
    loop_timer_remove(TAKE(scene->timer));
    loop_timer_remove(TAKE(scene->other_timer));
}

static void a_timer_may_remove_itself_and_a_due_one(void **state)
{
    struct scene *scene = *state;
    scene->timer = loop_timer_add(scene->loop, remove_other_timer, scene);
    scene->other_timer = loop_timer_add(scene->loop, remove_other_timer, scene);
    loop_timer_set(scene->timer, loop_now(scene->loop));
    loop_timer_set(scene->other_timer, loop_now(scene->loop));
    loop_turn(scene->loop, -1);
    loop_turn(scene->loop, 0);
    assert_string_equal(scene->log, "x");
}

static int64_t real_ms(void)
{
    struct clock clock = clock_system();
    return clock_now(&clock).value;
}

static void it_waits_for_the_next_timer(void **state)
{
    struct scene *scene = *state;
    struct clock clock = clock_system();
    AUTO(struct loop *, loop_free_p) loop = loop_new(&clock);
    struct loop_timer *timer = loop_timer_add(loop, on_due, scene);
    int64_t start = real_ms();
    loop_timer_set(timer, (mono_ms_t){ start + 30 });
    while (scene->log[0] == '\0')
        loop_turn(loop, -1);
    assert_true(real_ms() >= start + 30);
    /* A far timer does not lengthen the wait that was asked for. */
    loop_timer_set(timer, (mono_ms_t){ start + INT64_C(1) * 1000 * 1000 * 1000 * 1000 });
    loop_turn(loop, 10);
    assert_string_equal(scene->log, "t");
}

static void *stop_from_thread(void *loop)
{
    loop_stop(loop);
    return NULL;
}

static void a_stop_from_a_thread_wakes_it(void **state)
{
    struct scene *scene = *state;
    pthread_t thread;
    assert_false(loop_stopped(scene->loop));
    assert_int_equal(pthread_create(&thread, NULL, stop_from_thread, scene->loop), 0);
    while (loop_turn(scene->loop, -1))
        continue;
    pthread_join(thread, NULL);
    assert_true(loop_stopped(scene->loop));
}

static void the_stop_descriptor_stays_readable(void **state)
{
    struct scene *scene = *state;
    struct pollfd polled = { .fd = loop_stop_fd(scene->loop), .events = POLLIN };
    assert_int_equal(poll(&polled, 1, 0), 0);
    loop_stop(scene->loop);
    loop_stop(scene->loop);
    for (int i = 0; i < 3; i++) {
        assert_false(loop_turn(scene->loop, 0));
        assert_int_equal(poll(&polled, 1, 0), 1);
        assert_int_equal(polled.revents, POLLIN);
    }
}

static void a_stopped_loop_still_turns_and_waits(void **state)
{
    struct scene *scene = *state;
    loop_watch_add(scene->loop, scene->ends[0], POLLIN, on_ready, scene);
    loop_stop(scene->loop);
    assert_false(loop_turn(scene->loop, -1)); /* tells at once */
    int64_t start = real_ms();
    assert_false(loop_turn(scene->loop, 30));
    assert_true(real_ms() - start >= 29);
    write_byte(scene);
    assert_false(loop_turn(scene->loop, -1));
    assert_string_equal(scene->log, "r");
}

static struct loop *signalled_loop;

static void on_signal(int number)
{
    (void)number;
    loop_stop(signalled_loop);
}

static void *kill_thread(void *target)
{
    pthread_kill(*(pthread_t *)target, SIGUSR1);
    return NULL;
}

static void a_stop_from_a_signal_wakes_it(void **state)
{
    struct scene *scene = *state;
    signalled_loop = scene->loop;
    struct sigaction action = { .sa_handler = on_signal };
    struct sigaction before;
    sigaction(SIGUSR1, &action, &before);
    pthread_t self = pthread_self();
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, kill_thread, &self), 0);
    while (loop_turn(scene->loop, -1))
        continue;
    pthread_join(thread, NULL);
    sigaction(SIGUSR1, &before, NULL);
}

static void stop_from_callback(void *self)
{
    struct scene *scene = self;
    loop_stop(scene->loop);
    note(scene, 's');
}

static void callbacks_of_the_stopping_turn_still_run(void **state)
{
    struct scene *scene = *state;
    scene->timer = loop_timer_add(scene->loop, stop_from_callback, scene);
    loop_timer_set(scene->timer, loop_now(scene->loop));
    loop_watch_add(scene->loop, scene->ends[0], POLLIN, on_ready, scene);
    write_byte(scene);
    assert_false(loop_turn(scene->loop, -1));
    assert_string_equal(scene->log, "sr");
}

static void turn_again(void *self)
{
    struct scene *scene = self;
    loop_turn(scene->loop, 0);
}

static void nest(void *self)
{
    struct scene *scene = self;
    loop_timer_set(loop_timer_add(scene->loop, turn_again, scene), loop_now(scene->loop));
    loop_turn(scene->loop, 0);
}

static void a_turn_within_a_turn_aborts(void **state)
{
    assert_true(child_aborted(child_run(nest, *state), "in_turn"));
}

#define SCENE_TEST(name) cmocka_unit_test_setup_teardown(name, open_scene, close_scene)

int main(void)
{
    const struct CMUnitTest tests[] = {
        SCENE_TEST(a_readable_descriptor_is_told),
        SCENE_TEST(a_hang_up_is_told_without_asking),
        SCENE_TEST(events_zero_pauses_a_watch),
        SCENE_TEST(a_callback_may_remove_itself_and_others),
        SCENE_TEST(what_is_removed_between_turns_is_gone),
        SCENE_TEST(a_callback_may_pause_one_that_is_ready),
        SCENE_TEST(what_a_callback_adds_is_for_the_next_turn),
        SCENE_TEST(timers_fire_once_at_their_time),
        SCENE_TEST(timers_fire_in_the_order_of_their_times),
        SCENE_TEST(a_timer_that_sets_itself_does_not_hog_the_turn),
        SCENE_TEST(a_timer_may_remove_itself_and_a_due_one),
        SCENE_TEST(it_waits_for_the_next_timer),
        SCENE_TEST(a_stop_from_a_thread_wakes_it),
        SCENE_TEST(the_stop_descriptor_stays_readable),
        SCENE_TEST(a_stopped_loop_still_turns_and_waits),
        SCENE_TEST(a_stop_from_a_signal_wakes_it),
        SCENE_TEST(callbacks_of_the_stopping_turn_still_run),
        SCENE_TEST(a_turn_within_a_turn_aborts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
