#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "postgres/wal_message.h"

#define START "\0\0\0\0\1\2\3\4"
#define END   "\0\0\0\0\1\2\3\5"
#define TIME  "\0\3\3\xec\xe0\xbe\xd3\xf7"

static void test_data(void **state UNUSED)
{
    static const char bytes[] = "w" START END TIME "payload";
    struct wal_message message;
    assert_true(wal_message_read((struct slice){ bytes, sizeof(bytes) - 1 }, &message));
    assert_int_equal(message.kind, WAL_DATA);
    assert_int_equal(message.start.value, 0x01020304);
    assert_int_equal(message.server_end.value, 0x01020305);
    assert_int_equal(message.sent_at.value, 0x000303ece0bed3f7);
    assert_true(slice_is(message.payload, "payload"));
    assert_ptr_equal(message.payload.data, bytes + 25);
    assert_false(message.reply_asked);
}

static void test_keepalive(void **state UNUSED)
{
    static const char *const rows[] = { "k" END TIME "\0", "k" END TIME "\1" };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct wal_message message;
        assert_true(wal_message_read((struct slice){ rows[i], 18 }, &message));
        assert_int_equal(message.kind, WAL_KEEPALIVE);
        assert_true(lsn_is_none(message.start));
        assert_int_equal(message.server_end.value, 0x01020305);
        assert_int_equal(message.payload.size, 0);
        assert_int_equal(message.reply_asked, i == 1);
    }
}

static void test_what_is_no_message_is_left_alone(void **state UNUSED)
{
    static const char data[] = "w" START END TIME, keepalive[] = "k" END TIME "\0"
                                                                 "more";
    struct wal_message message = { .start = { 77 } };
    for (size_t size = 0; size < 25; size++)
        assert_false(wal_message_read((struct slice){ data, size }, &message));
    for (size_t size = 1; size < sizeof(keepalive); size++)
        if (size != 18)
            assert_false(wal_message_read((struct slice){ keepalive, size }, &message));
    assert_false(wal_message_read(SLICE_TEXT("r" START END TIME), &message));
    assert_int_equal(message.start.value, 77);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_data),
        cmocka_unit_test(test_keepalive),
        cmocka_unit_test(test_what_is_no_message_is_left_alone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
