#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "connector/measures.h"

#define SECOND_US INT64_C(1000000)

struct fixture {
    struct metrics *metrics;
    struct status status;
    struct measures measures;
    struct ack_tracker *tracker;
};

static int setup(void **state)
{
    static struct fixture fixture;
    fixture.metrics = metrics_new();
    status_init(&fixture.status);
    fixture.measures = measures_init(fixture.metrics, &fixture.status);
    fixture.tracker = ack_tracker_new(4);
    *state = &fixture;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *fixture = *state;
    ack_tracker_free(fixture->tracker);
    status_done(&fixture->status);
    metrics_free(fixture->metrics);
    return 0;
}

static void expect_sample(const struct fixture *fixture, const char *sample)
{
    AUTO(struct buf, buf_done) out = buf_init(1 << 20);
    metrics_write(fixture->metrics, &out);
    if (strstr(buf_text(&out), sample) == NULL)
        fail_msg("%s is not in %s", sample, buf_text(&out));
}

/* A transaction of that many records, committed at 100 s and read at `read_s`. */
static ticket_t closed(struct fixture *fixture, uint32_t records, int64_t read_s)
{
    struct change commit = { .kind = CHANGE_COMMIT };
    commit.as.commit.end_lsn = (lsn_t){ 500 };
    commit.as.commit.commit_time = server_time_from_unix_us(100 * SECOND_US);
    ticket_t ticket = ack_tracker_begin(fixture->tracker);
    ack_tracker_add(fixture->tracker, ticket, records);
    measures_close(&fixture->measures, fixture->tracker, ticket, &commit, read_s * SECOND_US,
                   records > 0);
    return ticket;
}

static void a_transaction_is_measured_when_it_is_read_and_acknowledged(void **state)
{
    struct fixture *fixture = *state;
    ticket_t ticket = closed(fixture, 1, 102);
    struct ack_times times;
    expect_sample(fixture, "\npqcdc_commit_to_receive_seconds_bucket{le=\"1\"} 0\n");
    expect_sample(fixture, "\npqcdc_commit_to_receive_seconds_bucket{le=\"2.5\"} 1\n");
    expect_sample(fixture, "\npqcdc_commit_to_receive_seconds_sum 2\n");
    expect_sample(fixture, "\npqcdc_receive_to_ack_seconds_count 0\n");
    assert_int_equal(fixture->status.lag_us, 2 * SECOND_US);
    assert_true(ack_tracker_done(fixture->tracker, ticket));
    assert_int_equal(ack_tracker_confirmed(fixture->tracker).value, 500);
    assert_true(ack_tracker_times(fixture->tracker, ticket, &times));
    measures_acked(&fixture->measures, times, 106 * SECOND_US);
    expect_sample(fixture, "\npqcdc_receive_to_ack_seconds_sum 4\n");
    expect_sample(fixture, "\npqcdc_receive_to_ack_seconds_bucket{le=\"2.5\"} 0\n");
    expect_sample(fixture, "\npqcdc_receive_to_ack_seconds_bucket{le=\"5\"} 1\n");
    expect_sample(fixture, "\npqcdc_end_to_end_seconds_sum 6\n");
    expect_sample(fixture, "\npqcdc_end_to_end_seconds_bucket{le=\"+Inf\"} 1\n");
    assert_int_equal(fixture->status.ack_us, 4 * SECOND_US);
}

static void a_transaction_without_records_is_never_acknowledged(void **state)
{
    struct fixture *fixture = *state;
    (void)closed(fixture, 0, 101);
    expect_sample(fixture, "\npqcdc_commit_to_receive_seconds_count 1\n");
    expect_sample(fixture, "\npqcdc_receive_to_ack_seconds_count 0\n");
    expect_sample(fixture, "\npqcdc_end_to_end_seconds_count 0\n");
}

static void a_clock_that_is_behind_counts_as_none(void **state)
{
    struct fixture *fixture = *state;
    (void)closed(fixture, 1, 97);
    measures_acked(&fixture->measures, (struct ack_times){ 100 * SECOND_US, 97 * SECOND_US },
                   96 * SECOND_US);
    expect_sample(fixture, "\npqcdc_commit_to_receive_seconds_sum 0\n");
    expect_sample(fixture, "\npqcdc_receive_to_ack_seconds_sum 0\n");
    expect_sample(fixture, "\npqcdc_end_to_end_seconds_sum 0\n");
    expect_sample(fixture, "\npqcdc_end_to_end_seconds_bucket{le=\"0.0005\"} 1\n");
    assert_int_equal(fixture->status.ack_us, 0);
}

static void what_ended_streams_is_counted_by_its_code(void **state)
{
    struct fixture *fixture = *state;
    static const char *const codes[] = { "57P01", "connection_lost", "57P01" };
    for (size_t i = 0; i < COUNT_OF(codes); i++) {
        struct error err = ERROR_INIT;
        (void)!error_set(&err, ERROR_RECONNECT, codes[i], "gone");
        measures_failed(&fixture->measures, &err);
    }
    expect_sample(fixture, "\npqcdc_reconnects_total{cause=\"57P01\"} 2\n"
                           "pqcdc_reconnects_total{cause=\"connection_lost\"} 1\n");
    assert_int_equal(fixture->status.failures, COUNT_OF(codes));
}

static void a_turn_tells_what_a_change_takes(void **state)
{
    struct fixture *fixture = *state;
    measures_turn(&fixture->measures, 4, 10);
    assert_int_equal(fixture->status.change_ns, 2500);
    measures_turn(&fixture->measures, 4, -10);
    assert_int_equal(fixture->status.change_ns, 0);
}

static void each_has_its_row_in_the_docs(void **state)
{
    (void)state;
    AUTO(struct buf, buf_done) docs = buf_init(1 << 20);
    measures_write_docs(&docs);
    assert_non_null(
        strstr(buf_text(&docs), "| `pqcdc_end_to_end_seconds` | histogram |  | Of each"));
    assert_non_null(strstr(buf_text(&docs), "| `pqcdc_reconnects_total` | counter | cause | "));
}

#define MEASURES_TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        MEASURES_TEST(a_transaction_is_measured_when_it_is_read_and_acknowledged),
        MEASURES_TEST(a_transaction_without_records_is_never_acknowledged),
        MEASURES_TEST(a_clock_that_is_behind_counts_as_none),
        MEASURES_TEST(what_ended_streams_is_counted_by_its_code),
        MEASURES_TEST(a_turn_tells_what_a_change_takes),
        MEASURES_TEST(each_has_its_row_in_the_docs),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
