#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "connector/outbox.h"
#include "unit/connector/scripted_delivery.h"

enum { FULL_LIMIT_MS = 5000 };

static const ticket_t TICKET = { 4711 };

struct fixture {
    struct scripted_delivery delivery;
    struct outbox outbox;
    mono_ms_t now;
    struct error err;
};

static int setup(void **state)
{
    struct fixture *fixture = memory_alloc(sizeof(*fixture));
    scripted_delivery_init(&fixture->delivery);
    outbox_init(&fixture->outbox);
    fixture->now = (mono_ms_t){ 100000 };
    *state = fixture;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *fixture = *state;
    outbox_done(&fixture->outbox);
    scripted_delivery_done(&fixture->delivery);
    memory_free(fixture);
    return 0;
}

/* As a handler does: the bytes are the arena's. */
static void add(struct fixture *fixture, const char *values)
{
    for (; *values != '\0'; values++) {
        struct record *record = record_list_add(&fixture->outbox.list);
        record->value = arena_copy(&fixture->outbox.arena, (struct slice){ values, 1 });
    }
}

static enum outbox_sent send_after(struct fixture *fixture, int64_t wait_ms)
{
    fixture->now = mono_ms_add(fixture->now, wait_ms);
    return outbox_send(&fixture->outbox, &fixture->delivery.delivery, TICKET, fixture->now,
                       &fixture->err);
}

/* The values of all that was taken, in order. */
static void expect_taken(struct fixture *fixture, const char *values)
{
    assert_int_equal(scripted_delivery_count(&fixture->delivery), strlen(values));
    for (uint32_t i = 0; values[i] != '\0'; i++) {
        const struct scripted_record record = scripted_delivery_record(&fixture->delivery, i);
        assert_int_equal(record.value[0], values[i]);
        assert_true(record.ticket.value == TICKET.value);
    }
}

static void settle(struct fixture *fixture, uint32_t at)
{
    struct delivery_event event;
    scripted_delivery_ack(&fixture->delivery, at);
    assert_true(delivery_next(&fixture->delivery.delivery, &event));
}

static void all_of_it_is_sent_in_order(void **state)
{
    struct fixture *fixture = *state;
    add(fixture, "abc");
    assert_int_equal(send_after(fixture, 0), OUTBOX_EMPTY);
    expect_taken(fixture, "abc");
    assert_int_equal(fixture->outbox.list.count, 0);
    add(fixture, "d"); /* the next change's */
    assert_int_equal(send_after(fixture, 0), OUTBOX_EMPTY);
    expect_taken(fixture, "abcd");
}

static void nothing_is_sent_of_nothing(void **state)
{
    struct fixture *fixture = *state;
    scripted_delivery_room(&fixture->delivery, 0);
    assert_int_equal(send_after(fixture, 0), OUTBOX_EMPTY);
    assert_int_equal(scripted_delivery_full_count(&fixture->delivery), 0);
}

static void the_rest_waits_for_room(void **state)
{
    struct fixture *fixture = *state;
    scripted_delivery_room(&fixture->delivery, 2);
    add(fixture, "abcd");
    assert_int_equal(send_after(fixture, 0), OUTBOX_FULL);
    expect_taken(fixture, "ab");
    assert_int_equal(fixture->outbox.list.sent, 2);
    assert_int_equal(send_after(fixture, 0), OUTBOX_FULL);
    scripted_delivery_room(&fixture->delivery, 1);
    assert_int_equal(send_after(fixture, 0), OUTBOX_FULL);
    expect_taken(fixture, "abc");
    scripted_delivery_room(&fixture->delivery, 1);
    assert_int_equal(send_after(fixture, 0), OUTBOX_EMPTY);
    expect_taken(fixture, "abcd");
}

/* What the handler marks as sent (it was, before a connection was lost) is left out. */
static void what_was_sent_before_is_left_out(void **state)
{
    struct fixture *fixture = *state;
    add(fixture, "abc");
    fixture->outbox.list.sent = 2;
    assert_int_equal(send_after(fixture, 0), OUTBOX_EMPTY);
    expect_taken(fixture, "c");
    add(fixture, "d");
    fixture->outbox.list.sent = 1;
    assert_int_equal(send_after(fixture, 0), OUTBOX_EMPTY);
    expect_taken(fixture, "c");
    assert_int_equal(fixture->outbox.list.count, 0);
}

