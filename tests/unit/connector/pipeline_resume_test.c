/* What pipeline_run() makes of the streams after one that was lost: each record is sent once, in
 * order, and the confirmed LSN is what it would be had nothing been lost. */
#include "pipeline_line.h"

/* ---- what comes again ---- */

/* Of the transaction that the server sends whole again, after a stream that was lost. */
static void say_rows(struct line *line, uint64_t final_lsn, uint32_t count)
{
    line_begin(line, final_lsn);
    line_relation(line);
    for (uint32_t i = 0; i < count; i++) {
        char text[16];
        (void)snprintf(text, sizeof(text), "%" PRIu64 ".%u", final_lsn, i);
        line_row(line, text);
    }
}

static void say_whole(struct line *line, uint64_t final_lsn, uint32_t count)
{
    say_rows(line, final_lsn, count);
    line_commit(line, final_lsn);
}

static void lose_and_resume(struct line *line)
{
    line_lose_connection(line);
    line_resume(line);
}

static void ack_all(struct line *line)
{
    uint32_t count = scripted_delivery_count(&line->delivery);
    for (uint32_t i = 0; i < count; i++)
        scripted_delivery_ack(&line->delivery, i);
}

static void a_cut_between_transactions_goes_on_with_the_next(void **state)
{
    struct line *line = *state;
    line_start(line);
    line_transaction(line, 100, "a");
    LINE_WAIT(atomic_load(&line->status.received_lsn) == 110);
    line_lose_connection(line);
    assert_int_equal(pipeline_received(line->pipeline).value, 110);
    assert_int_equal(pipeline_published(line->pipeline).value, 110);
    line_resume(line);
    line_transaction(line, 200, "b");
    line_expect_records(line, 2);
    line_expect_record(line, 1, "200/0", "b");
    scripted_delivery_ack(&line->delivery, 1);
    line_expect_still(line, 0);
    scripted_delivery_ack(&line->delivery, 0);
    line_expect_flush(line, 210);
    line_ask_to_stop(line);
    line_expect_clean_end(line, 210);
    assert_string_equal(line->warning, "");
}

/* Cut after each number of rows, before its Commit. */
static void of_a_transaction_that_was_cut_the_missing_rows_are_sent(void **state)
{
    enum { ROWS = 4 };
    struct line *line = *state;
    line_start(line);
    for (uint32_t k = 0; k <= ROWS; k++) {
        uint64_t final_lsn = 100 * (k + 1);
        say_rows(line, final_lsn, k);
        LINE_WAIT(scripted_handler_calls(&line->handler, CHANGE_RELATION) == 2 * k + 1);
        line_expect_records(line, ROWS * k + k);
        line_lose_connection(line);
        fake_assert_contains(line->loss, "transaction_cut=1");
        assert_int_equal(pipeline_received(line->pipeline).value, k == 0 ? 0 : final_lsn - 90);
        line_resume(line);
        say_whole(line, final_lsn, ROWS);
        line_expect_records(line, ROWS * (k + 1));
        for (uint32_t i = 0; i < ROWS; i++) {
            char key[32], text[16];
            (void)snprintf(key, sizeof(key), "%" PRIu64 "/%u", final_lsn, i);
            (void)snprintf(text, sizeof(text), "%" PRIu64 ".%u", final_lsn, i);
            line_expect_record(line, ROWS * k + i, key, text);
        }
        for (uint32_t i = ROWS; i > 0; i--) {
            line_expect_still(line, k == 0 ? 0 : final_lsn - 90);
            scripted_delivery_ack(&line->delivery, ROWS * k + i - 1);
        }
        line_expect_flush(line, final_lsn + 10);
        assert_int_equal(scripted_handler_calls(&line->handler, CHANGE_BEGIN), k + 1);
        assert_int_equal(scripted_handler_calls(&line->handler, CHANGE_INSERT), ROWS * (k + 1));
    }
    assert_int_equal(atomic_load(&line->status.changes[CHANGE_INSERT]), ROWS * (ROWS + 1));
}

