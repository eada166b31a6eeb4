#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "base/check.h"
#include "kafka/connection_error.h"
#include "kafka/notices.h"

#define REFUSED "10.0.0.1:9092/1: Connect to ipv4#10.0.0.1:9092 failed: Connection refused"
#define CLOSED  "10.0.0.1:9092/1: Disconnected (after 201ms in state UP)"

static bool hear(struct notices *notices, rd_kafka_resp_err_t code, const char *text, uint32_t up,
                 mono_ms_t now, struct error *note)
{
    struct error error = ERROR_INIT;
    connection_error_set(&error, code, text, NULL);
    return notices_error(notices, &error, up, now, note);
}

static mono_ms_t at(int64_t ms)
{
    return (mono_ms_t){ 1000000 + ms };
}

static bool fail_at(struct notices *notices, int64_t ms, uint32_t up, const char *text,
                    struct error *note)
{
    return hear(notices, RD_KAFKA_RESP_ERR__TRANSPORT, text, up, at(ms), note);
}

static bool all_down_at(struct notices *notices, int64_t ms, struct error *note)
{
    return hear(notices, RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN, "1/1 brokers are down", 0, at(ms),
                note);
}

static void an_outage_is_one_note_and_its_end_another(void **state)
{
    (void)state;
    struct notices notices = { 0 };
    struct error note = ERROR_INIT;
    /* librdkafka tells the error before the broker counts as lost */
    assert_false(fail_at(&notices, 0, 1, CLOSED, &note));
    assert_true(notices_look(&notices, 0, at(1), &note));
    assert_string_equal(note.code, "brokers_lost");
    assert_int_equal(note.class, ERROR_RETRY);
    assert_non_null(strstr(note.text, "no broker is connected: 10.0.0.1:9092/1: Disconnected"));
    assert_string_equal(note.advice, "Records wait until a broker is back; nothing is lost. Check "
                                     "kafka.brokers, the brokers and the network.");
    assert_false(all_down_at(&notices, 2, &note));
    for (int64_t ms = 3; ms < 12300; ms += 100) {
        assert_false(fail_at(&notices, ms, 0, REFUSED, &note));
        assert_false(notices_look(&notices, 0, at(ms), &note));
    }
    assert_true(notices_look(&notices, 1, at(12345), &note));
    assert_string_equal(note.code, "brokers_back");
    assert_int_equal(note.class, ERROR_NONE);
    assert_non_null(strstr(note.text, "none was for 12.3 s"));
    assert_false(notices_look(&notices, 1, at(12346), &note));
}

static void a_long_outage_is_said_again_each_minute(void **state)
{
    (void)state;
    struct notices notices = { 0 };
    struct error note = ERROR_INIT;
    assert_true(fail_at(&notices, 0, 0, REFUSED, &note));
    int told = 0;
    for (int64_t ms = 1000; ms <= 180000; ms += 1000)
        told += fail_at(&notices, ms, 0, ms % 2000 == 0 ? REFUSED : CLOSED, &note) ? 1 : 0;
    assert_int_equal(told, 3);
    assert_string_equal(note.code, "_TRANSPORT");
    assert_non_null(strstr(note.text, "(and 59 more like it)"));
}

static void another_reason_during_an_outage_is_said_at_once(void **state)
{
    (void)state;
    struct notices notices = { 0 };
    struct error note = ERROR_INIT;
    assert_true(fail_at(&notices, 0, 0, REFUSED, &note));
    assert_true(hear(&notices, RD_KAFKA_RESP_ERR__RESOLVE, "kafka:9092/1: no such host", 0, at(500),
                     &note));
    assert_string_equal(note.code, "_RESOLVE");
    assert_non_null(strstr(note.advice, "kafka.brokers"));
    assert_false(hear(&notices, RD_KAFKA_RESP_ERR__RESOLVE, "kafka:9092/1: no such host", 0,
                      at(900), &note));
}

static void advice_of_the_reason_stands_behind(void **state)
{
    (void)state;
    struct notices notices = { 0 };
    struct error note = ERROR_INIT;
    assert_true(hear(&notices, RD_KAFKA_RESP_ERR__RESOLVE, "kafka:9092/bootstrap: no host", 0,
                     at(0), &note));
    assert_string_equal(note.code, "brokers_lost");
    assert_non_null(strstr(note.advice, "nothing is lost. Check the host names in kafka.brokers"));
}

static void one_broker_of_many_is_no_outage(void **state)
{
    (void)state;
    struct notices notices = { 0 };
    struct error note = ERROR_INIT;
    assert_true(fail_at(&notices, 0, 3, CLOSED, &note));
    assert_string_equal(note.code, "_TRANSPORT");
    assert_false(fail_at(&notices, 10, 2, REFUSED, &note));
    assert_true(fail_at(&notices, 20, 2, "10.0.0.2:9092/2: Disconnected", &note));
    assert_false(notices_look(&notices, 2, at(5000), &note));
    assert_true(fail_at(&notices, NOTICE_REPEAT_MS, 2, REFUSED, &note));
    assert_non_null(strstr(note.text, "(and 1 more like it)"));
}

/* One broker is left, and it is not the one that failed. */
static void the_last_but_one_is_told_a_little_later(void **state)
{
    (void)state;
    struct notices notices = { 0 };
    struct error note = ERROR_INIT;
    assert_false(fail_at(&notices, 0, 1, CLOSED, &note));
    assert_false(notices_look(&notices, 1, at(500), &note));
    assert_true(notices_look(&notices, 1, at(NOTICE_SETTLE_MS), &note));
    assert_string_equal(note.code, "_TRANSPORT");
    assert_false(notices_look(&notices, 1, at(NOTICE_SETTLE_MS + 1), &note));
}

