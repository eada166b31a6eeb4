#include "kube/kube_lines.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/cleanup.h"

/* What came out, each line in brackets. */
static void take(struct kube_lines *lines, struct buf *out)
{
    struct slice line;
    while (kube_lines_next(lines, &line)) {
        buf_append_byte(out, '[');
        buf_append_slice(out, line);
        buf_append_byte(out, ']');
    }
}

static const char text[] = "one\ntwo\r\n\n\r\nthr\ree\n\r\r\nlast";
static const char wanted[] = "[one][two][thr\ree][\r]";

static void lines_do_not_depend_on_chunks(void **state)
{
    (void)state;
    for (size_t first = 0; first <= sizeof(text) - 1; first++) {
        for (size_t second = first; second <= sizeof(text) - 1; second++) {
            AUTO(struct kube_lines, kube_lines_done) lines = kube_lines_init(10);
            AUTO(struct buf, buf_done) out = buf_init(1000);
            size_t ends[] = { first, second, sizeof(text) - 1 };
            size_t at = 0;
            for (size_t i = 0; i < COUNT_OF(ends); at = ends[i++]) {
                assert_true(kube_lines_add(&lines, (struct slice){ text + at, ends[i] - at }));
                take(&lines, &out);
            }
            assert_string_equal(buf_text(&out), wanted);
            assert_false(kube_lines_is_empty(&lines));
        }
    }
}

static void lines_wait_until_they_are_taken(void **state)
{
    (void)state;
    AUTO(struct kube_lines, kube_lines_done) lines = kube_lines_init(10);
    AUTO(struct buf, buf_done) out = buf_init(1000);
    struct slice line;
    for (size_t i = 0; i < sizeof(text) - 1; i++)
        assert_true(kube_lines_add(&lines, (struct slice){ text + i, 1 }));
    assert_true(kube_lines_next(&lines, &line));
    assert_true(slice_is(line, "one"));
    assert_true(kube_lines_add(&lines, SLICE_TEXT("!\n")));
    take(&lines, &out);
    assert_string_equal(buf_text(&out), "[two][thr\ree][\r][last!]");
    assert_true(kube_lines_is_empty(&lines));
}

static void nothing_is_no_line(void **state)
{
    (void)state;
    AUTO(struct kube_lines, kube_lines_done) lines = kube_lines_init(10);
    struct slice line;
    assert_true(kube_lines_is_empty(&lines));
    assert_false(kube_lines_next(&lines, &line));
    assert_true(kube_lines_add(&lines, SLICE_TEXT("")));
    assert_true(kube_lines_add(&lines, SLICE_NULL));
    assert_false(kube_lines_next(&lines, &line));
    assert_true(kube_lines_is_empty(&lines));
}

/* At every place of the border between two chunks. */
static void a_line_has_a_limit(void **state)
{
    static const char bytes[] = "ab\n1234567890\n";
    static const char longer[] = "ab\n12345678901\n";
    (void)state;
    for (size_t cut = 0; cut < sizeof(longer); cut++) {
        AUTO(struct kube_lines, kube_lines_done) lines = kube_lines_init(10);
        if (cut < sizeof(bytes)) {
            assert_true(kube_lines_add(&lines, (struct slice){ bytes, cut }));
            assert_true(
                kube_lines_add(&lines, (struct slice){ bytes + cut, sizeof(bytes) - 1 - cut }));
        }
        AUTO(struct kube_lines, kube_lines_done) refused = kube_lines_init(10);
        bool taken =
            kube_lines_add(&refused, (struct slice){ longer, cut }) &&
            kube_lines_add(&refused, (struct slice){ longer + cut, sizeof(longer) - 1 - cut });
        assert_false(taken);
    }
}

static void far_too_much_is_refused(void **state)
{
    (void)state;
    AUTO(struct kube_lines, kube_lines_done) lines = kube_lines_init(10);
    static char many[64 * 1024];
    for (size_t i = 0; i < sizeof(many); i++)
        many[i] = i % 8 == 7 ? '\n' : 'x';
    int added = 0;
    while (kube_lines_add(&lines, (struct slice){ many, sizeof(many) }))
        added++;
    assert_in_range(added, 60, 70);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lines_do_not_depend_on_chunks),
        cmocka_unit_test(lines_wait_until_they_are_taken),
        cmocka_unit_test(nothing_is_no_line),
        cmocka_unit_test(a_line_has_a_limit),
        cmocka_unit_test(far_too_much_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
