#include "operator/workers.h"

#include "scene.h"

#include <string.h>

enum { NOW_S = 1772366400 /* 2026-03-01T12:00:00Z */ };

/* JSON with "'" for each quote. */
static json_t *load(const char *text)
{
    char copy[4096];
    json_error_t error;
    snprintf(copy, sizeof(copy), "%s", text);
    for (char *at = copy; *at != '\0'; at++)
        *at = (char)(*at == '\'' ? '"' : *at);
    json_t *loaded = json_loads(copy, 0, &error);
    if (loaded == NULL)
        fail_msg("%s: %s", copy, error.text);
    return loaded;
}

#define WORKER "'labels':{'app.kubernetes.io/component':'worker'}"

struct sight {
    json_t *pods, *reports;
    struct workers workers;
};

static struct sight read_sight(const char *pods, const char *reports)
{
    struct sight sight = { .pods = load(pods), .reports = load(reports) };
    workers_read(sight.pods, sight.reports, (int64_t)NOW_S * 1000000, &sight.workers);
    return sight;
}

static void sight_done(struct sight *sight)
{
    json_decref(sight->pods);
    json_decref(sight->reports);
}

static void nobody_says_nothing(void **state)
{
    struct workers workers;
    (void)state;
    workers_read(NULL, NULL, 0, &workers);
    assert_int_equal(workers.pods, 0);
    assert_int_equal(workers.answered, 0);
    assert_string_equal(workers.leader, "");
    assert_string_equal(workers.stuck, "");
    assert_string_equal(workers.unreachable, "");
    assert_null(workers.streaming.body);
}

static void only_pods_of_the_deployment_that_are_not_over_count(void **state)
{
    AUTO(struct sight, sight_done)
    sight = read_sight("[{'metadata':{'name':'a'," WORKER "},'status':{'phase':'Running'}},"
                       " {'metadata':{'name':'b'," WORKER "},'status':{'phase':'Succeeded'}},"
                       " {'metadata':{'name':'c'," WORKER "},'status':{'phase':'Failed'}},"
                       " {'metadata':{'name':'d','labels':{'app.kubernetes.io/component':'drop'}}},"
                       " {'metadata':{'name':'e'}}]",
                       "{'b':{'body':{'state':'streaming'}},'d':{'body':{'state':'streaming'}}}");
    (void)state;
    assert_int_equal(sight.workers.pods, 1);
    assert_null(sight.workers.streaming.body);
}

#define TWO_PODS "[{'metadata':{'name':'w-1'," WORKER "}}, {'metadata':{'name':'w-10'," WORKER "}}]"

/* The new leader and the old one may both say that they lead for a moment. */
static void of_two_that_lead_the_one_that_streams_counts(void **state)
{
    AUTO(struct sight, sight_done)
    sight = read_sight(TWO_PODS, "{'w-1':{'body':{'state':'stopping','lease':{'leads':true}}},"
                                 " 'w-10':{'body':{'state':'streaming','lease':{'leads':true}}}}");
    (void)state;
    assert_string_equal(sight.workers.leader, "w-10");
    assert_string_equal(sight.workers.streaming.pod, "w-10");
}

static void a_silent_leader_is_known_by_its_whole_name(void **state)
{
    AUTO(struct sight, sight_done)
    sight = read_sight("[{'metadata':{'name':'w-1'," WORKER "}}, {'metadata':{'name':'w-10'," WORKER
                       "}}, {'metadata':{'name':'w-3'," WORKER "}}]",
                       "{'w-3':{'body':{'lease':{'holder':'w-10_5'}}}}");
    AUTO(struct sight, sight_done)
    other = read_sight(TWO_PODS, "{'w-10':{'body':{'lease':{'holder':'w-1_5'}}}}");
    AUTO(struct sight, sight_done)
    gone = read_sight(TWO_PODS, "{'w-10':{'body':{'lease':{'holder':'w-2_5'}}}}");
    (void)state;
    assert_string_equal(sight.workers.leader, "w-10");
    assert_string_equal(other.workers.leader, "w-1");
    assert_string_equal(gone.workers.leader, "");
}