static void brokers_that_come_and_go_do_not_fill_the_log(void **state)
{
    (void)state;
    struct notices notices = { 0 };
    struct error note = ERROR_INIT;
    int told = 0;
    for (int64_t ms = 0; ms < 29000; ms += 200) {
        told += fail_at(&notices, ms, 0, CLOSED, &note) ? 1 : 0;
        told += notices_look(&notices, 1, at(ms + 100), &note) ? 1 : 0;
    }
    assert_in_range(told, 6, 7); /* three losses, three returns; the error between them */
    /* In the end it stays away, and that is told. */
    assert_false(fail_at(&notices, 29000, 0, CLOSED, &note));
    assert_true(notices_look(&notices, 0, at(20000 + NOTICE_LOSSES_MS), &note));
    assert_string_equal(note.code, "brokers_lost");
}

static void a_connection_closed_without_an_error_is_no_news(void **state)
{
    (void)state;
    struct notices notices = { 0 };
    struct error note = ERROR_INIT;
    assert_false(notices_look(&notices, 1, at(0), &note));
    assert_false(notices_look(&notices, 0, at(600000), &note));
    assert_false(notices_look(&notices, 1, at(600010), &note));
}

static void a_new_producer_is_no_loss(void **state)
{
    (void)state;
    struct notices notices = { 0 };
    struct error note = ERROR_INIT;
    assert_false(fail_at(&notices, 0, 1, CLOSED, &note));
    notices_restart(&notices);
    assert_false(notices_look(&notices, 0, at(10), &note));
    /* But an outage goes on. */
    assert_true(fail_at(&notices, 20, 0, REFUSED, &note));
    notices_restart(&notices);
    assert_false(fail_at(&notices, 30, 0, REFUSED, &note));
    assert_true(notices_look(&notices, 1, at(2020), &note));
    assert_non_null(strstr(note.text, "none was for 2.0 s"));
}

static void log_lines_are_told_once_a_minute(void **state)
{
    (void)state;
    struct notices notices = { 0 };
    struct error note = ERROR_INIT;
    const char *text = "[thrd:main]: Failed to acquire idempotence PID from broker a:1/1";
    assert_true(notices_log(&notices, "GETPID", text, at(0), &note));
    assert_string_equal(note.code, "librdkafka");
    assert_string_equal(note.text,
                        "kafka: GETPID: Failed to acquire idempotence PID from broker a:1/1");
    for (int64_t ms = 500; ms < NOTICE_REPEAT_MS; ms += 500)
        assert_false(notices_log(&notices, "GETPID", text, at(ms), &note));
    assert_true(notices_log(&notices, "PARTCNT", "Topic t partition count changed from 1 to 3",
                            at(10), &note));
    assert_true(notices_log(&notices, "GETPID", text, at(NOTICE_REPEAT_MS), &note));
    assert_non_null(strstr(note.text, "(and 119 more like it)"));
}

static void what_events_say_is_not_repeated_from_the_log(void **state)
{
    (void)state;
    struct notices notices = { 0 };
    struct error note = ERROR_INIT;
    assert_false(notices_log(&notices, "FAIL", "[thrd:x]: " REFUSED, at(0), &note));
    assert_false(notices_log(&notices, "ERROR", "1/1 brokers are down", at(0), &note));
    assert_false(notices_log(&notices, "FATAL", "Fatal error: ...", at(0), &note));
    assert_false(notices_log(&notices, "CONFWARN", "enable.gapless.guarantee is experimental",
                             at(0), &note));
    assert_true(notices_log(&notices, "CONFWARN", "something else", at(0), &note));
}

static void more_kinds_than_are_remembered(void **state)
{
    (void)state;
    struct notices notices = { 0 };
    struct error note = ERROR_INIT;
    for (int64_t i = 0; i < 3 * NOTICE_KINDS; i++) {
        char facility[16];
        snprintf(facility, sizeof facility, "F%d", (int)i);
        assert_true(notices_log(&notices, facility, "text", at(i), &note));
        assert_false(notices_log(&notices, facility, "text", at(i), &note));
    }
    char long_text[3000];
    memset(long_text, 'x', sizeof long_text - 1);
    long_text[sizeof long_text - 1] = '\0';
    assert_true(notices_log(&notices, "LONG", long_text, at(0), &note));
    assert_false(notices_log(&notices, "LONG", long_text, at(1), &note));
    assert_true(notices_log(&notices, "LONG", long_text, at(NOTICE_REPEAT_MS), &note));
    assert_non_null(strstr(note.text, "more like it"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_outage_is_one_note_and_its_end_another),
        cmocka_unit_test(a_long_outage_is_said_again_each_minute),
        cmocka_unit_test(another_reason_during_an_outage_is_said_at_once),
        cmocka_unit_test(advice_of_the_reason_stands_behind),
        cmocka_unit_test(one_broker_of_many_is_no_outage),
        cmocka_unit_test(the_last_but_one_is_told_a_little_later),
        cmocka_unit_test(brokers_that_come_and_go_do_not_fill_the_log),
        cmocka_unit_test(a_connection_closed_without_an_error_is_no_news),
        cmocka_unit_test(a_new_producer_is_no_loss),
        cmocka_unit_test(log_lines_are_told_once_a_minute),
        cmocka_unit_test(what_events_say_is_not_repeated_from_the_log),
        cmocka_unit_test(more_kinds_than_are_remembered),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
