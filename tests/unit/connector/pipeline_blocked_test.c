/* Why pipeline_run() does not read its socket, and what goes on meanwhile. */
#include "pipeline_line.h"

/* ---- backpressure ---- */

/* Sends as much as the sockets take; returns how much of `bytes` that was. */
static size_t fill_sockets(const struct line *line, const struct buf *bytes)
{
    size_t sent = 0;
    for (;;) {
        struct pollfd ready = { .fd = line->fake.server.fd, .events = POLLOUT };
        if (poll(&ready, 1, 200) == 0)
            return sent;
        ssize_t taken = send(line->fake.server.fd, bytes->data + sent, bytes->size - sent,
                             MSG_DONTWAIT | MSG_NOSIGNAL);
        if (taken > 0)
            sent += (size_t)taken;
        if (sent == bytes->size)
            return sent;
    }
}

enum { WIDE_ROWS = 400, WIDE_BYTES = 64 * 1024 };

/* CopyData messages of WIDE_ROWS inserts, each of whose texts begins with its number. */
static struct buf wide_rows(void)
{
    struct buf out = buf_init(2 * (size_t)WIDE_ROWS * WIDE_BYTES);
    AUTO(char *, memory_free_p) text = memory_alloc(WIDE_BYTES + 1);
    for (int i = 0; i < WIDE_ROWS; i++) {
        memset(text, 'x', WIDE_BYTES);
        (void)snprintf(text, 8, "%06d", i);
        text[6] = ' ';
        AUTO(struct buf, buf_done) row = bytes_insert(LINE_TABLE_OID, slice_of(text));
        buf_append_byte(&out, 'd');
        bytes_u32(&out, (uint32_t)(row.size + 29));
        buf_append_byte(&out, 'w');
        bytes_u64(&out, 1);
        bytes_u64(&out, LINE_SERVER_END);
        bytes_u64(&out, (uint64_t)BYTES_COMMIT_TIME);
        buf_append(&out, row.data, row.size);
    }
    CHECK(!out.failed);
    return out;
}

static void a_full_producer_stops_the_reading_and_nothing_else(void **state)
{
    struct line *line = *state;
    scripted_delivery_room(&line->delivery, 1);
    line_start(line);
    line_begin(line, 100);
    line_relation(line);
    line_row(line, "first");
    line_row(line, "second");
    LINE_WAIT(scripted_delivery_full_count(&line->delivery) > 0);
    LINE_WAIT(atomic_load(&line->status.blocked) == BLOCKED_OUTBOX);
    /* Asked for or not, the server hears from us while the socket is not read. */
    line_keepalive(line, 70, true);
    for (int i = 0; i < 5; i++)
        line_expect_still(line, 0);
    AUTO(struct buf, buf_done) rows = wide_rows();
    size_t sent = fill_sockets(line, &rows);
    assert_true(sent < rows.size);
    assert_int_equal(scripted_handler_calls(&line->handler, CHANGE_INSERT), 2);
    line_expect_still(line, 0);

    /* Room: what waited and what came since, in order. */
    scripted_delivery_room(&line->delivery, UINT32_MAX);
    struct buf rest = { .data = rows.data + sent, .size = rows.size - sent };
    assert_true(fake_write(&line->fake.server, &rest));
    line_commit(line, 100);
    line_expect_records(line, 2 + WIDE_ROWS);
    line_expect_record(line, 0, "100/0", "first");
    line_expect_record(line, 1, "100/1", "second");
    for (uint32_t i = 0; i < WIDE_ROWS; i++) {
        const struct scripted_record record = scripted_delivery_record(&line->delivery, 2 + i);
        assert_int_equal(strtoul(record.value, NULL, 10), i);
        assert_int_equal(record.value_size, WIDE_BYTES);
    }
    line_expect_still(line, 0);
    for (uint32_t i = 0; i < 2 + WIDE_ROWS; i++)
        scripted_delivery_ack(&line->delivery, i);
    line_expect_flush(line, 110);
    assert_int_equal(atomic_load(&line->status.blocked), 0);
}

