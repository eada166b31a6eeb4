#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/check.h"
#include "worker/slot_note.h"

static const char text[] =
    "{\"systemId\":\"7301234567890123456\",\"timeline\":3,\"slot\":\"orders\","
    "\"consistentPoint\":\"0/16B3748\",\"delivered\":\"16/B374D848\"}";

static void what_is_written_is_read(void **state UNUSED)
{
    const struct gate_memory memory = {
        .system_id = "7301234567890123456",
        .timeline = 3,
        .consistent_point = { 0x16B3748 },
        .delivered = { 0x16B374D848 },
    };
    struct gate_memory read = { .timeline = 0 };
    char out[512];
    slot_note_write(&memory, "orders", out, sizeof(out));
    assert_string_equal(out, text);
    assert_true(slot_note_read(out, "orders", &read));
    assert_string_equal(read.system_id, memory.system_id);
    assert_int_equal(read.timeline, 3);
    assert_true(read.consistent_point.value == memory.consistent_point.value);
    assert_true(read.delivered.value == memory.delivered.value);
}

/* A Lease may serve one slot after another. */
static void a_note_of_another_slot_says_nothing(void **state UNUSED)
{
    struct gate_memory read = { .timeline = 77 };
    assert_false(slot_note_read(text, "invoices", &read));
    assert_int_equal(read.timeline, 77);
}

/* Anybody may edit it. */
static void what_is_no_note_is_not_believed(void **state UNUSED)
{
    static const char *const texts[] = {
        "",
        "{}",
        "[]",
        "null",
        "no JSON",
        "{\"systemId\":7301,\"timeline\":3,\"slot\":\"orders\",\"consistentPoint\":\"0/1\","
        "\"delivered\":\"0/2\"}",
        "{\"systemId\":\"\",\"timeline\":3,\"slot\":\"orders\",\"consistentPoint\":\"0/1\","
        "\"delivered\":\"0/2\"}",
        "{\"systemId\":\"73\\\"\",\"timeline\":3,\"slot\":\"orders\",\"consistentPoint\":\"0/1\","
        "\"delivered\":\"0/2\"}",
        "{\"systemId\":\"730123456789012345678901\",\"timeline\":3,\"slot\":\"orders\","
        "\"consistentPoint\":\"0/1\",\"delivered\":\"0/2\"}",
        "{\"systemId\":\"7301\",\"timeline\":0,\"slot\":\"orders\",\"consistentPoint\":\"0/1\","
        "\"delivered\":\"0/2\"}",
        "{\"systemId\":\"7301\",\"timeline\":4294967296,\"slot\":\"orders\","
        "\"consistentPoint\":\"0/1\",\"delivered\":\"0/2\"}",
        "{\"systemId\":\"7301\",\"timeline\":3,\"slot\":\"orders\",\"consistentPoint\":\"1\","
        "\"delivered\":\"0/2\"}",
        "{\"systemId\":\"7301\",\"timeline\":3,\"slot\":\"orders\",\"consistentPoint\":\"0/1\"}",
        "{\"systemId\":\"7301\",\"timeline\":3,\"consistentPoint\":\"0/1\",\"delivered\":\"0/2\"}",
    };
    for (size_t i = 0; i < COUNT_OF(texts); i++) {
        struct gate_memory read = { .timeline = 77 };
        if (slot_note_read(texts[i], "orders", &read))
            fail_msg("believed: %s", texts[i]);
        assert_int_equal(read.timeline, 77);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_written_is_read),
        cmocka_unit_test(a_note_of_another_slot_says_nothing),
        cmocka_unit_test(what_is_no_note_is_not_believed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
