#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "progress/ack_tracker.h"

static lsn_t lsn(uint64_t value)
{
    return (lsn_t){ value };
}

static uint64_t confirmed(const struct ack_tracker *tracker)
{
    return ack_tracker_confirmed(tracker).value;
}

/* A closed transaction with `records` in flight. */
static ticket_t send_transaction(struct ack_tracker *tracker, uint32_t records, uint64_t end)
{
    ticket_t ticket = ack_tracker_begin(tracker);
    ack_tracker_add(tracker, ticket, records);
    assert_int_equal(ack_tracker_close(tracker, ticket, lsn(end)), records == 0);
    return ticket;
}

static void test_nothing_is_confirmed_at_first(void **state)
{
    (void)state;
    AUTO(struct ack_tracker *, ack_tracker_free_p) tracker = ack_tracker_new(4);
    assert_int_equal(confirmed(tracker), 0);
    assert_false(ack_tracker_open(tracker));
    assert_false(ack_tracker_full(tracker));
    assert_int_equal(ack_tracker_in_flight(tracker), 0);
    assert_int_equal(ack_tracker_entries(tracker), 0);
    assert_int_equal(ack_tracker_generation(tracker), 1);
    ack_tracker_free(NULL);
}

static void test_confirmed_when_closed_and_done(void **state)
{
    (void)state;
    AUTO(struct ack_tracker *, ack_tracker_free_p) tracker = ack_tracker_new(4);
    ticket_t ticket = ack_tracker_begin(tracker);
    assert_true(ack_tracker_open(tracker));
    ack_tracker_add(tracker, ticket, 1);
    ack_tracker_add(tracker, ticket, 2);
    assert_int_equal(ack_tracker_in_flight(tracker), 3);
    assert_false(ack_tracker_done(tracker, ticket));
    assert_false(ack_tracker_close(tracker, ticket, lsn(100)));
    assert_false(ack_tracker_open(tracker));
    assert_false(ack_tracker_done(tracker, ticket));
    assert_int_equal(confirmed(tracker), 0);
    assert_int_equal(ack_tracker_entries(tracker), 1);
    assert_true(ack_tracker_done(tracker, ticket));
    assert_int_equal(confirmed(tracker), 100);
    assert_int_equal(ack_tracker_in_flight(tracker), 0);
    assert_int_equal(ack_tracker_entries(tracker), 0);
}

static void test_done_before_the_commit_arrives(void **state)
{
    (void)state;
    AUTO(struct ack_tracker *, ack_tracker_free_p) tracker = ack_tracker_new(4);
    ticket_t ticket = ack_tracker_begin(tracker);
    ack_tracker_add(tracker, ticket, 1);
    assert_false(ack_tracker_done(tracker, ticket));
    assert_int_equal(confirmed(tracker), 0);
    assert_int_equal(ack_tracker_entries(tracker), 1);
    ack_tracker_add(tracker, ticket, 1);
    assert_false(ack_tracker_done(tracker, ticket));
    assert_true(ack_tracker_close(tracker, ticket, lsn(100)));
    assert_int_equal(confirmed(tracker), 100);
}

static void test_a_later_transaction_waits_for_the_earlier(void **state)
{
    (void)state;
    AUTO(struct ack_tracker *, ack_tracker_free_p) tracker = ack_tracker_new(8);
    ticket_t first = send_transaction(tracker, 2, 100);
    ticket_t second = send_transaction(tracker, 1, 200);
    ticket_t third = send_transaction(tracker, 1, 300);
    assert_true(ack_tracker_done(tracker, third));
    assert_true(ack_tracker_done(tracker, second));
    assert_false(ack_tracker_done(tracker, first));
    assert_int_equal(confirmed(tracker), 0);
    assert_int_equal(ack_tracker_entries(tracker), 3);
    assert_true(ack_tracker_done(tracker, first));
    assert_int_equal(confirmed(tracker), 300);
    assert_int_equal(ack_tracker_entries(tracker), 0);
}

static void test_an_open_transaction_holds_the_line(void **state)
{
    (void)state;
    AUTO(struct ack_tracker *, ack_tracker_free_p) tracker = ack_tracker_new(8);
    ticket_t first = send_transaction(tracker, 1, 100);
    ticket_t open = ack_tracker_begin(tracker);
    assert_true(ack_tracker_done(tracker, first));
    assert_int_equal(confirmed(tracker), 100);
    assert_int_equal(ack_tracker_entries(tracker), 1);
    assert_true(ack_tracker_close(tracker, open, lsn(200)));
    assert_int_equal(confirmed(tracker), 200);
}