/* What was skipped does not make it whole: only its Commit does. */
static void a_transaction_that_comes_again_is_open_until_its_commit(void **state)
{
    struct line *line = *state;
    line_start(line);
    say_rows(line, 100, 2);
    line_expect_records(line, 2);
    line_lose_connection(line);
    ack_all(line);
    line_serve(line);
    assert_true(ack_tracker_open(line->with.tracker));
    line_resume(line);
    say_rows(line, 100, 2);
    LINE_WAIT(scripted_handler_calls(&line->handler, CHANGE_RELATION) == 2);
    LINE_WAIT(atomic_load(&line->status.transaction_open));
    line_expect_still(line, 0);
    line_commit(line, 100);
    line_expect_flush(line, 110);
    line_expect_records(line, 2);
    LINE_WAIT(!atomic_load(&line->status.transaction_open));
}

static void truncations_count_as_well(void **state)
{
    struct line *line = *state;
    line_start(line);
    say_rows(line, 100, 1);
    line_say(line, bytes_truncate(LINE_TABLE_OID));
    LINE_WAIT(scripted_handler_calls(&line->handler, CHANGE_TRUNCATE) == 1);
    lose_and_resume(line);
    say_rows(line, 100, 1);
    line_say(line, bytes_truncate(LINE_TABLE_OID));
    line_row(line, "behind");
    line_commit(line, 100);
    line_expect_records(line, 2);
    line_expect_record(line, 1, "100/2", "behind");
    assert_int_equal(scripted_handler_calls(&line->handler, CHANGE_TRUNCATE), 1);
    ack_all(line);
    line_expect_flush(line, 110);
}

/* PostgreSQL 14 sends them: nothing of them is in flight. */
static void empty_transactions_come_again_as_well(void **state)
{
    struct line *line = *state;
    line_start(line);
    line_begin(line, 100);
    LINE_WAIT(scripted_handler_calls(&line->handler, CHANGE_BEGIN) == 1);
    line_lose_connection(line);
    fake_assert_contains(line->loss, "received=0/0 transaction_cut=1 records_unconfirmed=0");
    assert_int_equal(pipeline_published(line->pipeline).value, 0);
    line_resume(line);
    line_begin(line, 100);
    line_commit(line, 100);
    line_expect_flush(line, 110);
    lose_and_resume(line);
    assert_int_equal(pipeline_received(line->pipeline).value, 110);
    line_begin(line, 200);
    line_commit(line, 200);
    line_expect_flush(line, 210);
    line_expect_records(line, 0);
    assert_int_equal(scripted_handler_calls(&line->handler, CHANGE_BEGIN), 2);
}

/* ---- the change in hand ---- */

static void of_a_change_that_was_half_sent_the_rest_is_sent(void **state)
{
    static const char *const expected[] = { "a", "b", "c", "d", "e", "f" };
    struct line *line = *state;
    scripted_delivery_room(&line->delivery, 3);
    line_start(line);
    line_begin(line, 100);
    line_relation(line);
    line_row(line, "a");
    line_row(line, "b,c,d,e");
    LINE_WAIT(atomic_load(&line->status.blocked) == BLOCKED_OUTBOX);
    line_lose_connection(line);
    fake_assert_contains(line->loss, "transaction_cut=1 records_unconfirmed=3");
    assert_int_equal(ack_tracker_in_flight(line->with.tracker), 3);
    scripted_delivery_room(&line->delivery, UINT32_MAX);
    line_resume(line);
    line_begin(line, 100);
    line_relation(line);
    line_row(line, "a");
    line_row(line, "b,c,d,e");
    line_row(line, "f");
    line_commit(line, 100);
    line_expect_records(line, COUNT_OF(expected));
    for (uint32_t i = 0; i < COUNT_OF(expected); i++)
        assert_string_equal(scripted_delivery_record(&line->delivery, i).value, expected[i]);
    line_expect_record(line, 4, "100/1", "e");
    for (uint32_t i = 0; i < COUNT_OF(expected); i++) {
        line_expect_still(line, 0);
        scripted_delivery_ack(&line->delivery, i);
    }
    line_expect_flush(line, 110);
}

