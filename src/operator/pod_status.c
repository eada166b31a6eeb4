#include "operator/pod_status.h"

#include <string.h>

#include "base/error.h"
#include "base/map.h"
#include "base/memory.h"
#include "base/text.h"
#include "kube/kube_object.h"
#include "operator/visit.h"

enum {
    ONCE_MORE_MS = 1000,
    SILENCES = 2,      /* in a row that count */
    FIGURES_TURNS = 3, /* intervals between two tellings of figures */
};

/* A pod that is asked. */
struct asked {
    struct pod_status *status;
    struct asked *next;
    char *key, *name, *address;
    struct loop_timer *timer;
    struct visit *visit;
    json_t *report; /* NULL = nothing is known yet */
    json_t *matter; /* of the report: what is told at once */
    mono_ms_t told;
    unsigned silences;
    bool kept; /* by the pod_status_watch() that runs */
};

struct pod_status {
    struct pod_status_options with;
    struct visit_pool *visits;
    struct asked *pods;
    uint64_t draws;
};

/* What is told at once, beside whether there is an answer. */
static const char *const matters[] = {
    "status",      "role",        "state",          "reason",      "database",
    "brokers",     "lease.leads", "lease.holder",   "lease.phase", "lease.error",
    "slot.exists", "slot.active", "slot.walStatus", "publication",
};

static json_t *matter_of(const json_t *report)
{
    const json_t *body = json_object_get(report, "body");
    json_t *matter = json_array();
    CHECK(json_array_append_new(matter, json_boolean(body != NULL)) == 0);
    for (size_t i = 0; i < COUNT_OF(matters) && body != NULL; i++) {
        json_t *value = kube_object_find(body, matters[i]);
        CHECK(json_array_append_new(matter, value != NULL ? json_incref(value) : json_null()) == 0);
    }
    return matter;
}

static void come_after(struct asked *pod, int64_t after_ms)
{
    loop_timer_set(pod->timer, mono_ms_add(clock_now(&pod->status->with.clock), after_ms));
}

static void take_report(struct asked *pod, json_t *report)
{
    struct pod_status *status = pod->status;
    AUTO(json_t *, json_decrefp) before = pod->report;
    AUTO(json_t *, json_decrefp) matter_before = pod->matter;
    mono_ms_t now = clock_now(&status->with.clock);
    pod->report = report;
    pod->matter = matter_of(report);
    bool matters_now = before == NULL || !json_equal(matter_before, pod->matter);
    bool moved = mono_ms_since(now, pod->told) >= FIGURES_TURNS * status->with.interval_ms &&
                 !json_equal(before, report);
    if (!matters_now && !moved)
        return;
    pod->told = now;
    status->with.on_changed(status->with.self, pod->key);
}

static void take_silence(struct asked *pod, const char *why)
{
    pod->silences++;
    if (pod->silences < SILENCES) {
        come_after(pod, ONCE_MORE_MS);
        return;
    }
    come_after(pod, pod->status->with.interval_ms);
    json_t *text = json_string(why);
    take_report(pod, json_pack("{s:o}", "error", text != NULL ? text : json_string("?")));
}

static void on_answer(void *self, int http, struct slice body, const struct error *err)
{
    struct asked *pod = self;
    pod->visit = NULL;
    if (err->class != ERROR_NONE) {
        take_silence(pod, err->text);
        return;
    }
    json_t *object = kube_object_load(body);
    if (!json_is_object(object)) {
        json_decref(object);
        AUTO(char *, memory_free_p) why =
            text_format("/status of %s: HTTP %d without JSON", pod->address, http);
        take_silence(pod, why);
        return;
    }
    pod->silences = 0;
    come_after(pod, pod->status->with.interval_ms);
    take_report(pod, json_pack("{s:o}", "body", object));
}

static void ask(void *self)
{
    struct asked *pod = self;
    struct pod_status *status = pod->status;
    bool six = strchr(pod->address, ':') != NULL;
    AUTO(char *, memory_free_p)
    url = text_format("http://%s%s%s:%d/status", six ? "[" : "", pod->address, six ? "]" : "",
                      (int)status->with.port);
    pod->visit = visit_start(status->visits, url, status->with.timeout_ms, on_answer, pod);
}

