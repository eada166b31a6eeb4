#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <poll.h>

#include "kafka/ticket_queue.h"

static bool readable(const struct ticket_queue *queue)
{
    struct pollfd wait = { .fd = queue->wake_fd, .events = POLLIN };
    return poll(&wait, 1, 0) == 1;
}

static void expect_pop(struct ticket_queue *queue, uint64_t ticket)
{
    ticket_t popped = { 0 };
    assert_true(ticket_queue_pop(queue, &popped));
    assert_int_equal(popped.value, ticket);
}

static void tickets_come_out_as_they_went_in(void **state)
{
    (void)state;
    struct ticket_queue queue = ticket_queue_init(4);
    static const uint64_t tickets[] = { 7, 7, 7, 8, 7, 9 };
    for (size_t i = 0; i < 6; i++)
        assert_true(ticket_queue_push(&queue, (ticket_t){ tickets[i] }));
    for (size_t i = 0; i < 6; i++)
        expect_pop(&queue, tickets[i]);
    ticket_t none = { 5 };
    assert_false(ticket_queue_pop(&queue, &none));
    assert_int_equal(none.value, 5);
    ticket_queue_done(&queue);
}

static void runs_count_against_the_limit_not_tickets(void **state)
{
    (void)state;
    struct ticket_queue queue = ticket_queue_init(2);
    for (int i = 0; i < 1000; i++)
        assert_true(ticket_queue_push(&queue, (ticket_t){ 1 }));
    assert_true(ticket_queue_push(&queue, (ticket_t){ 2 }));
    assert_false(ticket_queue_push(&queue, (ticket_t){ 3 }));
    assert_true(ticket_queue_push(&queue, (ticket_t){ 2 }));
    for (int i = 0; i < 1000; i++)
        expect_pop(&queue, 1);
    assert_true(ticket_queue_push(&queue, (ticket_t){ 3 })); /* around the ring's end */
    expect_pop(&queue, 2);
    expect_pop(&queue, 2);
    expect_pop(&queue, 3);
    ticket_queue_done(&queue);
}

static void the_descriptor_tells_that_something_waits(void **state)
{
    (void)state;
    struct ticket_queue queue = ticket_queue_init(4);
    ticket_t ticket;
    assert_false(readable(&queue));
    assert_true(ticket_queue_push(&queue, (ticket_t){ 1 }));
    assert_true(readable(&queue));
    expect_pop(&queue, 1);
    assert_false(ticket_queue_pop(&queue, &ticket));
    assert_false(readable(&queue));
    ticket_queue_wake(&queue);
    assert_true(readable(&queue));
    assert_false(ticket_queue_pop(&queue, &ticket));
    assert_false(readable(&queue));
    ticket_queue_done(&queue);
}

static void clearing_forgets(void **state)
{
    (void)state;
    struct ticket_queue queue = ticket_queue_init(4);
    assert_true(ticket_queue_push(&queue, (ticket_t){ 1 }));
    assert_true(ticket_queue_push(&queue, (ticket_t){ 2 }));
    ticket_queue_clear(&queue);
    assert_true(ticket_queue_push(&queue, (ticket_t){ 2 }));
    expect_pop(&queue, 2);
    ticket_t ticket;
    assert_false(ticket_queue_pop(&queue, &ticket));
    ticket_queue_done(&queue);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tickets_come_out_as_they_went_in),
        cmocka_unit_test(runs_count_against_the_limit_not_tickets),
        cmocka_unit_test(the_descriptor_tells_that_something_waits),
        cmocka_unit_test(clearing_forgets),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