/* Cut after each number of its records, those of its Begin and its Commit among them. */
static void records_of_begin_and_commit_are_sent_once(void **state)
{
    static const char *const expected[] = { "begin", "a", "b", "c", "commit" };
    static const char *const ordinals[] = { "0", "0", "0", "1", "2" };
    enum { RECORDS = COUNT_OF(expected) };
    struct line *line = *state;
    line->handler.boundaries = true;
    line_start(line);
    for (uint32_t room = 0; room < RECORDS; room++) {
        uint64_t final_lsn = 100 * (room + 1);
        scripted_delivery_room(&line->delivery, room);
        for (int again = 0; again < 2; again++) {
            line_begin(line, final_lsn);
            line_relation(line);
            line_row(line, "a,b");
            line_row(line, "c");
            line_commit(line, final_lsn);
            if (again == 0) {
                LINE_WAIT(atomic_load(&line->status.blocked) == BLOCKED_OUTBOX);
                line_expect_records(line, RECORDS * room + room);
                line_lose_connection(line);
                assert_true(pipeline_received(line->pipeline).value < final_lsn);
                scripted_delivery_room(&line->delivery, UINT32_MAX);
                line_resume(line);
            }
        }
        line_expect_records(line, RECORDS * (room + 1));
        for (uint32_t i = 0; i < RECORDS; i++) {
            char key[32];
            (void)snprintf(key, sizeof(key), "%" PRIu64 "/%s", final_lsn, ordinals[i]);
            line_expect_record(line, RECORDS * room + i, key, expected[i]);
            line_expect_still(line, line->allowed == 0 ? 0 : final_lsn - 90);
            scripted_delivery_ack(&line->delivery, RECORDS * room + i);
        }
        line_expect_flush(line, final_lsn + 10);
    }
}

/* Lost again before the item in hand came back, then with more of it sent. */
static void a_transaction_that_is_cut_again_and_again_is_sent_once(void **state)
{
    static const char *const expected[] = { "a", "b", "c", "d", "e" };
    struct line *line = *state;
    scripted_delivery_room(&line->delivery, 2);
    line_start(line);
    line_begin(line, 100);
    line_relation(line);
    line_row(line, "a");
    line_row(line, "b,c,d");
    LINE_WAIT(atomic_load(&line->status.blocked) == BLOCKED_OUTBOX);
    lose_and_resume(line);
    lose_and_resume(line); /* nothing came at all */
    line_begin(line, 100);
    line_relation(line);
    LINE_WAIT(scripted_handler_calls(&line->handler, CHANGE_RELATION) == 2);
    lose_and_resume(line); /* nor the first row */
    line_begin(line, 100);
    line_relation(line);
    line_row(line, "a");
    line_relation(line); /* tells that the row before it was read */
    LINE_WAIT(scripted_handler_calls(&line->handler, CHANGE_RELATION) == 4);
    lose_and_resume(line); /* nor the item in hand */
    scripted_delivery_room(&line->delivery, 1);
    line_begin(line, 100);
    line_relation(line);
    line_row(line, "a");
    line_row(line, "b,c,d");
    line_expect_records(line, 3);
    LINE_WAIT(atomic_load(&line->status.blocked) == BLOCKED_OUTBOX);
    line_lose_connection(line); /* with one more of it sent */
    assert_int_equal(ack_tracker_in_flight(line->with.tracker), 3);
    scripted_delivery_room(&line->delivery, UINT32_MAX);
    line_resume(line);
    line_begin(line, 100);
    line_relation(line);
    line_row(line, "a");
    line_row(line, "b,c,d");
    line_row(line, "e");
    line_commit(line, 100);
    line_expect_records(line, COUNT_OF(expected));
    for (uint32_t i = 0; i < COUNT_OF(expected); i++)
        assert_string_equal(scripted_delivery_record(&line->delivery, i).value, expected[i]);
    line_expect_record(line, 4, "100/2", "e");
    line_expect_still(line, 0);
    ack_all(line);
    line_expect_flush(line, 110);
}

