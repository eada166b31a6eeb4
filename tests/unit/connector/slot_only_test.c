#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "connector/slot_only.h"

static void without_a_lease_everyone_may_try_and_nobody_is_sent_away(void **state)
{
    (void)state;
    const struct gate gate = slot_only_gate();
    const struct slot_sight busy = { .exists = true, .active = true, .active_pid = 7 };
    gate.report(gate.self, GATE_STARTING, NULL);
    assert_true(gate.may_start(gate.self));
    assert_false(gate.must_stop(gate.self));
    /* Whatever is reported: the slot itself refuses a second reader. */
    gate.report(gate.self, GATE_STARTING, &busy);
    gate.report(gate.self, GATE_STREAMING, NULL);
    gate.report(gate.self, GATE_STALLED, &busy);
    assert_true(gate.may_start(gate.self));
    assert_false(gate.must_stop(gate.self));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(without_a_lease_everyone_may_try_and_nobody_is_sent_away),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