static void test_empty_transactions(void **state)
{
    (void)state;
    AUTO(struct ack_tracker *, ack_tracker_free_p) tracker = ack_tracker_new(8);
    (void)send_transaction(tracker, 0, 100);
    assert_int_equal(confirmed(tracker), 100);
    ticket_t waiting = send_transaction(tracker, 1, 200);
    (void)send_transaction(tracker, 0, 300);
    assert_int_equal(confirmed(tracker), 100);
    assert_true(ack_tracker_done(tracker, waiting));
    assert_int_equal(confirmed(tracker), 300);
}

static void test_keepalive_with_nothing_in_flight_is_confirmed(void **state)
{
    (void)state;
    AUTO(struct ack_tracker *, ack_tracker_free_p) tracker = ack_tracker_new(8);
    ack_tracker_idle(tracker, lsn(50));
    assert_int_equal(confirmed(tracker), 50);
    ack_tracker_idle(tracker, lsn(40));
    ack_tracker_idle(tracker, LSN_NONE);
    assert_int_equal(confirmed(tracker), 50);
    assert_int_equal(ack_tracker_entries(tracker), 0);
}

static void test_keepalive_in_a_transaction_is_ignored(void **state)
{
    (void)state;
    AUTO(struct ack_tracker *, ack_tracker_free_p) tracker = ack_tracker_new(8);
    ticket_t ticket = ack_tracker_begin(tracker);
    ack_tracker_idle(tracker, lsn(500));
    assert_int_equal(confirmed(tracker), 0);
    assert_true(ack_tracker_close(tracker, ticket, lsn(100)));
    assert_int_equal(confirmed(tracker), 100);
}

static void test_keepalives_behind_records_in_flight_take_one_entry(void **state)
{
    (void)state;
    AUTO(struct ack_tracker *, ack_tracker_free_p) tracker = ack_tracker_new(8);
    ticket_t first = send_transaction(tracker, 1, 100);
    for (uint64_t end = 101; end <= 1000; end++)
        ack_tracker_idle(tracker, lsn(end));
    assert_int_equal(confirmed(tracker), 0);
    assert_int_equal(ack_tracker_entries(tracker), 2);
    ticket_t second = send_transaction(tracker, 1, 1100);
    ack_tracker_idle(tracker, lsn(1200));
    assert_int_equal(ack_tracker_entries(tracker), 4);
    assert_true(ack_tracker_done(tracker, first));
    assert_int_equal(confirmed(tracker), 1000);
    assert_true(ack_tracker_done(tracker, second));
    assert_int_equal(confirmed(tracker), 1200);
}

static void test_keepalive_raises_a_tail_that_is_done(void **state)
{
    (void)state;
    AUTO(struct ack_tracker *, ack_tracker_free_p) tracker = ack_tracker_new(2);
    ticket_t first = send_transaction(tracker, 1, 100);
    ticket_t second = send_transaction(tracker, 1, 200);
    assert_true(ack_tracker_done(tracker, second));
    assert_true(ack_tracker_full(tracker));
    ack_tracker_idle(tracker, lsn(250));
    ack_tracker_idle(tracker, lsn(220));
    assert_int_equal(ack_tracker_entries(tracker), 2);
    assert_int_equal(confirmed(tracker), 0);
    assert_true(ack_tracker_done(tracker, first));
    assert_int_equal(confirmed(tracker), 250);
}

static void test_keepalive_is_left_out_when_full(void **state)
{
    (void)state;
    AUTO(struct ack_tracker *, ack_tracker_free_p) tracker = ack_tracker_new(1);
    ticket_t ticket = send_transaction(tracker, 1, 100);
    ack_tracker_idle(tracker, lsn(150));
    assert_int_equal(ack_tracker_entries(tracker), 1);
    assert_true(ack_tracker_done(tracker, ticket));
    assert_int_equal(confirmed(tracker), 100);
    ack_tracker_idle(tracker, lsn(150));
    assert_int_equal(confirmed(tracker), 150);
}