static void a_change_that_waited_for_a_key_is_handled_again(void **state)
{
    static const enum change_kind kinds[] = { CHANGE_BEGIN, CHANGE_RELATION, CHANGE_INSERT,
                                              CHANGE_COMMIT };
    struct line *line = *state;
    line_start(line);
    for (uint32_t i = 0; i < COUNT_OF(kinds); i++) {
        uint64_t final_lsn = 100 * (i + 1);
        atomic_store(&line->handler.holds, (int)kinds[i]);
        line_transaction(line, final_lsn, "a,b");
        LINE_WAIT(atomic_load(&line->status.blocked) == BLOCKED_WAIT);
        line_lose_connection(line);
        atomic_store(&line->handler.holds, HANDLER_NOTHING);
        line->handler.waited = false; /* the next call is of another stream */
        line_resume(line);
        line_transaction(line, final_lsn, "a,b");
        line_expect_records(line, 2 * (i + 1));
        line_expect_still(line, line->allowed);
        scripted_delivery_ack(&line->delivery, 2 * i);
        scripted_delivery_ack(&line->delivery, 2 * i + 1);
        line_expect_flush(line, final_lsn + 10);
    }
}

/* ---- meanwhile ---- */

static void what_is_acknowledged_while_it_is_cut_is_confirmed(void **state)
{
    struct line *line = *state;
    line_start(line);
    line_transaction(line, 100, "a");
    line_transaction(line, 200, "b");
    LINE_WAIT(atomic_load(&line->status.received_lsn) == 210);
    line_lose_connection(line);
    scripted_delivery_ack(&line->delivery, 0);
    line_serve(line);
    scripted_delivery_ack(&line->delivery, 1); /* not served: the next run reads it */
    line_resume(line);
    line_expect_flush(line, 210);
    LINE_WAIT(atomic_load(&line->status.confirmed_lsn) == 210);
}

/* It is known, and nothing is started that it would end at once: the last word is said. */
static void a_record_that_is_refused_while_it_is_cut_ends_the_next_run(void **state)
{
    struct line *line = *state;
    line_start(line);
    line_transaction(line, 100, "a");
    line_transaction(line, 200, "b");
    LINE_WAIT(atomic_load(&line->status.received_lsn) == 210);
    line_lose_connection(line);
    scripted_delivery_ack(&line->delivery, 0);
    scripted_delivery_refuse(&line->delivery, 1);
    line_serve(line);
    line_serve(line);
    assert_true(pipeline_is_cut(line->pipeline));
    line->allowed = 110;
    line_resume(line);
    line_transaction(line, 300, "never read");
    line_expect_goodbye(line, 110);
    line_expect_failure_said(line, ERROR_HALT, "TOPIC_AUTHORIZATION_FAILED", "not authorised");
    line_expect_records(line, 2);
}

static void a_producer_that_is_lost_while_it_is_cut_ends_the_next_run(void **state)
{
    struct line *line = *state;
    line_start(line);
    line_transaction(line, 100, "a");
    line_expect_records(line, 1);
    line_lose_connection(line);
    scripted_delivery_say(&line->delivery, DELIVERY_LOST);
    line_serve(line);
    assert_true(pipeline_is_cut(line->pipeline));
    line_stop_time(line);
    line_resume(line);
    line_expect_no_goodbye(line);
    line_join_in_no_time(line);
    line_expect_failure_said(line, ERROR_RECONNECT, "_FATAL", "the producer says so");
    line_expect_records(line, 1);
}

/* ---- what does not come again ---- */

static void expect_missed(struct line *line, const char *came)
{
    line_expect_goodbye(line, 110);
    line_expect_failure_said(line, ERROR_RETRY, "resume_missed", "the transaction at 0/C8,");
    fake_assert_contains(line->err.text, came);
    line_expect_records(line, 2);
}

/* Of two transactions the second one is cut; the first one's records arrive. */
static void cut_the_second(struct line *line)
{
    line_transaction(line, 100, "a");
    line_begin(line, 200);
    line_row(line, "b");
    line_expect_records(line, 2);
    line_lose_connection(line);
    ack_all(line);
    line->allowed = 110;
    line_resume(line);
}

static void another_transaction_instead_starts_over(void **state)
{
    struct line *line = *state;
    line_start(line);
    cut_the_second(line);
    line_transaction(line, 300, "never sent");
    expect_missed(line, "at 0/12C it was passed");
}