/* It answers and says that it does not lead: what others saw before is not the truth of now. */
static void who_answers_speaks_for_itself(void **state)
{
    AUTO(struct sight, sight_done)
    sight = read_sight(TWO_PODS, "{'w-1':{'body':{'lease':{'leads':false,'holder':''}}},"
                                 " 'w-10':{'body':{'lease':{'leads':false,'holder':'w-1_5'}}}}");
    (void)state;
    assert_string_equal(sight.workers.leader, "");
}

static void the_freshest_sight_of_the_slot_counts_unless_it_is_old(void **state)
{
    static const struct {
        const char *reports, *pod;
    } rows[] = {
        { "{'w-1':{'body':{'slot':{'ageMs':9}}},'w-10':{'body':{'slot':{'ageMs':8}}}}", "w-10" },
        { "{'w-1':{'body':{'slot':{'ageMs':8}}},'w-10':{'body':{'slot':{'ageMs':9}}}}", "w-1" },
        { "{'w-1':{'body':{'slot':{'exists':true}}},'w-10':{'body':{'slot':{'ageMs':15000}}}}",
          "w-10" },
        { "{'w-1':{'body':{'slot':{'ageMs':15001}}}}", "" },
        { "{'w-1':{'body':{'state':'streaming','slot':{'ageMs':9}}},"
          " 'w-10':{'body':{'slot':{'ageMs':8}}}}",
          "w-1" },
        { "{'w-1':{'body':{'state':'streaming','slot':{'ageMs':90000}}},"
          " 'w-10':{'body':{'slot':{'ageMs':8}}}}",
          "w-10" },
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        AUTO(struct sight, sight_done) sight = read_sight(TWO_PODS, rows[i].reports);
        assert_string_equal(sight.workers.slot.pod, rows[i].pod);
    }
}

static void waiting_for_others_is_no_failure(void **state)
{
    static const struct {
        const char *class;
        bool fails;
    } rows[] = { { "wait", false }, { "step_down", false }, { "stopped", false },
                 { "", false },     { "retry", true },      { "reconnect", true },
                 { "halt", true },  { "config", true },     { "bug", true } };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        char reports[256];
        snprintf(reports, sizeof(reports), "{'w-1':{'body':{'reason':{'class':'%s'}}}}",
                 rows[i].class);
        AUTO(struct sight, sight_done) sight = read_sight(TWO_PODS, reports);
        assert_int_equal(sight.workers.failing.body != NULL, rows[i].fails);
    }
}

#define BLIND   "'database':{'seen':false,'error':{'code':'28P01'}}"
#define CUT_OFF "'brokers':{'reached':false,'error':{'code':'brokers_lost'}}"

/* Of several that have an outage who streams speaks, else who leads, else the first one. */
static void the_outage_of_who_streams_counts_before_others(void **state)
{
    static const struct {
        const char *first, *second, *pod;
        unsigned count;
    } rows[] = {
        { "'state':'standby'," BLIND, "'state':'standby'," BLIND, "w-1", 2 },
        { "'state':'standby'," BLIND, "'lease':{'leads':true}," BLIND, "w-10", 2 },
        { "'lease':{'leads':true}," BLIND, "'state':'streaming'," BLIND, "w-10", 2 },
        { "'state':'streaming'," BLIND, "'lease':{'leads':true}," BLIND, "w-1", 2 },
        { "'state':'streaming'", "'state':'standby'," BLIND, "w-10", 1 },
        { "'database':{'seen':true}", "'database':null", "", 0 },
        { "'database':7", "'state':'standby'", "", 0 },
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        char reports[512];
        snprintf(reports, sizeof(reports), "{'w-1':{'body':{%s}},'w-10':{'body':{%s}}}",
                 rows[i].first, rows[i].second);
        AUTO(struct sight, sight_done) sight = read_sight(TWO_PODS, reports);
        assert_string_equal(sight.workers.blind.pod, rows[i].pod);
        assert_int_equal(sight.workers.blinds, rows[i].count);
        assert_int_equal(sight.workers.blind.error != NULL, rows[i].count > 0);
        assert_int_equal(sight.workers.cut_offs, 0);
    }
    AUTO(struct sight, sight_done)
    sight = read_sight(TWO_PODS, "{'w-1':{'body':{" CUT_OFF "}}}");
    assert_string_equal(sight.workers.cut_off.pod, "w-1");
    assert_string_equal(kube_object_text(sight.workers.cut_off.error, "code", ""), "brokers_lost");
    assert_int_equal(sight.workers.blinds, 0);
}