static void test_an_end_below_an_earlier_one_moves_nothing_back(void **state)
{
    (void)state;
    AUTO(struct ack_tracker *, ack_tracker_free_p) tracker = ack_tracker_new(8);
    ack_tracker_idle(tracker, lsn(200));
    ticket_t again = send_transaction(tracker, 1, 150);
    assert_int_equal(confirmed(tracker), 200);
    assert_true(ack_tracker_done(tracker, again));
    assert_int_equal(confirmed(tracker), 200);
    (void)send_transaction(tracker, 0, 210);
    assert_int_equal(confirmed(tracker), 210);
}

static void test_the_ring_grows_to_its_limit(void **state)
{
    (void)state;
    enum { LIMIT = 1000, START = 37 };
    AUTO(struct ack_tracker *, ack_tracker_free_p) tracker = ack_tracker_new(LIMIT);
    ticket_t tickets[LIMIT];
    /* The head stands in the middle of the array when it first grows. */
    for (uint64_t i = 1; i <= START; i++)
        (void)send_transaction(tracker, 0, i);
    for (uint32_t i = 0; i < LIMIT; i++) {
        assert_false(ack_tracker_full(tracker));
        tickets[i] = send_transaction(tracker, 1 + i % 3, 100 + i);
    }
    assert_true(ack_tracker_full(tracker));
    for (uint32_t i = LIMIT; i > 1; i--)
        for (uint32_t n = 1 + (i - 1) % 3; n > 0; n--)
            assert_int_equal(ack_tracker_done(tracker, tickets[i - 1]), n == 1);
    assert_int_equal(confirmed(tracker), START);
    assert_int_equal(ack_tracker_entries(tracker), LIMIT);
    assert_true(ack_tracker_done(tracker, tickets[0]));
    assert_int_equal(confirmed(tracker), 100 + LIMIT - 1);
    assert_int_equal(ack_tracker_entries(tracker), 0);
}

static void test_the_end_of_a_tickets_transaction(void **state)
{
    (void)state;
    AUTO(struct ack_tracker *, ack_tracker_free_p) tracker = ack_tracker_new(8);
    ticket_t first = send_transaction(tracker, 1, 100);
    ticket_t second = send_transaction(tracker, 1, 200);
    ticket_t open = ack_tracker_begin(tracker);
    ticket_t group = ack_tracker_begin_group(tracker, 7);
    assert_int_equal(ack_tracker_end(tracker, first).value, 100);
    assert_int_equal(ack_tracker_end(tracker, second).value, 200);
    assert_true(lsn_is_none(ack_tracker_end(tracker, open)));
    assert_true(lsn_is_none(ack_tracker_end(tracker, group)));
    (void)ack_tracker_done(tracker, first);
    assert_true(lsn_is_none(ack_tracker_end(tracker, first)));
    assert_int_equal(ack_tracker_end(tracker, second).value, 200);
    ack_tracker_restart(tracker);
    assert_true(lsn_is_none(ack_tracker_end(tracker, second)));
}

static void test_groups_move_no_lsn(void **state)
{
    (void)state;
    AUTO(struct ack_tracker *, ack_tracker_free_p) tracker = ack_tracker_new(1);
    ticket_t one = ack_tracker_begin_group(tracker, 11);
    ticket_t two = ack_tracker_begin_group(tracker, 22);
    ack_tracker_add(tracker, one, 2);
    ack_tracker_add(tracker, two, 1);
    assert_int_equal(ack_tracker_in_flight(tracker), 3);
    assert_int_equal(ack_tracker_entries(tracker), 0);
    assert_false(ack_tracker_open(tracker));
    assert_int_equal(ack_tracker_chunk(tracker, one), 11);
    assert_int_equal(ack_tracker_chunk(tracker, two), 22);

    assert_false(ack_tracker_done(tracker, one));
    assert_false(ack_tracker_close(tracker, one, LSN_NONE));
    assert_false(ack_tracker_done(tracker, two));
    ack_tracker_idle(tracker, lsn(70));
    assert_int_equal(confirmed(tracker), 70);
    assert_true(ack_tracker_done(tracker, one));
    assert_int_equal(ack_tracker_chunk(tracker, one), 11);
    assert_true(ack_tracker_close(tracker, two, LSN_NONE));
    assert_int_equal(ack_tracker_chunk(tracker, two), 22);
    assert_int_equal(confirmed(tracker), 70);
    assert_int_equal(ack_tracker_in_flight(tracker), 0);
}