static void asked_free(struct asked *pod)
{
    visit_cancel(pod->visit);
    loop_timer_remove(pod->timer);
    json_decref(pod->report);
    json_decref(pod->matter);
    memory_free(pod->key);
    memory_free(pod->name);
    memory_free(pod->address);
    memory_free(pod);
}

struct pod_status *pod_status_new(const struct pod_status_options *options)
{
    struct pod_status *status = memory_alloc(sizeof(*status));
    *status = (struct pod_status){ .with = *options,
                                   .visits = visit_pool_new(options->loop),
                                   .draws = options->seed };
    return status;
}

void pod_status_free(struct pod_status *status)
{
    if (status == NULL)
        return;
    pod_status_clear(status);
    visit_pool_free(status->visits);
    memory_free(status);
}

/* NULL = it is not asked. */
static const char *address_of(const json_t *pod)
{
    const json_t *labels = kube_object_find(pod, "metadata.labels");
    const char *address = kube_object_text(pod, "status.podIP", "");
    bool runs = strcmp(kube_object_text(pod, "status.phase", ""), "Running") == 0;
    bool of_job = json_object_get(labels, "batch.kubernetes.io/job-name") != NULL ||
                  json_object_get(labels, "job-name") != NULL;
    /* It becomes a part of a URL. */
    bool sane = strspn(address, "0123456789abcdefABCDEF.:") == strlen(address);
    return runs && !of_job && sane && address[0] != '\0' ? address : NULL;
}

static struct asked *find(struct pod_status *status, const char *key, const char *name,
                          const char *address)
{
    struct asked *pod = status->pods;
    while (pod != NULL && (strcmp(pod->key, key) != 0 || strcmp(pod->name, name) != 0 ||
                           strcmp(pod->address, address) != 0))
        pod = pod->next;
    return pod;
}

/* The pods of many keys are seen at once, after a start: their turns are spread. */
static struct asked *begin(struct pod_status *status, const char *key, const char *name,
                           const char *address)
{
    struct asked *pod = memory_alloc(sizeof(*pod));
    *pod = (struct asked){
        .status = status,
        .next = status->pods,
        .key = memory_text(key),
        .name = memory_text(name),
        .address = memory_text(address),
    };
    status->pods = pod;
    pod->timer = loop_timer_add(status->with.loop, ask, pod);
    status->draws = status->draws * UINT64_C(6364136223846793005) + 1;
    come_after(pod, (int64_t)((status->draws >> 33) % 200));
    return pod;
}

static void sweep(struct pod_status *status, const char *key)
{
    struct asked **place = &status->pods;
    while (*place != NULL) {
        struct asked *pod = *place;
        if (!pod->kept && (key == NULL || strcmp(pod->key, key) == 0)) {
            *place = pod->next;
            asked_free(pod);
        } else {
            pod->kept = false;
            place = &pod->next;
        }
    }
}

void pod_status_watch(struct pod_status *status, const char *key, const json_t *pods)
{
    size_t i;
    const json_t *object;
    json_array_foreach(pods, i, object)
    {
        const char *name = kube_object_text(object, "metadata.name", "");
        const char *address = address_of(object);
        if (address == NULL)
            continue;
        struct asked *pod = find(status, key, name, address);
        if (pod == NULL)
            pod = begin(status, key, name, address);
        pod->kept = true;
    }
    sweep(status, key);
}

void pod_status_clear(struct pod_status *status)
{
    sweep(status, NULL);
}

json_t *pod_status_reports(const struct pod_status *status, const char *key)
{
    json_t *reports = json_object();
    for (const struct asked *pod = status->pods; pod != NULL; pod = pod->next)
        if (pod->report != NULL && strcmp(pod->key, key) == 0)
            CHECK(json_object_set(reports, pod->name, pod->report) == 0);
    return reports;
}

bool pod_status_is_pending(const struct pod_status *status, const char *key)
{
    for (const struct asked *pod = status->pods; pod != NULL; pod = pod->next)
        if (pod->report == NULL && strcmp(pod->key, key) == 0)
            return true;
    return false;
}

size_t pod_status_count(const struct pod_status *status)
{
    size_t count = 0;
    for (const struct asked *pod = status->pods; pod != NULL; pod = pod->next)
        count++;
    return count;
}