static void what_waits_in_the_outbox_keeps_its_place(void **state)
{
    static const char *const expected[] = { "a", "b", "c", "d", "e", "f", "g" };
    struct line *line = *state;
    scripted_delivery_room(&line->delivery, 1);
    line_start(line);
    line_begin(line, 100);
    line_relation(line);
    line_row(line, "a,b,c,d");
    line_row(line, "e");
    line_row(line, "f,g");
    line_commit(line, 100);
    for (uint32_t count = 1; count < COUNT_OF(expected); count++) {
        LINE_WAIT(atomic_load(&line->status.blocked) == BLOCKED_OUTBOX);
        line_expect_records(line, count);
        scripted_delivery_room(&line->delivery, 1);
        LINE_WAIT(scripted_delivery_count(&line->delivery) > count);
    }
    for (uint32_t i = 0; i < COUNT_OF(expected); i++) {
        assert_string_equal(scripted_delivery_record(&line->delivery, i).value, expected[i]);
        line_expect_still(line, 0);
        scripted_delivery_ack(&line->delivery, i);
    }
    line_expect_flush(line, 110);
}

/* A producer that is empty and takes nothing either broke, which it says soon, or never will. */
static void a_record_that_does_not_fit_an_empty_queue_halts(void **state)
{
    struct line *line = *state;
    scripted_delivery_room(&line->delivery, 0);
    line_start(line);
    line_transaction(line, 100, "a");
    LINE_WAIT(atomic_load(&line->status.blocked) == BLOCKED_OUTBOX);
    line_expect_still(line, 0);
    line_skip_time(line, 60 * 1000);
    line_expect_failure(line, ERROR_HALT, "record_never_fits", "empty producer queue");
    fake_assert_contains(line->err.advice, "kafka.maxInFlightBytes");
}

static void a_producer_that_broke_while_it_was_empty_says_so(void **state)
{
    struct line *line = *state;
    scripted_delivery_room(&line->delivery, 0);
    line_start(line);
    line_transaction(line, 100, "a");
    LINE_WAIT(atomic_load(&line->status.blocked) == BLOCKED_OUTBOX);
    scripted_delivery_say(&line->delivery, DELIVERY_LOST);
    line_expect_failure(line, ERROR_RECONNECT, "_FATAL", "the producer says so");
}

/* However long it takes: while something is in flight, room will come. */
static void a_full_producer_that_works_is_waited_for(void **state)
{
    struct line *line = *state;
    scripted_delivery_room(&line->delivery, 1);
    line_start(line);
    line_transaction(line, 100, "a,b");
    LINE_WAIT(atomic_load(&line->status.blocked) == BLOCKED_OUTBOX);
    for (int i = 0; i < 3; i++) {
        line_skip_time(line, 3600 * 1000);
        line_expect_still(line, 0);
    }
    scripted_delivery_ack(&line->delivery, 0);
    scripted_delivery_room(&line->delivery, 1);
    line_expect_records(line, 2);
    scripted_delivery_ack(&line->delivery, 1);
    line_expect_flush(line, 110);
}

/* A gate is asked once a turn. */
static bool count_turn(void *self)
{
    atomic_fetch_add((_Atomic uint32_t *)self, 1);
    return false;
}

/* Ten statuses are ten turns of the timer; waiting costs hardly more. */
static void expect_rest(struct line *line, const _Atomic uint32_t *turns)
{
    int64_t ignored;
    (void)line_flush_now(line);
    uint32_t before = atomic_load(turns);
    for (int i = 0; i < 10; i++)
        assert_int_equal(line_hear(line, &ignored), 'd');
    assert_in_range(atomic_load(turns) - before, 1, 100);
}

static void a_line_that_waits_does_not_spin(void **state)
{
    struct line *line = *state;
    _Atomic uint32_t turns = 0;
    line->with.gate.self = &turns;
    line->with.gate.must_stop = count_turn;
    scripted_delivery_room(&line->delivery, 1);
    line_start(line);
    expect_rest(line, &turns); /* nothing to do */
    line_transaction(line, 100, "a,b");
    LINE_WAIT(atomic_load(&line->status.blocked) == BLOCKED_OUTBOX);
    line_keepalive(line, 70, true);
    expect_rest(line, &turns); /* bytes in the socket, and no room for them */
    line_ask_to_stop(line);
    LINE_WAIT(atomic_load(&line->stop_noticed));
    expect_rest(line, &turns);
    scripted_delivery_room(&line->delivery, 1);
    LINE_WAIT(atomic_load(&line->status.blocked) == BLOCKED_STOP);
    expect_rest(line, &turns); /* asked to stop, and something is in flight */
    line_expect_records(line, 2);
}

/* ---- others' code, which takes its time ---- */

enum { SLOW_CALLS = 100, SLOW_CALL_MS = 90, SLOW_LIMIT_MS = 2000 };

static void send_slow_rows(struct line *line)
{
    line->with.foreign = true;
    line->with.freeze_limit_ms = SLOW_LIMIT_MS; /* of one turn */
    line_start(line);
    line_cork(line, true);
    line_begin(line, 100);
    line_relation(line);
    for (int i = 0; i < SLOW_CALLS; i++)
        line_row(line, "a");
    line_commit(line, 100);
    line_cork(line, false);
    line_expect_records(line, SLOW_CALLS);
}