/* Also between two attempts; but not while it sees nothing, nor from a stream. */
static void what_a_person_must_do_is_a_halt(void **state)
{
    static const struct {
        const char *body;
        bool halted;
    } rows[] = {
        { "'state':'halted','reason':null", true },
        { "'state':'halted','reason':{'class':'halt'}," BLIND, true },
        { "'state':'standby','reason':{'class':'halt'}", true },
        { "'state':'starting','reason':{'class':'config'}", true },
        { "'state':'starting','reason':{'class':'retry'}", false },
        { "'state':'standby','reason':{'class':'step_down'}", false },
        { "'state':'standby','reason':{'class':'halt'}," BLIND, false },
        { "'state':'streaming','reason':{'class':'halt'}", false },
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        char reports[256];
        snprintf(reports, sizeof(reports), "{'w-1':{'body':{%s}}}", rows[i].body);
        AUTO(struct sight, sight_done) sight = read_sight(TWO_PODS, reports);
        assert_int_equal(sight.workers.halted.body != NULL, rows[i].halted);
    }
}

#define POD_OF(status) "[{'metadata':{'name':'p'," WORKER "},'status':{" status "}}]"
#define SCHEDULED(time)                                                                            \
    "'conditions':[{'type':'PodScheduled','status':'True','lastTransitionTime':'" time "'}],"
#define WAITING(state) "'containerStatuses':[{'name':'worker','state':{'waiting':{" state "}}}]"

static void a_pod_that_cannot_run_says_why(void **state)
{
    static const struct {
        const char *pods, *reason, *text;
    } rows[] = {
        { POD_OF(WAITING("'reason':'ErrImagePull','message':'m'")), "ErrImagePull",
          "pod p: ErrImagePull: m" },
        { POD_OF(WAITING("'reason':'InvalidImageName'")), "InvalidImageName",
          "pod p: InvalidImageName" },
        { POD_OF(WAITING("'reason':'CrashLoopBackOff','message':'back-off'")), "CrashLoopBackOff",
          "pod p: CrashLoopBackOff: back-off" },
        { POD_OF(WAITING("'reason':'ContainerCreating'")), "", "" },
        { POD_OF(SCHEDULED("2026-03-01T11:59:41Z") WAITING("'reason':'ContainerCreating'")), "",
          "" },
        { POD_OF(SCHEDULED("2026-03-01T11:59:40Z") WAITING("'reason':'ContainerCreating'")),
          "ContainerCreating", "pod p: ContainerCreating: the container is not created yet" },
        { POD_OF(SCHEDULED("yesterday") WAITING("'reason':'ContainerCreating'")), "", "" },
        { POD_OF("'conditions':[{'type':'PodScheduled','status':'False'}]"), "Unschedulable",
          "pod p: Unschedulable" },
        { POD_OF("'containerStatuses':[{'name':'sidecar','state':{'waiting':{'reason':'X'}}}]"), "",
          "" },
        { "[{'metadata':{'name':'p','deletionTimestamp':'t'," WORKER
          "},'status':{" WAITING("'reason':'ErrImagePull'") "}}]",
          "", "" },
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        AUTO(struct sight, sight_done) sight = read_sight(rows[i].pods, "{}");
        assert_string_equal(sight.workers.stuck, rows[i].reason);
        assert_string_equal(sight.workers.stuck_text, rows[i].text);
    }
}

