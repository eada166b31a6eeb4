/* Which reason comes when is held by the goldens of reconcile_test.c; here: how errors are called,
 * and that no reason is without a scene. */
#include "operator/conditions.h"

#include "scene.h"

#include <string.h>

static void errors_are_called_by_their_own_names(void **state)
{
    static const struct {
        const char *name, *code, *expected;
    } rows[] = {
        { "slot_lost", "slot_lost", "SlotLost" },
        { "invalid_password", "28P01", "InvalidPassword" },
        { NULL, "MSG_SIZE_TOO_LARGE", "MsgSizeTooLarge" },
        { NULL, "_TRANSPORT", "Transport" },
        { NULL, "55P04", "Code55p04" },
        { NULL, "a\"b\n.c", "ABC" },
        { NULL, "\xc3\xa4", "Unknown" },
        { NULL, "", "Unknown" },
        { NULL, NULL, "Unknown" },
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        char name[CONDITIONS_REASON_SIZE];
        AUTO(json_t *, json_decrefp)
        reason = objects_pack("{s:s?, s:s?}", "name", rows[i].name, "code", rows[i].code);
        conditions_name_error(reason, name);
        assert_string_equal(name, rows[i].expected);
    }
}

static void a_long_error_is_cut(void **state)
{
    char long_name[300], name[CONDITIONS_REASON_SIZE];
    memset(long_name, 'x', sizeof(long_name) - 1);
    long_name[sizeof(long_name) - 1] = '\0';
    AUTO(json_t *, json_decrefp) reason = objects_pack("{s:s}", "code", long_name);
    (void)state;
    conditions_name_error(reason, name);
    assert_int_equal(strlen(name), CONDITIONS_REASON_SIZE - 1);
}

static void what_to_do_follows_what_happened(void **state)
{
    char text[CONDITIONS_TEXT_SIZE];
    AUTO(json_t *, json_decrefp)
    both = objects_pack("{s:s, s:s}", "text", "it is lost", "advice", "make it anew");
    AUTO(json_t *, json_decrefp) one = objects_pack("{s:s, s:s}", "text", "it", "advice", "");
    (void)state;
    conditions_describe_error(both, text);
    assert_string_equal(text, "it is lost; make it anew");
    conditions_describe_error(one, text);
    assert_string_equal(text, "it");
    conditions_describe_error(NULL, text);
    assert_string_equal(text, "");
}

/* Each reason of conditions.c is said by some golden, so that none is untested. */

static bool is_said(const json_t *scenes, const char *reason)
{
    const char *name;
    json_t *scene;
    json_object_foreach((json_t *)(uintptr_t)scenes, name, scene)
    {
        char path[512];
        snprintf(path, sizeof(path), SCENE_DIRECTORY "golden/%s.json", name);
        AUTO(json_t *, json_decrefp) golden = scene_load_file(path);
        const json_t *all = kube_object_find(golden, "status.conditions");
        for (size_t i = 0; i < json_array_size(all); i++) {
            const char *said = kube_object_text(json_array_get(all, i), "reason", "");
            if (strcmp(said, reason) == 0)
                return true;
        }
    }
    return false;
}

static bool is_documented(const char *manual, const char *reason)
{
    char quoted[128];
    snprintf(quoted, sizeof(quoted), "`%s`", reason);
    return strstr(manual, quoted) != NULL;
}

static void every_reason_has_its_scene_and_stands_in_the_manual(void **state)
{
    static const char *const reasons[] = {
        "Deleting",       "InvalidSpec",      "DuplicateSlot",   "Paused",
        "Scaled",         "Streaming",        "Halted:SlotLost", "PodsUnavailable",
        "Starting",       "NoLeader",         "ScalingDown",     "WorkerUnreachable",
        "Complete",       "RollingOut",       "DropFailed",      "ProgressDeadlineExceeded",
        "ApplyFailed",    "KindUnknown",      "NameTaken",       "SlotAtRisk",
        "Retrying",       "AsExpected",       "NotReported",     "SlotMissing",
        "SlotLost",       "Active",           "Inactive",        "LeaseHeld",
        "DatabaseUnseen", "KafkaUnreachable",
    };
    static char manual[256 * 1024];
    AUTO(json_t *, json_decrefp) scenes = scene_load_file(SCENE_DIRECTORY "scenes.json");
    FILE *file = fopen(TEST_DATA "/../../docs/kubernetes.md", "r");
    (void)state;
    assert_non_null(file);
    assert_true(fread(manual, 1, sizeof(manual) - 1, file) > 0);
    fclose(file);
    for (size_t i = 0; i < COUNT_OF(reasons); i++) {
        if (!is_said(scenes, reasons[i]))
            fail_msg("no golden says %s", reasons[i]);
        if (!is_documented(manual, reasons[i]))
            fail_msg("docs/kubernetes.md does not say %s", reasons[i]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(errors_are_called_by_their_own_names),
        cmocka_unit_test(a_long_error_is_cut),
        cmocka_unit_test(what_to_do_follows_what_happened),
        cmocka_unit_test(every_reason_has_its_scene_and_stands_in_the_manual),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
