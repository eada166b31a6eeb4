/* The end of pipeline_run() that somebody asked for; pipeline_test.c has the rest. */
#include "pipeline_line.h"

static void a_stop_between_transactions_ends_at_once(void **state)
{
    struct line *line = *state;
    line_start(line);
    line_transaction(line, 100, "a");
    line_expect_records(line, 1);
    scripted_delivery_ack(&line->delivery, 0);
    line_expect_flush(line, 110);
    line_ask_to_stop(line);
    line_expect_clean_end(line, 110);
    assert_string_equal(line->warning, "");
}

static void a_stop_that_was_asked_for_before_the_start_counts(void **state)
{
    struct line *line = *state;
    line_ask_to_stop(line);
    line_start(line);
    line_expect_clean_end(line, 0);
}

static void a_stop_reads_the_open_transaction_to_its_commit(void **state)
{
    struct line *line = *state;
    line_start(line);
    line_begin(line, 100);
    line_relation(line);
    line_row(line, "a");
    line_expect_records(line, 1);
    line_ask_to_stop(line);
    LINE_WAIT(atomic_load(&line->stop_noticed));
    line_expect_still(line, 0);
    line_row(line, "b");
    line_commit(line, 100);
    line_keepalive(line, 150, false);
    line_transaction(line, 200, "never read");
    line_expect_records(line, 2);

    /* It waits for what is in flight, and reads nothing more. */
    LINE_WAIT(atomic_load(&line->status.blocked) == BLOCKED_STOP);
    scripted_delivery_ack(&line->delivery, 0);
    line_expect_still(line, 0);
    assert_true(line->running);
    scripted_delivery_ack(&line->delivery, 1);
    line->allowed = 110;
    line_expect_clean_end(line, 110);
    line_expect_records(line, 2);
    assert_int_equal(scripted_handler_calls(&line->handler, CHANGE_BEGIN), 1);
    assert_int_equal(atomic_load(&line->status.received_lsn), 110);
    assert_string_equal(line->warning, "");
}

/* A Commit that came together with the next transaction: that one is not begun. */
static void a_stop_does_not_begin_what_is_there_already(void **state)
{
    struct line *line = *state;
    atomic_store(&line->handler.holds, CHANGE_COMMIT);
    line_start(line);
    line_cork(line, true);
    line_transaction(line, 100, "a");
    line_transaction(line, 200, "b");
    line_cork(line, false);
    LINE_WAIT(atomic_load(&line->status.blocked) == BLOCKED_WAIT);
    line_ask_to_stop(line);
    LINE_WAIT(atomic_load(&line->stop_noticed));
    line_expect_still(line, 0);
    atomic_store(&line->handler.holds, HANDLER_NOTHING);
    line->allowed = 110;
    scripted_delivery_ack(&line->delivery, 0);
    line_expect_clean_end(line, 110);
    line_expect_records(line, 1);
}

static void a_stop_empties_the_outbox(void **state)
{
    struct line *line = *state;
    scripted_delivery_room(&line->delivery, 1);
    line_start(line);
    line_transaction(line, 100, "a,b");
    LINE_WAIT(atomic_load(&line->status.blocked) == BLOCKED_OUTBOX);
    line_ask_to_stop(line);
    LINE_WAIT(atomic_load(&line->stop_noticed));
    line_expect_still(line, 0);
    scripted_delivery_room(&line->delivery, 1);
    line_expect_records(line, 2);
    line_expect_still(line, 0);
    line->allowed = 110;
    scripted_delivery_ack(&line->delivery, 0);
    scripted_delivery_ack(&line->delivery, 1);
    line_expect_clean_end(line, 110);
}

static void a_stop_without_a_broker_does_not_wait(void **state)
{
    struct line *line = *state;
    line_start(line);
    line_transaction(line, 100, "a");
    line_transaction(line, 200, "b");
    line_expect_records(line, 2);
    scripted_delivery_ack(&line->delivery, 0);
    line_expect_flush(line, 110);
    scripted_delivery_connected(&line->delivery, false);
    line_stop_time(line);
    line_ask_to_stop(line);
    line_expect_clean_end(line, 110);
    fake_assert_contains(line->warning, "what is unconfirmed comes again");
    fake_assert_contains(line->warning, "transaction_cut=0 records_unconfirmed=1");
}

/* With nothing in flight there is nothing that a broker would have to answer. */
static void a_stop_without_a_broker_still_confirms_what_needs_none(void **state)
{
    struct line *line = *state;
    scripted_delivery_connected(&line->delivery, false);
    line_start(line);
    line_begin(line, 100);
    line_relation(line);
    LINE_WAIT(atomic_load(&line->status.transaction_open));
    line_ask_to_stop(line);
    LINE_WAIT(atomic_load(&line->stop_noticed));
    line_expect_still(line, 0);
    line->allowed = 110;
    line_commit(line, 100);
    line_expect_clean_end(line, 110);
}

static void a_transaction_that_does_not_end_is_cut(void **state)
{
    struct line *line = *state;
    line->with.stop_timeout_ms = 200;
    line_start(line);
    line_transaction(line, 100, "a");
    line_begin(line, 0x16B374D848);
    line_row(line, "b");
    line_expect_records(line, 2);
    scripted_delivery_ack(&line->delivery, 0);
    line_expect_flush(line, 110);
    scripted_delivery_ack(&line->delivery, 1);
    line_expect_still(line, 110);
    line_ask_to_stop(line);
    line_expect_clean_end(line, 110);
    fake_assert_contains(line->warning, "transaction=16/B374D848 transaction_cut=1 "
                                        "records_unconfirmed=0");
    assert_false(atomic_load(&line->status.transaction_open));
}

