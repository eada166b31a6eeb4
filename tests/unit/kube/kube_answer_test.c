#include "kube/kube_answer.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

static void every_status_has_an_outcome(void **state)
{
    (void)state;
    for (int status = 200; status < 1000; status++) {
        enum kube_outcome outcome = kube_answer_outcome_of(status);
        enum kube_outcome wanted = status < 300                     ? KUBE_OK
                                   : status == 401 || status == 403 ? KUBE_DENIED
                                   : status == 404                  ? KUBE_NOT_FOUND
                                   : status == 409                  ? KUBE_CONFLICT
                                   : status == 410                  ? KUBE_GONE
                                   : status == 429                  ? KUBE_BUSY
                                   : status >= 500 && status < 600  ? KUBE_BUSY
                                                                    : KUBE_INVALID;
        assert_int_equal(outcome, wanted);
    }
}

static void outcomes_have_names_and_classes(void **state)
{
    static const struct {
        int status;
        const char *name;
        enum error_class class;
    } rows[] = {
        { 404, "not_found", ERROR_RETRY }, { 409, "conflict", ERROR_RETRY },
        { 410, "gone", ERROR_RETRY },      { 503, "busy", ERROR_RETRY },
        { 403, "denied", ERROR_RETRY },    { 422, "invalid", ERROR_CONFIG },
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct kube_answer answer = { .status = rows[i].status };
        kube_answer_judge(&answer, "PUT /x", -1);
        assert_string_equal(kube_answer_outcome_name(answer.outcome), rows[i].name);
        assert_int_equal(answer.err.class, rows[i].class);
        assert_memory_equal(answer.err.code, "api_", 4);
        assert_string_equal(answer.err.code + 4, rows[i].name);
    }
    assert_string_equal(kube_answer_outcome_name(KUBE_OK), "ok");
    assert_string_equal(kube_answer_outcome_name(KUBE_UNREACHABLE), "unreachable");
}

static void a_long_message_is_cut(void **state)
{
    (void)state;
    char message[5000];
    memset(message, 'm', sizeof(message) - 1);
    message[sizeof(message) - 1] = '\0';
    struct kube_answer answer = { .status = 409,
                                  .object =
                                      json_pack("{s:s, s:i}", "message", message, "reason", 5) };
    kube_answer_judge(&answer, "PUT /x", -1);
    assert_memory_equal(answer.err.text, "PUT /x: 409: mmm", 16);
    assert_int_equal(strlen(answer.err.text), ERROR_TEXT_SIZE - 1);
    kube_answer_done(&answer);
    assert_null(answer.object);
    kube_answer_done(&answer);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_status_has_an_outcome),
        cmocka_unit_test(outcomes_have_names_and_classes),
        cmocka_unit_test(a_long_message_is_cut),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