static void test_group_slots_are_used_again(void **state)
{
    (void)state;
    enum { OPEN = 20, ROUNDS = 50 };
    AUTO(struct ack_tracker *, ack_tracker_free_p) tracker = ack_tracker_new(1);
    uint64_t highest = 0;
    for (uint32_t round = 0; round < ROUNDS; round++) {
        ticket_t tickets[OPEN];
        for (uint32_t i = 0; i < OPEN; i++) {
            tickets[i] = ack_tracker_begin_group(tracker, round * OPEN + i);
            ack_tracker_add(tracker, tickets[i], 1);
            uint64_t number = tickets[i].value & UINT32_MAX;
            highest = number > highest ? number : highest;
        }
        for (uint32_t i = 0; i < OPEN; i++) {
            assert_int_equal(ack_tracker_chunk(tracker, tickets[i]), round * OPEN + i);
            assert_false(ack_tracker_close(tracker, tickets[i], LSN_NONE));
            assert_true(ack_tracker_done(tracker, tickets[i]));
        }
    }
    assert_true(highest < 32);
}

static void test_restart_frees_the_groups(void **state)
{
    (void)state;
    AUTO(struct ack_tracker *, ack_tracker_free_p) tracker = ack_tracker_new(1);
    for (uint32_t i = 0; i < 100; i++) {
        ticket_t one = ack_tracker_begin_group(tracker, i);
        ticket_t two = ack_tracker_begin_group(tracker, i);
        ack_tracker_add(tracker, one, 1);
        (void)ack_tracker_close(tracker, one, LSN_NONE);
        assert_true((one.value & UINT32_MAX) < 8);
        assert_true((two.value & UINT32_MAX) < 8);
        ack_tracker_restart(tracker);
    }
}

static void test_restart_forgets_everything(void **state)
{
    (void)state;
    AUTO(struct ack_tracker *, ack_tracker_free_p) tracker = ack_tracker_new(4);
    (void)send_transaction(tracker, 0, 100);
    assert_int_equal(confirmed(tracker), 100);
    ticket_t late = send_transaction(tracker, 2, 200);
    ack_tracker_idle(tracker, lsn(250));
    ticket_t late_open = ack_tracker_begin(tracker);
    ack_tracker_add(tracker, late_open, 1);
    ticket_t late_group = ack_tracker_begin_group(tracker, 5);
    ack_tracker_add(tracker, late_group, 1);

    ack_tracker_restart(tracker);
    assert_int_equal(ack_tracker_generation(tracker), 2);
    assert_int_equal(confirmed(tracker), 0);
    assert_int_equal(ack_tracker_in_flight(tracker), 0);
    assert_int_equal(ack_tracker_entries(tracker), 0);
    assert_false(ack_tracker_open(tracker));

    /* The same transaction again, with more to come than the late reports. */
    ticket_t again = send_transaction(tracker, 3, 200);
    assert_false(ack_tracker_done(tracker, late));
    assert_false(ack_tracker_done(tracker, late));
    assert_false(ack_tracker_done(tracker, late_open));
    assert_false(ack_tracker_done(tracker, late_group));
    assert_int_equal(ack_tracker_in_flight(tracker), 3);
    assert_int_equal(confirmed(tracker), 0);
    assert_false(ack_tracker_done(tracker, again));
    assert_false(ack_tracker_done(tracker, again));
    assert_true(ack_tracker_done(tracker, again));
    assert_int_equal(confirmed(tracker), 200);
}

static void test_the_generation_is_never_zero(void **state)
{
    (void)state;
    AUTO(struct ack_tracker *, ack_tracker_free_p) tracker = ack_tracker_new(4);
    for (uint32_t i = 2; i <= UINT16_MAX; i++) {
        ack_tracker_restart(tracker);
        assert_int_equal(ack_tracker_generation(tracker), i);
    }
    ticket_t late = send_transaction(tracker, 1, 100);
    ack_tracker_restart(tracker);
    assert_int_equal(ack_tracker_generation(tracker), 1);
    (void)send_transaction(tracker, 1, 100);
    assert_false(ack_tracker_done(tracker, late));
    assert_false(ack_tracker_done(tracker, (ticket_t){ 0 }));
    assert_int_equal(ack_tracker_in_flight(tracker), 1);
}

/* The connection is lost in mid-transaction: reports go on, the entry stays open, and the ticket
 * goes on after the reconnect. */