/* While something is in flight, room will come, however long it takes. */
static void a_producer_that_works_is_waited_for(void **state)
{
    struct fixture *fixture = *state;
    scripted_delivery_room(&fixture->delivery, 1);
    add(fixture, "ab");
    for (int i = 0; i < 3; i++)
        assert_int_equal(send_after(fixture, 3600 * 1000), OUTBOX_FULL);
    /* Its time begins when it is empty, not before. */
    settle(fixture, 0);
    assert_int_equal(send_after(fixture, FULL_LIMIT_MS - 1), OUTBOX_FULL);
    assert_int_equal(send_after(fixture, 1), OUTBOX_FAILED);
}

static void a_record_that_never_fits_is_said(void **state)
{
    struct fixture *fixture = *state;
    scripted_delivery_room(&fixture->delivery, 0);
    add(fixture, "a");
    assert_int_equal(send_after(fixture, 0), OUTBOX_FULL);
    assert_int_equal(send_after(fixture, FULL_LIMIT_MS - 1), OUTBOX_FULL);
    assert_int_equal(fixture->err.class, ERROR_NONE);
    assert_int_equal(send_after(fixture, 1), OUTBOX_FAILED);
    assert_int_equal(fixture->err.class, ERROR_HALT);
    assert_string_equal(fixture->err.code, "record_never_fits");
    assert_non_null(strstr(fixture->err.text, "the empty producer queue"));
    assert_non_null(strstr(fixture->err.advice, "kafka.maxInFlightBytes"));
}

/* Each record has its own time. */
static void a_record_that_is_taken_ends_the_wait(void **state)
{
    struct fixture *fixture = *state;
    scripted_delivery_room(&fixture->delivery, 0);
    add(fixture, "ab");
    assert_int_equal(send_after(fixture, 0), OUTBOX_FULL);
    scripted_delivery_room(&fixture->delivery, 1);
    assert_int_equal(send_after(fixture, FULL_LIMIT_MS - 1), OUTBOX_FULL);
    settle(fixture, 0);
    assert_int_equal(send_after(fixture, FULL_LIMIT_MS - 1), OUTBOX_FULL);
    assert_int_equal(send_after(fixture, 1), OUTBOX_FAILED);
}

/* A stream that ended while the producer was full says nothing of the next one. */
static void what_is_cleared_is_forgotten(void **state)
{
    struct fixture *fixture = *state;
    scripted_delivery_room(&fixture->delivery, 0);
    add(fixture, "ab");
    assert_int_equal(send_after(fixture, 0), OUTBOX_FULL);
    outbox_clear(&fixture->outbox);
    assert_int_equal(fixture->outbox.list.count, 0);
    assert_int_equal(fixture->outbox.list.sent, 0);
    add(fixture, "c");
    assert_int_equal(send_after(fixture, 3600 * 1000), OUTBOX_FULL);
    scripted_delivery_room(&fixture->delivery, 1);
    assert_int_equal(send_after(fixture, 0), OUTBOX_EMPTY);
    expect_taken(fixture, "c");
}

static void a_record_that_cannot_be_sent_fails(void **state)
{
    struct fixture *fixture = *state;
    scripted_delivery_fails(&fixture->delivery, true);
    add(fixture, "a");
    assert_int_equal(send_after(fixture, 0), OUTBOX_FAILED);
    assert_string_equal(fixture->err.code, "MSG_SIZE_TOO_LARGE");
    assert_int_equal(fixture->outbox.list.sent, 0);
}

/* A giant row's memory is given back. */
static void little_is_kept_after_a_giant_row(void **state)
{
    enum { GIANT_BYTES = 64 * 1024 * 1024, LITTLE_BYTES = 2 * 1024 * 1024 };
    struct fixture *fixture = *state;
    add(fixture, "a");
    (void)arena_alloc(&fixture->outbox.arena, GIANT_BYTES);
    assert_true(arena_footprint(&fixture->outbox.arena) >= GIANT_BYTES);
    assert_int_equal(send_after(fixture, 0), OUTBOX_EMPTY);
    assert_true(arena_footprint(&fixture->outbox.arena) <= LITTLE_BYTES);
}

#define OUTBOX_TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        OUTBOX_TEST(all_of_it_is_sent_in_order),
        OUTBOX_TEST(nothing_is_sent_of_nothing),
        OUTBOX_TEST(the_rest_waits_for_room),
        OUTBOX_TEST(what_was_sent_before_is_left_out),
        OUTBOX_TEST(a_producer_that_works_is_waited_for),
        OUTBOX_TEST(a_record_that_never_fits_is_said),
        OUTBOX_TEST(a_record_that_is_taken_ends_the_wait),
        OUTBOX_TEST(what_is_cleared_is_forgotten),
        OUTBOX_TEST(a_record_that_cannot_be_sent_fails),
        OUTBOX_TEST(little_is_kept_after_a_giant_row),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