static void the_same_place_of_another_transaction_starts_over(void **state)
{
    struct line *line = *state;
    line_start(line);
    cut_the_second(line);
    line_say(line, bytes_begin(200, 201));
    line_row(line, "never sent");
    expect_missed(line, "at 0/C8 it was passed");
}

/* Up to its commit record it may still come; what is in between is not confirmed. */
static void a_server_that_passes_it_by_starts_over(void **state)
{
    struct line *line = *state;
    line_start(line);
    cut_the_second(line);
    line_keepalive(line, 150, true);
    line_keepalive(line, 200, true);
    line_expect_flush(line, 110);
    line_expect_still(line, 110);
    assert_true(line->running);
    line_keepalive(line, 201, true);
    expect_missed(line, "at 0/C9 it was passed");
}

/* Relations belong to a stream, also to one that goes on. */
static void a_stream_that_goes_on_knows_no_relation_of_the_first(void **state)
{
    struct line *line = *state;
    line_start(line);
    say_rows(line, 100, 1);
    line_expect_records(line, 1);
    lose_and_resume(line);
    line_begin(line, 100);
    line_row(line, "100.0");
    line_expect_failure(line, ERROR_HALT, "undecodable", "16400");
    line_expect_records(line, 1);
}

/* ---- keepalives, the ring, the stop ---- */

static void a_keepalive_says_where_to_go_on(void **state)
{
    struct line *line = *state;
    line_start(line);
    line_transaction(line, 100, "");
    line_keepalive(line, 500, false);
    line_expect_flush(line, 500);
    line_begin(line, 600);
    line_keepalive(line, 700, true);
    LINE_WAIT(scripted_handler_calls(&line->handler, CHANGE_BEGIN) == 2);
    line_expect_still(line, 500);
    line_lose_connection(line);
    assert_int_equal(pipeline_received(line->pipeline).value, 500);
    assert_int_equal(pipeline_published(line->pipeline).value, 0);
    line_resume(line);
    line_transaction(line, 600, "a");
    line_expect_records(line, 1);
    scripted_delivery_ack(&line->delivery, 0);
    line_expect_flush(line, 610);
}

static void a_full_ring_goes_on_as_it_was(void **state)
{
    struct line *line = *state;
    line->ring_entries = 1;
    line_start(line);
    say_rows(line, 100, 1);
    line_expect_records(line, 1);
    lose_and_resume(line);
    say_whole(line, 100, 2); /* the open one is read to its end */
    line_expect_records(line, 2);
    LINE_WAIT(atomic_load(&line->status.blocked) == BLOCKED_IN_FLIGHT);
    lose_and_resume(line);
    say_whole(line, 200, 1);
    LINE_WAIT(atomic_load(&line->status.blocked) == BLOCKED_IN_FLIGHT);
    line_expect_still(line, 0);
    line_expect_records(line, 2);
    ack_all(line);
    line_expect_flush(line, 110);
    line_expect_records(line, 3);
}

static void a_stop_reads_what_was_cut_to_its_commit(void **state)
{
    struct line *line = *state;
    line_start(line);
    say_rows(line, 100, 2);
    line_expect_records(line, 2);
    lose_and_resume(line);
    line_ask_to_stop(line);
    LINE_WAIT(atomic_load(&line->stop_noticed));
    line_expect_still(line, 0);
    say_whole(line, 100, 3);
    line_transaction(line, 200, "never read");
    line_expect_records(line, 3);
    line->allowed = 110;
    ack_all(line);
    line_expect_clean_end(line, 110);
    assert_false(pipeline_is_cut(line->pipeline));
    assert_string_equal(line->warning, "");
}

/* ---- giving it up ---- */

