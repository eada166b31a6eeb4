#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "connector/life_cycle.h"

static enum life_cycle_state next_of(enum life_cycle_state state, enum life_cycle_event event)
{
    const struct life_cycle_row *row = life_cycle_find(state, event);
    assert_non_null(row);
    return row->next;
}

static void a_failure_in_any_working_state_leads_back_to_starting(void **state)
{
    (void)state;
    static const enum life_cycle_state working[] = { LIFE_CYCLE_STARTING, LIFE_CYCLE_STANDBY,
                                                     LIFE_CYCLE_STREAMING };
    for (unsigned i = 0; i < sizeof(working) / sizeof(working[0]); i++)
        assert_int_equal(next_of(working[i], LIFE_CYCLE_ON_FAILED), LIFE_CYCLE_STARTING);
}

static void every_state_but_the_last_two_can_be_stopped(void **state)
{
    (void)state;
    for (int from = 0; from < LIFE_CYCLE_STATE_COUNT; from++) {
        if (from == LIFE_CYCLE_STOPPING || from == LIFE_CYCLE_OVER)
            continue;
        assert_int_equal(next_of((enum life_cycle_state)from, LIFE_CYCLE_ON_STOP),
                         LIFE_CYCLE_STOPPING);
    }
    assert_int_equal(next_of(LIFE_CYCLE_STOPPING, LIFE_CYCLE_ON_ENDED), LIFE_CYCLE_OVER);
}

static void nothing_happens_after_the_end(void **state)
{
    (void)state;
    for (int event = 0; event < LIFE_CYCLE_EVENT_COUNT; event++)
        assert_null(life_cycle_find(LIFE_CYCLE_OVER, (enum life_cycle_event)event));
}

static void a_halt_ends_by_a_person_or_by_a_retry_only(void **state)
{
    (void)state;
    for (int event = 0; event < LIFE_CYCLE_EVENT_COUNT; event++) {
        const struct life_cycle_row *row =
            life_cycle_find(LIFE_CYCLE_HALTED, (enum life_cycle_event)event);
        bool leads_on = event == LIFE_CYCLE_ON_STOP || event == LIFE_CYCLE_ON_RETRY;
        assert_int_equal(row != NULL, leads_on);
    }
    assert_int_equal(next_of(LIFE_CYCLE_HALTED, LIFE_CYCLE_ON_RETRY), LIFE_CYCLE_STARTING);
}

static void streaming_begins_only_from_starting(void **state)
{
    (void)state;
    unsigned count;
    const struct life_cycle_row *rows = life_cycle_rows(&count);
    for (unsigned i = 0; i < count; i++) {
        if (rows[i].next == LIFE_CYCLE_STREAMING)
            assert_int_equal(rows[i].state, LIFE_CYCLE_STARTING);
    }
}

static void each_state_is_reached_and_each_row_is_the_only_one_of_its_kind(void **state)
{
    (void)state;
    unsigned count;
    const struct life_cycle_row *rows = life_cycle_rows(&count);
    bool reached[LIFE_CYCLE_STATE_COUNT] = { [LIFE_CYCLE_STARTING] = true };
    for (unsigned i = 0; i < count; i++) {
        reached[rows[i].next] = true;
        assert_ptr_equal(life_cycle_find(rows[i].state, rows[i].event), &rows[i]);
        assert_true(rows[i].meaning[0] != '\0');
    }
    for (int at = 0; at < LIFE_CYCLE_STATE_COUNT; at++)
        assert_true(reached[at]);
}

static void names_are_those_of_the_documents(void **state)
{
    (void)state;
    assert_string_equal(life_cycle_state_name(LIFE_CYCLE_STANDBY), "standby");
    assert_string_equal(life_cycle_state_name(LIFE_CYCLE_HALTED), "halted");
    assert_string_equal(life_cycle_event_name(LIFE_CYCLE_ON_SLOT_BUSY), "slot_busy");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_failure_in_any_working_state_leads_back_to_starting),
        cmocka_unit_test(every_state_but_the_last_two_can_be_stopped),
        cmocka_unit_test(nothing_happens_after_the_end),
        cmocka_unit_test(a_halt_ends_by_a_person_or_by_a_retry_only),
        cmocka_unit_test(streaming_begins_only_from_starting),
        cmocka_unit_test(each_state_is_reached_and_each_row_is_the_only_one_of_its_kind),
        cmocka_unit_test(names_are_those_of_the_documents),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