static void ack_all(struct line *line)
{
    pthread_mutex_lock(&line->delivery.lock); /* it finds all of them at once */
    for (uint32_t i = 0; i < SLOW_CALLS; i++) {
        const struct scripted_record *record = &line->delivery.records[i];
        line->delivery.events[line->delivery.event_count++] =
            (struct scripted_event){ .event = { DELIVERY_ACKED, .ticket = record->ticket },
                                     .cost = record->cost };
    }
    pthread_mutex_unlock(&line->delivery.lock);
    scripted_delivery_wake(&line->delivery);
    line_expect_flush(line, 110);
    line_expect_still(line, 110); /* and it goes on */
}

static void a_slow_handler_keeps_nobody_waiting(void **state)
{
    struct line *line = *state;
    line->handler.time_ms = &line->ahead_ms;
    line->handler.call_ms = SLOW_CALL_MS;
    send_slow_rows(line);
    ack_all(line);
}

static void a_slow_responder_keeps_nobody_waiting(void **state)
{
    struct line *line = *state;
    line->delivery.time_ms = &line->ahead_ms;
    line->delivery.event_ms = SLOW_CALL_MS;
    send_slow_rows(line);
    ack_all(line);
}

static void a_full_ring_blocks_between_transactions_only(void **state)
{
    struct line *line = *state;
    line->ring_entries = 2;
    line_start(line);
    line_transaction(line, 100, "a");
    line_begin(line, 200);
    line_row(line, "b");
    line_row(line, "c");
    line_commit(line, 200);
    line_transaction(line, 300, "d");
    line_expect_records(line, 3);
    LINE_WAIT(atomic_load(&line->status.blocked) == BLOCKED_IN_FLIGHT);
    line_expect_still(line, 0);
    assert_int_equal(scripted_handler_calls(&line->handler, CHANGE_BEGIN), 2);
    scripted_delivery_ack(&line->delivery, 0);
    line_expect_flush(line, 110);
    line_expect_records(line, 4);
    line_expect_record(line, 3, "300/0", "d");
    LINE_WAIT(atomic_load(&line->status.blocked) == BLOCKED_IN_FLIGHT);
    for (uint32_t i = 1; i < 4; i++)
        scripted_delivery_ack(&line->delivery, i);
    line_expect_flush(line, 310);
}

static void rows_that_give_no_record_keep_no_memory(void **state)
{
    enum { ROWS = 3000 };
    struct line *line = *state;
    line_start(line);
    line_begin(line, 100);
    line_relation(line);
    for (int i = 0; i < ROWS; i++)
        line_row(line, "");
    line_commit(line, 100);
    line_expect_flush(line, 110);
    assert_int_equal(scripted_handler_calls(&line->handler, CHANGE_INSERT), ROWS);
    assert_true(atomic_load(&line->handler.footprint_bytes) < 4 * (size_t)HANDLER_SCRATCH_BYTES);
}

/* ---- a handler that must wait ---- */

/* Holds `kind`, lets it be called some times, releases it. */
static void hold_and_release(struct line *line, enum change_kind kind)
{
    LINE_WAIT(atomic_load(&line->status.blocked) == BLOCKED_WAIT);
    uint32_t calls = scripted_handler_calls(&line->handler, kind);
    for (int i = 0; i < 3; i++) {
        uint32_t held = atomic_load(&line->handler.held);
        scripted_delivery_wake(&line->delivery);
        LINE_WAIT(atomic_load(&line->handler.held) > held);
    }
    line_expect_still(line, line->flushed);
    assert_int_equal(scripted_handler_calls(&line->handler, kind), calls);
    atomic_store(&line->handler.holds, HANDLER_NOTHING);
    scripted_delivery_wake(&line->delivery);
    LINE_WAIT(scripted_handler_calls(&line->handler, kind) > calls);
    assert_false(atomic_load(&line->handler.changed));
}