static void records_that_are_not_acknowledged_in_time_are_left(void **state)
{
    struct line *line = *state;
    line->with.stop_timeout_ms = 200;
    line_start(line);
    line_transaction(line, 100, "a");
    line_transaction(line, 200, "b");
    line_expect_records(line, 2);
    scripted_delivery_ack(&line->delivery, 1);
    line_expect_still(line, 0);
    line_ask_to_stop(line);
    line_expect_clean_end(line, 0);
    fake_assert_contains(line->warning, "transaction_cut=0 records_unconfirmed=1");
}

static void a_key_that_is_never_found_does_not_hold_up_a_stop(void **state)
{
    struct line *line = *state;
    line->with.stop_timeout_ms = 200;
    atomic_store(&line->handler.holds, CHANGE_RELATION);
    line_start(line);
    line_transaction(line, 100, "a");
    LINE_WAIT(atomic_load(&line->status.blocked) == BLOCKED_WAIT);
    line_ask_to_stop(line);
    line_expect_clean_end(line, 0);
    fake_assert_contains(line->warning, "transaction_cut=1");
}

static void a_refusal_while_it_stops_is_still_a_failure(void **state)
{
    struct line *line = *state;
    line_start(line);
    line_transaction(line, 100, "a");
    line_expect_records(line, 1);
    line_ask_to_stop(line);
    LINE_WAIT(atomic_load(&line->stop_noticed));
    scripted_delivery_refuse(&line->delivery, 0);
    line_expect_failure(line, ERROR_HALT, "TOPIC_AUTHORIZATION_FAILED", "topic \"orders\"");
    assert_int_equal(ack_tracker_confirmed(line->with.tracker).value, 0);
}

/* The end of the copy frees the slot: whoever takes it must not be overtaken. */
static void a_stop_waits_until_the_producer_is_quiet(void **state)
{
    struct line *line = *state;
    line_start(line);
    line_transaction(line, 100, "a");
    line_expect_records(line, 1);
    scripted_delivery_ack(&line->delivery, 0);
    line_expect_flush(line, 110);
    scripted_delivery_unanswered(&line->delivery, true);
    line_ask_to_stop(line);
    LINE_WAIT(scripted_delivery_abandoned(&line->delivery));
    struct pollfd ready = { .fd = line->fake.server.fd, .events = POLLIN };
    int64_t ignored;
    while (poll(&ready, 1, 100) == 1)
        assert_int_equal(line_hear(line, &ignored), 'd');
    scripted_delivery_unanswered(&line->delivery, false);
    line_expect_clean_end(line, 110);
    assert_string_equal(line->warning, "");
}

/* A server that does not answer CopyDone is not waited for longer than a second. */
static void a_server_that_does_not_end_the_copy_is_left(void **state)
{
    struct line *line = *state;
    line_start(line);
    line_transaction(line, 100, "a");
    line_expect_records(line, 1);
    scripted_delivery_ack(&line->delivery, 0);
    line_expect_flush(line, 110);
    line_ask_to_stop(line);
    line_join_soon(line);
    assert_int_equal(line->end, PIPELINE_STOPPED);
    fake_assert_contains(line->warning, "the stream did not end cleanly");
    fake_assert_contains(line->warning, "code=finish_timeout");
}

/* The same pipeline streams again after a stop, if it is asked to. */
static void a_stop_is_forgotten_by_the_next_run(void **state)
{
    struct line *line = *state;
    uint64_t count;
    line_start(line);
    line_transaction(line, 100, "");
    line_expect_flush(line, 110);
    line_ask_to_stop(line);
    line_expect_clean_end(line, 110);
    CHECK(read(line->stop_fd, &count, sizeof(count)) == (ssize_t)sizeof(count));
    line_start(line);
    line_transaction(line, 200, "a");
    line_expect_records(line, 1);
    scripted_delivery_ack(&line->delivery, 0);
    line_expect_flush(line, 210);
    line_expect_still(line, 210);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        LINE_TEST(a_stop_between_transactions_ends_at_once),
        LINE_TEST(a_stop_that_was_asked_for_before_the_start_counts),
        LINE_TEST(a_stop_reads_the_open_transaction_to_its_commit),
        LINE_TEST(a_stop_does_not_begin_what_is_there_already),
        LINE_TEST(a_stop_empties_the_outbox),
        LINE_TEST(a_stop_without_a_broker_does_not_wait),
        LINE_TEST(a_stop_without_a_broker_still_confirms_what_needs_none),
        LINE_TEST(a_transaction_that_does_not_end_is_cut),
        LINE_TEST(records_that_are_not_acknowledged_in_time_are_left),
        LINE_TEST(a_key_that_is_never_found_does_not_hold_up_a_stop),
        LINE_TEST(a_refusal_while_it_stops_is_still_a_failure),
        LINE_TEST(a_stop_waits_until_the_producer_is_quiet),
        LINE_TEST(a_server_that_does_not_end_the_copy_is_left),
        LINE_TEST(a_stop_is_forgotten_by_the_next_run),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
