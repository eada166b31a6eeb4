/* When it is said that Kafka is away. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "connector/broker_notice.h"

struct fixture {
    struct clock_manual time;
    struct clock clock;
    struct status status;
    struct broker_notice notice;
};

static int setup(void **state)
{
    static struct fixture fixture;
    fixture = (struct fixture){ .time = { .mono_ms = 100000, .wall_us = 7000000 } };
    fixture.clock = clock_manual(&fixture.time);
    status_init(&fixture.status);
    fixture.notice.status = &fixture.status;
    *state = &fixture;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *fixture = *state;
    status_done(&fixture->status);
    return 0;
}

static void look(struct fixture *fixture, bool reached, int64_t after_ms)
{
    fixture->time.mono_ms += after_ms;
    fixture->time.wall_us += after_ms * 1000;
    broker_notice_look(&fixture->notice, reached, &fixture->clock);
}

static void hear(struct fixture *fixture, const char *code, const char *text)
{
    struct error note;
    (void)error_set(&note, ERROR_RETRY, code, "%s", text);
    broker_notice_hear(&fixture->notice, &note);
}

static void expect(struct fixture *fixture, const char *code, const char *text)
{
    struct outage outage;
    status_kafka(&fixture->status, &outage);
    assert_string_equal(outage.error.code, code);
    assert_string_equal(outage.error.text, text);
}

static void a_reconnect_is_no_outage(void **state)
{
    struct fixture *fixture = *state;
    for (int i = 0; i < 10; i++) {
        look(fixture, false, 1000);
        look(fixture, false, BROKER_NOTICE_AFTER_MS - 1);
        expect(fixture, "", "");
        look(fixture, true, 1);
        expect(fixture, "", "");
    }
}

static void an_outage_has_its_beginning_and_its_end(void **state)
{
    static const char lost[] = "kafka: no broker is connected: refused";
    struct fixture *fixture = *state;
    struct outage outage;
    look(fixture, true, 0);
    look(fixture, false, 1000);
    hear(fixture, "brokers_lost", lost);
    look(fixture, false, BROKER_NOTICE_AFTER_MS - 1);
    expect(fixture, "", "");
    look(fixture, false, 1);
    expect(fixture, "brokers_lost", lost);
    look(fixture, false, 3600000);
    status_kafka(&fixture->status, &outage);
    assert_int_equal(outage.since_unix_us, 8000000);
    look(fixture, true, 1000);
    expect(fixture, "", "");
    look(fixture, false, 0);
    look(fixture, false, BROKER_NOTICE_AFTER_MS);
    expect(fixture, "brokers_unreached",
           "kafka: no broker is connected that acknowledges what is sent");
}

/* Where packets vanish the client learns of it half a minute later. */
static void what_the_client_says_later_is_said_too(void **state)
{
    struct fixture *fixture = *state;
    look(fixture, false, 0);
    look(fixture, false, BROKER_NOTICE_AFTER_MS);
    hear(fixture, "librdkafka", "kafka: GETPID: not now");
    expect(fixture, "brokers_unreached",
           "kafka: no broker is connected that acknowledges what is sent");
    hear(fixture, "brokers_lost", "kafka: no broker is connected: timed out");
    expect(fixture, "brokers_lost", "kafka: no broker is connected: timed out");
}

#define NOTICE_TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        NOTICE_TEST(a_reconnect_is_no_outage),
        NOTICE_TEST(an_outage_has_its_beginning_and_its_end),
        NOTICE_TEST(what_the_client_says_later_is_said_too),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