static void a_handler_that_waits_is_called_again_with_the_same_change(void **state)
{
    static const enum change_kind kinds[] = { CHANGE_BEGIN, CHANGE_RELATION, CHANGE_INSERT,
                                              CHANGE_COMMIT };
    struct line *line = *state;
    line->handler.boundaries = true;
    line_start(line);
    for (uint32_t i = 0; i < COUNT_OF(kinds); i++) {
        uint64_t final_lsn = 100 * (i + 1);
        atomic_store(&line->handler.holds, (int)kinds[i]);
        line_begin(line, final_lsn);
        line_relation(line);
        line_row(line, "a,b");
        line_commit(line, final_lsn);
        hold_and_release(line, kinds[i]);
        line_expect_records(line, 4 * (i + 1));
        static const char *const expected[] = { "begin", "a", "b", "commit" };
        for (uint32_t at = 0; at < 4; at++)
            assert_string_equal(scripted_delivery_record(&line->delivery, 4 * i + at).value,
                                expected[at]);
        for (uint32_t at = 0; at < 4; at++) {
            line_expect_still(line, line->flushed);
            scripted_delivery_ack(&line->delivery, 4 * i + at);
        }
        line_expect_flush(line, final_lsn + 10);
    }
}

/* What a change that waited became is sent before the next one is read: the next transaction has
 * another ticket, and the next Relation frees what the records may view. */
static void what_waited_is_sent_before_the_next_is_read(void **state)
{
    struct line *line = *state;
    line->handler.boundaries = true;
    atomic_store(&line->handler.holds, CHANGE_COMMIT);
    line_start(line);
    line_cork(line, true);
    line_begin(line, 100);
    line_commit(line, 100);
    line_begin(line, 200);
    line_commit(line, 200);
    line_cork(line, false);
    hold_and_release(line, CHANGE_COMMIT);
    line_expect_records(line, 4);
    line_expect_record(line, 1, "100/0", "commit");
    line_expect_record(line, 2, "200/0", "begin");
    ticket_t first = scripted_delivery_record(&line->delivery, 0).ticket;
    ticket_t second = scripted_delivery_record(&line->delivery, 2).ticket;
    assert_true(scripted_delivery_record(&line->delivery, 1).ticket.value == first.value);
    assert_true(scripted_delivery_record(&line->delivery, 3).ticket.value == second.value);
    assert_true(first.value != second.value);
    scripted_delivery_ack(&line->delivery, 0);
    scripted_delivery_ack(&line->delivery, 2);
    scripted_delivery_ack(&line->delivery, 3);
    line_expect_still(line, 0);
    scripted_delivery_ack(&line->delivery, 1);
    line_expect_flush(line, 210);
}

/* Said once; and it goes on when the key is there. */
static bool watcher_has_failed(struct line *line)
{
    struct watcher_blindness blindness;
    return watcher_last_error(line->with.watcher, &blindness) &&
           blindness.error.class != ERROR_NONE;
}

static void a_long_wait_for_a_key_is_said(void **state)
{
    struct line *line = *state;
    atomic_store(&line->handler.holds, CHANGE_INSERT);
    line_start(line);
    line_transaction(line, 100, "a");
    LINE_WAIT(atomic_load(&line->status.blocked) == BLOCKED_WAIT);
    line_expect_still(line, 0);
    assert_int_equal(atomic_load(&line->warnings), 0);
    LINE_WAIT(watcher_has_failed(line));
    line_skip_time(line, 60 * 1000);
    LINE_WAIT(atomic_load(&line->warnings) == 1);
    line_skip_time(line, 60 * 1000);
    line_expect_still(line, 0);
    atomic_store(&line->handler.holds, HANDLER_NOTHING);
    scripted_delivery_wake(&line->delivery);
    line_expect_records(line, 1);
    scripted_delivery_ack(&line->delivery, 0);
    line_expect_flush(line, 110);
    line_ask_to_stop(line);
    line_expect_clean_end(line, 110);
    assert_int_equal(atomic_load(&line->warnings), 1);
    fake_assert_contains(line->warning, "a table cannot be looked up in the catalogs");
    fake_assert_contains(line->warning, "127.0.0.1");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        LINE_TEST(a_full_producer_stops_the_reading_and_nothing_else),
        LINE_TEST(what_waits_in_the_outbox_keeps_its_place),
        LINE_TEST(a_record_that_does_not_fit_an_empty_queue_halts),
        LINE_TEST(a_producer_that_broke_while_it_was_empty_says_so),
        LINE_TEST(a_full_producer_that_works_is_waited_for),
        LINE_TEST(a_line_that_waits_does_not_spin),
        LINE_TEST(a_slow_handler_keeps_nobody_waiting),
        LINE_TEST(a_slow_responder_keeps_nobody_waiting),
        LINE_TEST(a_full_ring_blocks_between_transactions_only),
        LINE_TEST(rows_that_give_no_record_keep_no_memory),
        LINE_TEST(a_handler_that_waits_is_called_again_with_the_same_change),
        LINE_TEST(a_long_wait_for_a_key_is_said),
        LINE_TEST(what_waited_is_sent_before_the_next_is_read),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
