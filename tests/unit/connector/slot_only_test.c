#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/check.h"
#include "connector/slot_only.h"

static void without_a_lease_everyone_may_try_and_nobody_is_sent_away(void **state UNUSED)
{
    const struct gate gate = slot_only_gate();
    const struct slot_sight busy = { .exists = true, .active = true, .active_pid = 7 };
    const enum gate_phase phases[] = { GATE_IDLE, GATE_STARTING, GATE_STREAMING, GATE_HALTED };
    assert_true(gate.may_start(gate.self));
    assert_false(gate.must_stop(gate.self));
    /* Whatever is reported: the slot itself refuses a second reader. */
    for (size_t i = 0; i < COUNT_OF(phases); i++) {
        const struct gate_news news = { .phase = phases[i], .sight = &busy };
        gate.report(gate.self, &news);
        gate.acknowledge(gate.self);
        assert_true(gate.may_start(gate.self));
        assert_false(gate.must_stop(gate.self));
    }
    assert_int_equal(gate.fd, -1);
}

static void without_a_lease_nothing_outlives_the_process(void **state UNUSED)
{
    const struct gate gate = slot_only_gate();
    struct gate_memory memory = { .system_id = "7301", .timeline = 1 };
    struct gate_status status = { .leased = true };
    gate.remember(gate.self, &memory);
    assert_false(gate.recall(gate.self, &memory));
    assert_null(gate.how_to_forget);
    gate.describe(gate.self, &status);
    assert_false(status.leased);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(without_a_lease_everyone_may_try_and_nobody_is_sent_away),
        cmocka_unit_test(without_a_lease_nothing_outlives_the_process),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