static void test_resume_continues_the_open_transaction(void **state)
{
    (void)state;
    AUTO(struct ack_tracker *, ack_tracker_free_p) tracker = ack_tracker_new(4);
    ticket_t ticket = ack_tracker_begin(tracker);
    ack_tracker_add(tracker, ticket, 2);
    assert_false(ack_tracker_done(tracker, ticket));
    assert_false(ack_tracker_done(tracker, ticket));
    ack_tracker_idle(tracker, lsn(90));
    assert_true(ack_tracker_open(tracker));
    assert_int_equal(confirmed(tracker), 0);
    assert_int_equal(ack_tracker_entries(tracker), 1);
    ack_tracker_add(tracker, ticket, 1);
    assert_false(ack_tracker_close(tracker, ticket, lsn(100)));
    assert_true(ack_tracker_done(tracker, ticket));
    assert_int_equal(confirmed(tracker), 100);
}

/* What was added but not sent when the connection was lost is added again when it comes again. */
static void test_what_is_withdrawn_is_not_waited_for(void **state)
{
    (void)state;
    AUTO(struct ack_tracker *, ack_tracker_free_p) tracker = ack_tracker_new(4);
    ticket_t earlier = send_transaction(tracker, 1, 50);
    ticket_t ticket = ack_tracker_begin(tracker);
    ack_tracker_add(tracker, ticket, 5);
    assert_false(ack_tracker_done(tracker, ticket));
    ack_tracker_withdraw(tracker, ticket, 0);
    assert_int_equal(ack_tracker_in_flight(tracker), 5);
    ack_tracker_withdraw(tracker, ticket, 3);
    assert_int_equal(ack_tracker_in_flight(tracker), 2);
    assert_false(ack_tracker_done(tracker, ticket));
    assert_true(ack_tracker_open(tracker));
    assert_int_equal(ack_tracker_entries(tracker), 2);
    ack_tracker_add(tracker, ticket, 3);
    assert_false(ack_tracker_close(tracker, ticket, lsn(100)));
    assert_true(ack_tracker_done(tracker, earlier));
    assert_int_equal(confirmed(tracker), 50);
    assert_false(ack_tracker_done(tracker, ticket));
    assert_false(ack_tracker_done(tracker, ticket));
    assert_true(ack_tracker_done(tracker, ticket));
    assert_int_equal(confirmed(tracker), 100);
    assert_int_equal(ack_tracker_in_flight(tracker), 0);
}

/* All of it: the open transaction stays open, and is complete at its end. */
static void test_all_may_be_withdrawn(void **state)
{
    (void)state;
    AUTO(struct ack_tracker *, ack_tracker_free_p) tracker = ack_tracker_new(4);
    ticket_t ticket = ack_tracker_begin(tracker);
    ack_tracker_add(tracker, ticket, 2);
    ack_tracker_withdraw(tracker, ticket, 2);
    assert_int_equal(ack_tracker_in_flight(tracker), 0);
    assert_int_equal(confirmed(tracker), 0);
    assert_true(ack_tracker_open(tracker));
    assert_true(ack_tracker_close(tracker, ticket, lsn(100)));
    assert_int_equal(confirmed(tracker), 100);
}

static void test_the_end_of_a_transaction_is_known_until_it_is_confirmed(void **state)
{
    (void)state;
    AUTO(struct ack_tracker *, ack_tracker_free_p) tracker = ack_tracker_new(4);
    ticket_t first = send_transaction(tracker, 1, 100);
    ticket_t second = send_transaction(tracker, 1, 200);
    ticket_t open = ack_tracker_begin(tracker);
    ticket_t group = ack_tracker_begin_group(tracker, 1);
    assert_int_equal(ack_tracker_end(tracker, first).value, 100);
    assert_int_equal(ack_tracker_end(tracker, second).value, 200);
    assert_int_equal(ack_tracker_end(tracker, open).value, 0);
    assert_int_equal(ack_tracker_end(tracker, group).value, 0);
    ack_tracker_restart(tracker);
    assert_int_equal(ack_tracker_end(tracker, second).value, 0);
}

/* Broken calls. */

static void begin_twice(struct ack_tracker *tracker)
{
    (void)ack_tracker_begin(tracker);
    (void)ack_tracker_begin(tracker);
}

static void begin_when_full(struct ack_tracker *tracker)
{
    (void)send_transaction(tracker, 1, 100);
    (void)send_transaction(tracker, 1, 200);
    (void)ack_tracker_begin(tracker);
}