static void who_gives_up_starts_anew(void **state)
{
    struct line *line = *state;
    scripted_delivery_room(&line->delivery, 3);
    line_start(line);
    line_transaction(line, 100, "a");
    line_transaction(line, 200, "b");
    line_begin(line, 300);
    line_row(line, "c,d");
    line_expect_records(line, 3);
    scripted_delivery_ack(&line->delivery, 0);
    line_expect_flush(line, 110);
    LINE_WAIT(atomic_load(&line->status.blocked) == BLOCKED_OUTBOX);
    line_lose_connection(line);
    line_abandon(line);
    assert_false(pipeline_is_cut(line->pipeline));
    assert_true(scripted_delivery_abandoned(&line->delivery));
    fake_assert_contains(line->warning, "transaction=0/12C transaction_cut=1 "
                                        "records_unconfirmed=2");
    line_serve(line);
    line_abandon(line); /* once is enough */

    /* From where the slot stands: nothing of before is left out, told, or waited for. */
    scripted_delivery_room(&line->delivery, UINT32_MAX);
    line_start(line);
    line_expect_still(line, 0);
    assert_int_equal(atomic_load(&line->status.confirmed_lsn), 0);
    line_transaction(line, 200, "b");
    line_transaction(line, 300, "c,d");
    line_expect_records(line, 6);
    line_expect_record(line, 3, "200/0", "b");
    line_expect_record(line, 4, "300/0", "c");
    line_expect_record(line, 5, "300/0", "d");
    for (uint32_t i = 3; i < 6; i++)
        scripted_delivery_ack(&line->delivery, i);
    line_expect_flush(line, 310);
}

static void who_gives_up_waits_until_the_producer_is_quiet(void **state)
{
    struct line *line = *state;
    line_start(line);
    line_transaction(line, 100, "a");
    line_expect_records(line, 1);
    line_lose_connection(line);
    scripted_delivery_unanswered(&line->delivery, true);
    line_abandon(line);
    fake_assert_contains(line->warning, "records_unconfirmed=1");
    assert_int_equal(atomic_load(&line->warnings), 2); /* and that requests are unanswered */
    assert_int_equal(pipeline_received(line->pipeline).value,
                     atomic_load(&line->status.received_lsn));
    scripted_delivery_unanswered(&line->delivery, false);
    line_start(line);
    line_ask_to_stop(line);
    line_expect_clean_end(line, 0);
    assert_int_equal(pipeline_received(line->pipeline).value, 0);
    assert_int_equal(pipeline_published(line->pipeline).value, 0);
}

/* ---- all at once ---- */

enum { MODEL_TRANSACTIONS = 60, MODEL_ROWS_MAX = 6, MODEL_RECORDS_MAX = 3 };

/* What each transaction's rows become: their numbers, in order. */
struct model {
    unsigned seed;
    uint32_t records, acked, losses;
    uint64_t received;                        /* where the next stream begins */
    uint32_t last_record[MODEL_TRANSACTIONS]; /* how many records there are with this one */
    uint32_t row_count[MODEL_TRANSACTIONS];
    char rows[MODEL_TRANSACTIONS][MODEL_ROWS_MAX][32];
};

static uint64_t final_lsn_of(uint32_t transaction)
{
    return 1000 + 100 * (uint64_t)transaction;
}

static uint32_t draw(struct model *model, uint32_t below)
{
    return (uint32_t)rand_r(&model->seed) % below;
}

static void model_init(struct model *model)
{
    for (uint32_t i = 0; i < MODEL_TRANSACTIONS; i++) {
        model->row_count[i] = draw(model, MODEL_ROWS_MAX + 1);
        for (uint32_t row = 0; row < model->row_count[i]; row++) {
            char *text = model->rows[i][row];
            size_t size = 0;
            for (uint32_t left = draw(model, MODEL_RECORDS_MAX + 1); left > 0; left--)
                size += (size_t)snprintf(text + size, sizeof(model->rows[i][row]) - size, "%s%u",
                                         size > 0 ? "," : "", model->records++);
        }
        model->last_record[i] = model->records;
    }
}

/* Up to `limit` messages, from the first transaction that was not received whole. */
static void say_some(struct model *model, struct line *line, uint32_t limit)
{
    uint32_t said = 0;
    for (uint32_t i = 0; i < MODEL_TRANSACTIONS && said < limit; i++) {
        if (final_lsn_of(i) + 10 <= model->received)
            continue;
        line_begin(line, final_lsn_of(i));
        line_relation(line);
        said += 2;
        for (uint32_t row = 0; row < model->row_count[i] && said < limit; row++, said++)
            line_row(line, model->rows[i][row]);
        if (said++ < limit)
            line_commit(line, final_lsn_of(i));
    }
}