static void silence_counts_only_of_what_runs(void **state)
{
    static const struct {
        const char *status, *unreachable;
    } rows[] = {
        { "'containerStatuses':[{'name':'worker','started':true,'state':{'running':{}}}]", "p" },
        { "'containerStatuses':[{'name':'worker','started':false,'state':{'running':{}}}]", "" },
        { "'containerStatuses':[{'name':'worker','started':true,'state':{'terminated':{}}}]", "" },
        { "'phase':'Pending'", "" },
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        char pods[512];
        snprintf(pods, sizeof(pods), "[{'metadata':{'name':'p'," WORKER "},'status':{%s}}]",
                 rows[i].status);
        AUTO(struct sight, sight_done) sight = read_sight(pods, "{'p':{'error':'refused'}}");
        assert_string_equal(sight.workers.unreachable, rows[i].unreachable);
        AUTO(struct sight, sight_done) unasked = read_sight(pods, "{}");
        assert_string_equal(unasked.workers.unreachable, "");
    }
}

/* What a container wrote last is cut to its end, between characters, without its last newline. */
static void last_words_are_the_end(void **state)
{
    char out[WORKERS_TEXT_SIZE], message[1024] = "begin";
    (void)state;
    for (size_t i = 5; i < 900; i += 2)
        memcpy(message + i, "\xc3\xa4", 3);
    strcat(message, "end\r\n");
    AUTO(json_t *, json_decrefp)
    pods = objects_pack("[{s:{s:s, s:s, s:{s:s}}, s:{s:[{s:s, s:{s:{s:i, s:s, s:s}}}]}}]",
                        "metadata", "name", "j", "creationTimestamp", "2026-03-01T11:00:00Z",
                        "labels", "app.kubernetes.io/component", "drop", "status",
                        "containerStatuses", "name", "worker", "state", "terminated", "exitCode",
                        69, "reason", "Error", "message", message);
    workers_read_drop(pods, 0, out);
    assert_int_equal(strncmp(out, "pod j: it ended with code 69 (Error): \xc3\xa4", 40), 0);
    assert_string_equal(out + strlen(out) - 5, "\xc3\xa4"
                                               "end");
    assert_true(strlen(out) < 450);
}

static void of_several_tries_the_last_one_counts(void **state)
{
    char out[WORKERS_TEXT_SIZE];
    AUTO(json_t *, json_decrefp)
    pods = load("[{'metadata':{'name':'two','creationTimestamp':'2026-03-01T11:00:02Z',"
                "'labels':{'app.kubernetes.io/component':'drop'}},"
                "'status':{'containerStatuses':[{'name':'worker','state':{'terminated':"
                "{'exitCode':1}}}]}},"
                "{'metadata':{'name':'one','creationTimestamp':'2026-03-01T11:00:01Z',"
                "'labels':{'app.kubernetes.io/component':'drop'}}}]");
    (void)state;
    workers_read_drop(pods, 0, out);
    assert_string_equal(out, "pod two: it ended with code 1 (unknown)");
    workers_read_drop(NULL, 0, out);
    assert_string_equal(out, "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nobody_says_nothing),
        cmocka_unit_test(only_pods_of_the_deployment_that_are_not_over_count),
        cmocka_unit_test(of_two_that_lead_the_one_that_streams_counts),
        cmocka_unit_test(a_silent_leader_is_known_by_its_whole_name),
        cmocka_unit_test(who_answers_speaks_for_itself),
        cmocka_unit_test(the_freshest_sight_of_the_slot_counts_unless_it_is_old),
        cmocka_unit_test(waiting_for_others_is_no_failure),
        cmocka_unit_test(the_outage_of_who_streams_counts_before_others),
        cmocka_unit_test(what_a_person_must_do_is_a_halt),
        cmocka_unit_test(a_pod_that_cannot_run_says_why),
        cmocka_unit_test(silence_counts_only_of_what_runs),
        cmocka_unit_test(last_words_are_the_end),
        cmocka_unit_test(of_several_tries_the_last_one_counts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