static void done_too_often(struct ack_tracker *tracker)
{
    ticket_t first = send_transaction(tracker, 1, 100);
    ticket_t second = send_transaction(tracker, 1, 200);
    (void)ack_tracker_done(tracker, second);
    (void)ack_tracker_done(tracker, second);
    (void)ack_tracker_done(tracker, first);
}

static void done_after_it_was_confirmed(struct ack_tracker *tracker)
{
    ticket_t ticket = send_transaction(tracker, 1, 100);
    (void)ack_tracker_done(tracker, ticket);
    (void)ack_tracker_done(tracker, ticket);
}

static void add_to_a_closed_one(struct ack_tracker *tracker)
{
    ack_tracker_add(tracker, send_transaction(tracker, 1, 100), 1);
}

static void add_to_an_old_generation(struct ack_tracker *tracker)
{
    ticket_t ticket = ack_tracker_begin(tracker);
    ack_tracker_restart(tracker);
    ack_tracker_add(tracker, ticket, 1);
}

static void close_an_older_one_while_another_is_open(struct ack_tracker *tracker)
{
    ticket_t older = send_transaction(tracker, 1, 100);
    (void)ack_tracker_begin(tracker);
    (void)ack_tracker_close(tracker, older, lsn(200));
}

static void done_in_a_free_group(struct ack_tracker *tracker)
{
    ticket_t ticket = ack_tracker_begin_group(tracker, 1);
    (void)ack_tracker_close(tracker, ticket, LSN_NONE);
    (void)ack_tracker_done(tracker, ticket);
}

static void close_a_group_with_an_lsn(struct ack_tracker *tracker)
{
    (void)ack_tracker_close(tracker, ack_tracker_begin_group(tracker, 1), lsn(1));
}

static void count_past_32_bits(struct ack_tracker *tracker)
{
    ticket_t ticket = ack_tracker_begin(tracker);
    ack_tracker_add(tracker, ticket, UINT32_MAX);
    ack_tracker_add(tracker, ticket, 1);
}

static void withdraw_more_than_is_undone(struct ack_tracker *tracker)
{
    ticket_t ticket = ack_tracker_begin(tracker);
    ack_tracker_add(tracker, ticket, 2);
    (void)ack_tracker_done(tracker, ticket);
    ack_tracker_withdraw(tracker, ticket, 2);
}

static void withdraw_from_a_closed_one(struct ack_tracker *tracker)
{
    ack_tracker_withdraw(tracker, send_transaction(tracker, 1, 100), 1);
}

static void withdraw_from_an_older_one(struct ack_tracker *tracker)
{
    ticket_t older = send_transaction(tracker, 1, 100);
    (void)ack_tracker_begin(tracker);
    ack_tracker_withdraw(tracker, older, 1);
}

static void withdraw_from_an_old_generation(struct ack_tracker *tracker)
{
    ticket_t ticket = ack_tracker_begin(tracker);
    ack_tracker_add(tracker, ticket, 1);
    ack_tracker_restart(tracker);
    ticket_t now = ack_tracker_begin(tracker);
    ack_tracker_add(tracker, now, 1);
    /* The same number as now's, so that only the generation tells. */
    ticket.value = (now.value & ((UINT64_C(1) << 48) - 1)) | (ticket.value >> 48 << 48);
    ack_tracker_withdraw(tracker, ticket, 1);
}

static void withdraw_from_a_group(struct ack_tracker *tracker)
{
    ticket_t group = ack_tracker_begin_group(tracker, 1);
    ack_tracker_add(tracker, group, 1);
    (void)ack_tracker_begin(tracker);
    ack_tracker_withdraw(tracker, group, 0);
}

static void assert_aborts(void (*broken)(struct ack_tracker *))
{
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        (void)close(STDERR_FILENO);
        (void)signal(SIGABRT, SIG_DFL);
        broken(ack_tracker_new(2));
        _exit(0);
    }
    int status = 0;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFSIGNALED(status));
    assert_int_equal(WTERMSIG(status), SIGABRT);
}

static void expect_times(const struct ack_tracker *tracker, ticket_t ticket, int64_t received_us)
{
    struct ack_times times = { 0, 0 };
    assert_true(ack_tracker_times(tracker, ticket, &times));
    assert_int_equal(times.received_us, received_us);
    assert_int_equal(times.commit_us, received_us - 1);
}