/* Some of what was sent, in order: what may be confirmed follows from it. */
static void ack_some(struct model *model, struct line *line, uint32_t limit)
{
    uint32_t count = scripted_delivery_count(&line->delivery);
    uint32_t until = model->acked + limit < count ? model->acked + limit : count;
    for (uint32_t i = 0; i < MODEL_TRANSACTIONS && model->last_record[i] <= until; i++)
        line->allowed = final_lsn_of(i) + 10;
    for (; model->acked < until; model->acked++)
        scripted_delivery_ack(&line->delivery, model->acked);
}

/* What the server heard of a stream before it was lost. */
static void hear_all(struct line *line)
{
    struct pollfd ready = { .fd = line->fake.server.fd, .events = POLLIN };
    int64_t ignored;
    while (poll(&ready, 1, 0) == 1)
        assert_int_equal(line_hear(line, &ignored), 'd');
}

static void a_stream_that_is_lost_at_random_sends_all_once_and_in_order(void **state)
{
    struct line *line = *state;
    struct model model = { .seed = 20240229 };
    uint64_t last = final_lsn_of(MODEL_TRANSACTIONS - 1) + 10;
    model_init(&model);
    line_start(line);
    while (model.received < last) {
        scripted_delivery_room(&line->delivery, draw(&model, 12));
        line_cork(line, true);
        say_some(&model, line, 1 + draw(&model, 24));
        line_cork(line, false);
        (void)poll(NULL, 0, (int)draw(&model, 4));
        ack_some(&model, line, draw(&model, 6));
        hear_all(line);
        line_lose_connection(line);
        model.received = pipeline_received(line->pipeline).value;
        if (draw(&model, 2) == 0)
            line_serve(line);
        line_resume(line);
        if (model.losses++ == 5000)
            fail_msg("no end");
    }
    scripted_delivery_room(&line->delivery, UINT32_MAX);
    line_expect_records(line, model.records);
    for (uint32_t i = 0; i < model.records; i++)
        assert_int_equal(strtoul(scripted_delivery_record(&line->delivery, i).value, NULL, 10), i);
    assert_true(model.losses > MODEL_TRANSACTIONS / 2);
    ack_some(&model, line, model.records);
    line_expect_flush(line, last);
    assert_int_equal(atomic_load(&line->status.changes[CHANGE_COMMIT]), MODEL_TRANSACTIONS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        LINE_TEST(a_cut_between_transactions_goes_on_with_the_next),
        LINE_TEST(of_a_transaction_that_was_cut_the_missing_rows_are_sent),
        LINE_TEST(a_transaction_that_comes_again_is_open_until_its_commit),
        LINE_TEST(truncations_count_as_well),
        LINE_TEST(empty_transactions_come_again_as_well),
        LINE_TEST(of_a_change_that_was_half_sent_the_rest_is_sent),
        LINE_TEST(records_of_begin_and_commit_are_sent_once),
        LINE_TEST(a_transaction_that_is_cut_again_and_again_is_sent_once),
        LINE_TEST(a_change_that_waited_for_a_key_is_handled_again),
        LINE_TEST(what_is_acknowledged_while_it_is_cut_is_confirmed),
        LINE_TEST(a_record_that_is_refused_while_it_is_cut_ends_the_next_run),
        LINE_TEST(a_producer_that_is_lost_while_it_is_cut_ends_the_next_run),
        LINE_TEST(another_transaction_instead_starts_over),
        LINE_TEST(the_same_place_of_another_transaction_starts_over),
        LINE_TEST(a_server_that_passes_it_by_starts_over),
        LINE_TEST(a_stream_that_goes_on_knows_no_relation_of_the_first),
        LINE_TEST(a_keepalive_says_where_to_go_on),
        LINE_TEST(a_full_ring_goes_on_as_it_was),
        LINE_TEST(a_stop_reads_what_was_cut_to_its_commit),
        LINE_TEST(who_gives_up_starts_anew),
        LINE_TEST(who_gives_up_waits_until_the_producer_is_quiet),
        LINE_TEST(a_stream_that_is_lost_at_random_sends_all_once_and_in_order),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
