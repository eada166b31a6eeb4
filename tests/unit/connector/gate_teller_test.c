/* What the gate is told, and when. */
#include "unit/connector/scripted_delivery.h"
#include "unit/postgres/fake_sessions.h"

#include "connector/gate_teller.h"
#include "connector/slot_only.h"

enum { PATIENCE_TURNS = 20 * 1000 };

struct fixture {
    struct scripted_delivery delivery;
    struct fake_sessions server;
    struct watcher *watcher;
    struct gate_teller teller;
    struct status status;
    struct broker_notice brokers;
    int64_t now_ms;
    int told;
    struct gate_news news; /* the last one */
    struct slot_sight sight;
};

static mono_ms_t now(void *self)
{
    return (mono_ms_t){ ((struct fixture *)self)->now_ms };
}

static int64_t wall_us(void *self UNUSED)
{
    return 1;
}

static void report(void *self, const struct gate_news *news)
{
    struct fixture *fixture = self;
    fixture->told++;
    fixture->news = *news;
    if (news->sight != NULL)
        fixture->sight = *news->sight;
}

static void tell(struct fixture *fixture, enum gate_phase phase)
{
    gate_teller_tell(&fixture->teller, phase, (lsn_t){ 42 });
}

static int setup(void **state)
{
    struct fixture *fixture = memory_alloc(sizeof(*fixture));
    fixture->now_ms = 1000;
    scripted_delivery_init(&fixture->delivery);
    fake_sessions_begin(&fixture->server, LOGIN_SERVED);
    fixture->watcher = watcher_start(&(struct watcher_options){
        .conn = fake_options(&fixture->server.peer),
        .slot = "orders",
        .interval_ms = 60 * 1000,
        .clock = clock_system(),
    });
    fixture->teller = (struct gate_teller){
        .gate = slot_only_gate(),
        .clock = { .now = now, .wall_us = wall_us, .self = fixture },
        .watcher = fixture->watcher,
        .delivery = &fixture->delivery.delivery,
        .brokers = &fixture->brokers,
    };
    status_init(&fixture->status);
    fixture->brokers.status = &fixture->status;
    fixture->teller.gate.self = fixture;
    fixture->teller.gate.report = report;
    for (int i = 0; watcher_sights(fixture->watcher) == 0; i++) {
        assert_true(i < PATIENCE_TURNS);
        (void)poll(NULL, 0, 1);
    }
    *state = fixture;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *fixture = *state;
    watcher_stop(fixture->watcher);
    fake_sessions_end(&fixture->server);
    scripted_delivery_done(&fixture->delivery);
    status_done(&fixture->status);
    memory_free(fixture);
    return 0;
}

static void the_first_word_has_all_of_it(void **state)
{
    struct fixture *fixture = *state;
    tell(fixture, GATE_IDLE);
    assert_int_equal(fixture->told, 1);
    assert_int_equal(fixture->news.phase, GATE_IDLE);
    assert_non_null(fixture->news.sight);
    assert_int_equal(fixture->news.confirmed.value, 42);
    assert_false(fixture->news.records_waiting);
    assert_int_equal(fixture->news.brokers_up, delivery_connected(fixture->teller.delivery));
}

static void nothing_new_is_told_once_a_second(void **state)
{
    struct fixture *fixture = *state;
    tell(fixture, GATE_IDLE);
    fixture->now_ms += 999;
    tell(fixture, GATE_IDLE);
    assert_int_equal(fixture->told, 1);
    fixture->now_ms += 1;
    tell(fixture, GATE_IDLE);
    assert_int_equal(fixture->told, 2);
    assert_null(fixture->news.sight); /* nobody has looked since */
}

static void another_phase_is_told_at_once(void **state)
{
    struct fixture *fixture = *state;
    tell(fixture, GATE_IDLE);
    tell(fixture, GATE_STREAMING);
    assert_int_equal(fixture->told, 2);
    assert_int_equal(fixture->news.phase, GATE_STREAMING);
    tell(fixture, GATE_STREAMING);
    assert_int_equal(fixture->told, 2);
}

/* Each look comes once, soon after it was taken. */
static void a_new_look_is_told_at_once(void **state)
{
    struct fixture *fixture = *state;
    tell(fixture, GATE_IDLE);
    uint64_t before = watcher_sights(fixture->watcher);
    watcher_set_interval(fixture->watcher, 10);
    for (int i = 0; watcher_sights(fixture->watcher) == before; i++) {
        assert_true(i < PATIENCE_TURNS);
        (void)poll(NULL, 0, 1);
    }
    watcher_set_interval(fixture->watcher, 60 * 1000);
    tell(fixture, GATE_IDLE);
    assert_int_equal(fixture->told, 2);
    assert_non_null(fixture->news.sight);
}

/* While nothing else is new. */
static void that_no_broker_is_reached_is_seen(void **state)
{
    struct fixture *fixture = *state;
    struct outage outage;
    scripted_delivery_connected(&fixture->delivery, false);
    tell(fixture, GATE_STREAMING);
    fixture->now_ms += BROKER_NOTICE_AFTER_MS;
    tell(fixture, GATE_STREAMING);
    status_kafka(&fixture->status, &outage);
    assert_string_equal(outage.error.code, "brokers_unreached");
    scripted_delivery_connected(&fixture->delivery, true);
    fixture->now_ms += 1000;
    tell(fixture, GATE_STREAMING);
    status_kafka(&fixture->status, &outage);
    assert_int_equal(outage.error.class, ERROR_NONE);
}

#define TELLER_TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TELLER_TEST(the_first_word_has_all_of_it),
        TELLER_TEST(nothing_new_is_told_once_a_second),
        TELLER_TEST(another_phase_is_told_at_once),
        TELLER_TEST(a_new_look_is_told_at_once),
        TELLER_TEST(that_no_broker_is_reached_is_seen),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