static void test_a_transaction_that_is_complete_knows_its_times(void **state)
{
    enum { TRANSACTIONS = 1000 }; /* the ring grows meanwhile */
    (void)state;
    AUTO(struct ack_tracker *, ack_tracker_free_p) tracker = ack_tracker_new(TRANSACTIONS);
    ticket_t tickets[TRANSACTIONS];
    for (int i = 0; i < TRANSACTIONS; i++) {
        tickets[i] = ack_tracker_begin(tracker);
        ack_tracker_add(tracker, tickets[i], 1);
        ack_tracker_note(tracker, tickets[i], (struct ack_times){ 10 * i - 1, 10 * i });
        assert_false(ack_tracker_close(tracker, tickets[i], lsn(100 + (uint64_t)i)));
    }
    for (int i = 0; i < TRANSACTIONS; i++) { /* in pairs, the later one first */
        int at = i ^ 1;
        assert_true(ack_tracker_done(tracker, tickets[at]));
        expect_times(tracker, tickets[at], 10 * at);
    }
    assert_int_equal(confirmed(tracker), 100 + TRANSACTIONS - 1);
}

static void test_a_group_has_no_times(void **state)
{
    (void)state;
    struct ack_times times;
    AUTO(struct ack_tracker *, ack_tracker_free_p) tracker = ack_tracker_new(4);
    ticket_t group = ack_tracker_begin_group(tracker, 1);
    ack_tracker_add(tracker, group, 1);
    assert_false(ack_tracker_close(tracker, group, LSN_NONE));
    assert_true(ack_tracker_done(tracker, group));
    assert_false(ack_tracker_times(tracker, group, &times));
}

static void test_broken_calls_abort(void **state)
{
    (void)state;
    assert_aborts(begin_twice);
    assert_aborts(begin_when_full);
    assert_aborts(done_too_often);
    assert_aborts(done_after_it_was_confirmed);
    assert_aborts(add_to_a_closed_one);
    assert_aborts(add_to_an_old_generation);
    assert_aborts(close_an_older_one_while_another_is_open);
    assert_aborts(done_in_a_free_group);
    assert_aborts(close_a_group_with_an_lsn);
    assert_aborts(count_past_32_bits);
    assert_aborts(withdraw_more_than_is_undone);
    assert_aborts(withdraw_from_a_closed_one);
    assert_aborts(withdraw_from_an_older_one);
    assert_aborts(withdraw_from_an_old_generation);
    assert_aborts(withdraw_from_a_group);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_nothing_is_confirmed_at_first),
        cmocka_unit_test(test_confirmed_when_closed_and_done),
        cmocka_unit_test(test_done_before_the_commit_arrives),
        cmocka_unit_test(test_a_later_transaction_waits_for_the_earlier),
        cmocka_unit_test(test_an_open_transaction_holds_the_line),
        cmocka_unit_test(test_empty_transactions),
        cmocka_unit_test(test_keepalive_with_nothing_in_flight_is_confirmed),
        cmocka_unit_test(test_keepalive_in_a_transaction_is_ignored),
        cmocka_unit_test(test_keepalives_behind_records_in_flight_take_one_entry),
        cmocka_unit_test(test_keepalive_raises_a_tail_that_is_done),
        cmocka_unit_test(test_keepalive_is_left_out_when_full),
        cmocka_unit_test(test_an_end_below_an_earlier_one_moves_nothing_back),
        cmocka_unit_test(test_the_ring_grows_to_its_limit),
        cmocka_unit_test(test_the_end_of_a_tickets_transaction),
        cmocka_unit_test(test_groups_move_no_lsn),
        cmocka_unit_test(test_group_slots_are_used_again),
        cmocka_unit_test(test_restart_frees_the_groups),
        cmocka_unit_test(test_restart_forgets_everything),
        cmocka_unit_test(test_the_generation_is_never_zero),
        cmocka_unit_test(test_resume_continues_the_open_transaction),
        cmocka_unit_test(test_what_is_withdrawn_is_not_waited_for),
        cmocka_unit_test(test_all_may_be_withdrawn),
        cmocka_unit_test(test_the_end_of_a_transaction_is_known_until_it_is_confirmed),
        cmocka_unit_test(test_a_transaction_that_is_complete_knows_its_times),
        cmocka_unit_test(test_a_group_has_no_times),
        cmocka_unit_test(test_broken_calls_abort),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
