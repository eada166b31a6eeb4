#include "operator/workers.h"

#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "base/check.h"
#include "base/cleanup.h"
#include "kube/kube_object.h"
#include "operator/pod.h"

/* How long a container may take to be created before it is worth a word: what is missing for its
 * volumes stands in no field of the pod, only in events. */
enum { PATIENCE_S = 20, LAST_WORDS_MAX_BYTES = 400, SIGHT_MAX_AGE_MS = 15000 };

static const json_t *worker_container(const json_t *pod)
{
    const json_t *all = kube_object_find(pod, "status.containerStatuses");
    for (size_t i = 0; i < json_array_size(all); i++) {
        const json_t *one = json_array_get(all, i);
        if (strcmp(kube_object_text(one, "name", ""), POD_CONTAINER) == 0)
            return one;
    }
    return NULL;
}

static bool is_over(const json_t *pod)
{
    const char *phase = kube_object_text(pod, "status.phase", "");
    return strcmp(phase, "Succeeded") == 0 || strcmp(phase, "Failed") == 0;
}

static bool is_component(const json_t *pod, const char *component)
{
    const json_t *labels = kube_object_find(pod, "metadata.labels");
    const char *name = json_string_value(json_object_get(labels, "app.kubernetes.io/component"));
    return name != NULL && strcmp(name, component) == 0;
}

bool workers_is_worker(const json_t *pod)
{
    return is_component(pod, "worker") && !is_over(pod);
}

static const json_t *condition_of(const json_t *pod, const char *type)
{
    const json_t *all = kube_object_find(pod, "status.conditions");
    for (size_t i = 0; i < json_array_size(all); i++) {
        const json_t *one = json_array_get(all, i);
        if (strcmp(kube_object_text(one, "type", ""), type) == 0)
            return one;
    }
    return NULL;
}

/* Why a pod cannot run. */

struct stuck {
    char *reason, *text; /* of a struct workers */
};

static void say(const struct stuck *out, const json_t *pod, const char *reason, const char *text)
{
    snprintf(out->reason, WORKERS_REASON_SIZE, "%s", reason);
    snprintf(out->text, WORKERS_TEXT_SIZE, "pod %s: %s%s%s",
             kube_object_text(pod, "metadata.name", ""), reason, text[0] != '\0' ? ": " : "", text);
    objects_trim(out->text);
}

static bool is_unschedulable(const json_t *pod, const struct stuck *out)
{
    const json_t *scheduled = condition_of(pod, "PodScheduled");
    if (strcmp(kube_object_text(scheduled, "status", ""), "False") != 0)
        return false;
    say(out, pod, kube_object_text(scheduled, "reason", "Unschedulable"),
        kube_object_text(scheduled, "message", ""));
    return true;
}

static void name_source(const json_t *reference, const char *kind, struct buf *out)
{
    const json_t *items = json_object_get(reference, "items");
    buf_append_format(out, "%s%s \"%s\"", out->size > 0 ? ", " : "", kind,
                      kube_object_text(reference, "name", ""));
    for (size_t i = 0; i < json_array_size(items); i++)
        buf_append_format(out, " with key \"%s\"",
                          kube_object_text(json_array_get(items, i), "key", ""));
}

/* What the pod's volumes need of the namespace. */
static void name_needs(const json_t *pod, struct buf *out)
{
    const json_t *volumes = kube_object_find(pod, "spec.volumes");
    for (size_t i = 0; i < json_array_size(volumes); i++) {
        const json_t *volume = json_array_get(volumes, i);
        const json_t *sources = kube_object_find(volume, "projected.sources");
        const char *name = kube_object_text(volume, "secret.secretName", "");
        if (name[0] != '\0')
            buf_append_format(out, "%sSecret \"%s\"", out->size > 0 ? ", " : "", name);
        if (strcmp(kube_object_text(volume, "name", ""), "credentials") != 0)
            continue;
        for (size_t j = 0; j < json_array_size(sources); j++) {
            const json_t *source = json_array_get(sources, j);
            const json_t *secret = json_object_get(source, "secret");
            const json_t *map = json_object_get(source, "configMap");
            if (secret != NULL || map != NULL)
                name_source(secret != NULL ? secret : map, secret != NULL ? "Secret" : "ConfigMap",
                            out);
        }
    }
}

static bool is_creating_long(const json_t *pod, int64_t now_us, const struct stuck *out)
{
    const json_t *scheduled = condition_of(pod, "PodScheduled");
    if (strcmp(kube_object_text(scheduled, "status", ""), "True") != 0 ||
        objects_age_s(kube_object_text(scheduled, "lastTransitionTime", ""), now_us) < PATIENCE_S)
        return false;
    AUTO(struct buf, buf_done) needs = buf_init(WORKERS_TEXT_SIZE / 2);
    AUTO(struct buf, buf_done) text = buf_init(WORKERS_TEXT_SIZE);
    name_needs(pod, &needs);
    buf_append_text(&text, "the container is not created yet");
    if (needs.size > 0)
        buf_append_format(&text, "; is all there that it needs: %s? (kubectl describe pod %s)",
                          buf_text(&needs), kube_object_text(pod, "metadata.name", ""));
    say(out, pod, "ContainerCreating", buf_text(&text));
    return true;
}

/* The end of what the container wrote last, which says why it ended. */
static struct slice last_words(const json_t *terminated)
{
    const char *text = kube_object_text(terminated, "message", "");
    size_t size = strlen(text);
    while (size > 0 && (text[size - 1] == '\n' || text[size - 1] == '\r'))
        size--;
    size_t from = size > LAST_WORDS_MAX_BYTES ? size - LAST_WORDS_MAX_BYTES : 0;
    while (from < size && ((unsigned char)text[from] & 0xC0U) == 0x80U)
        from++;
    return (struct slice){ text + from, size - from };
}

static void describe_end(const json_t *terminated, struct buf *out)
{
    struct slice words = last_words(terminated);
    buf_append_format(out, "it ended with code %lld (%s)",
                      (long long)kube_object_integer(terminated, "exitCode", -1),
                      kube_object_text(terminated, "reason", "unknown"));
    buf_append_text(out, words.size > 0 ? ": " : "");
    buf_append_slice(out, words);
}

static bool is_waiting(const json_t *pod, int64_t now_us, const struct stuck *out)
{
    const json_t *container = worker_container(pod);
    const char *reason = kube_object_text(container, "state.waiting.reason", "");
    if (strcmp(reason, "ContainerCreating") == 0 || strcmp(reason, "PodInitializing") == 0)
        return is_creating_long(pod, now_us, out);
    if (reason[0] == '\0')
        return false;
    const json_t *ended = kube_object_find(container, "lastState.terminated");
    if (strcmp(reason, "CrashLoopBackOff") != 0 || ended == NULL) {
        say(out, pod, reason, kube_object_text(container, "state.waiting.message", ""));
        return true;
    }
    AUTO(struct buf, buf_done) text = buf_init(WORKERS_TEXT_SIZE);
    describe_end(ended, &text);
    say(out, pod, reason, buf_text(&text));
    return true;
}

static bool is_stuck(const json_t *pod, int64_t now_us, const struct stuck *out)
{
    bool is_leaving = kube_object_text(pod, "metadata.deletionTimestamp", NULL) != NULL;
    return !is_leaving && (is_unschedulable(pod, out) || is_waiting(pod, now_us, out));
}

/* What the workers say. */

static bool is_running(const json_t *pod)
{
    const json_t *container = worker_container(pod);
    return json_is_true(json_object_get(container, "started")) &&
           kube_object_find(container, "state.running") != NULL;
}

static bool state_is(const json_t *body, const char *state)
{
    return strcmp(kube_object_text(body, "state", ""), state) == 0;
}

static bool class_is_of(const json_t *body, const char *const *classes, size_t count)
{
    const char *class = kube_object_text(body, "reason.class", "");
    for (size_t i = 0; i < count; i++) {
        if (strcmp(class, classes[i]) == 0)
            return true;
    }
    return false;
}

/* Waiting for others (a standby) is no failure. */
static bool is_failing(const json_t *body)
{
    static const char *const failures[] = { "retry", "reconnect", "halt", "config", "bug" };
    return class_is_of(body, failures, COUNT_OF(failures));
}

static bool is_blind(const json_t *body)
{
    return json_is_false(kube_object_find(body, "database.seen"));
}

static bool is_cut_off(const json_t *body)
{
    return json_is_false(kube_object_find(body, "brokers.reached"));
}

/* Between two attempts as well; while it sees nothing, that is what is wrong. */
static bool is_halted(const json_t *body)
{
    static const char *const halts[] = { "halt", "config", "bug" };
    return state_is(body, "halted") || (class_is_of(body, halts, COUNT_OF(halts)) &&
                                        !state_is(body, "streaming") && !is_blind(body));
}

static bool leads(const json_t *body)
{
    return json_is_true(kube_object_find(body, "lease.leads"));
}

static struct workers_voice voice_of(const char *pod, const json_t *body, const char *error)
{
    return (struct workers_voice){ pod, body, kube_object_find(body, error) };
}

static void keep(struct workers_voice *voice, const char *pod, const json_t *body, bool is_it)
{
    if (is_it && voice->body == NULL)
        *voice = voice_of(pod, body, "reason");
}

/* Who streams, else who leads, else the first one. */
static int rank(const json_t *body)
{
    return body == NULL ? 0 : state_is(body, "streaming") ? 3 : leads(body) ? 2 : 1;
}

static void keep_outage(struct workers_voice *voice, uint32_t *count, bool is_it,
                        struct workers_voice outage)
{
    if (!is_it)
        return;
    ++*count;
    if (rank(outage.body) > rank(voice->body))
        *voice = outage;
}

/* A look at the slot that is older tells of a worker that cannot see it. */
static int64_t sight_age_ms(const json_t *body)
{
    return kube_object_integer(body, "slot.ageMs", INT64_MAX);
}

static void keep_freshest(struct workers_voice *voice, const char *pod, const json_t *body)
{
    int64_t age_ms = sight_age_ms(body);
    if (age_ms <= SIGHT_MAX_AGE_MS && age_ms < sight_age_ms(voice->body))
        *voice = voice_of(pod, body, "reason");
}

static void hear(struct workers *out, const json_t *pod, const json_t *report)
{
    const char *name = kube_object_text(pod, "metadata.name", "");
    const json_t *body = json_object_get(report, "body");
    const char *error = json_string_value(json_object_get(report, "error"));
    if (body == NULL) {
        if (error != NULL && out->unreachable[0] == '\0' && is_running(pod)) {
            out->unreachable = name;
            out->unreachable_text = error;
        }
        return;
    }
    out->answered++;
    if (leads(body) && (out->leader[0] == '\0' || state_is(body, "streaming")))
        out->leading = voice_of(name, body, "reason");
    out->leader = out->leading.pod;
    keep(&out->streaming, name, body, state_is(body, "streaming"));
    keep(&out->halted, name, body, is_halted(body));
    keep(&out->failing, name, body, is_failing(body));
    keep_outage(&out->blind, &out->blinds, is_blind(body), voice_of(name, body, "database.error"));
    keep_outage(&out->cut_off, &out->cut_offs, is_cut_off(body),
                voice_of(name, body, "brokers.error"));
    keep_freshest(&out->slot, name, body);
}

static bool has_identity(const char *holder, const char *pod)
{
    size_t size = strlen(pod);
    return size > 0 && strncmp(holder, pod, size) == 0 && holder[size] == '_';
}

/* A leader that does not answer is known from what the others see in the Lease. */
static void find_silent_leader(struct workers *out, const json_t *pods, const json_t *reports)
{
    const char *name;
    json_t *report;
    json_object_foreach((json_t *)(uintptr_t)reports, name, report)
    {
        const char *holder = kube_object_text(report, "body.lease.holder", "");
        for (size_t i = 0; i < json_array_size(pods) && out->leader[0] == '\0'; i++) {
            const json_t *pod = json_array_get(pods, i);
            const char *other = kube_object_text(pod, "metadata.name", "");
            bool answers = kube_object_find(json_object_get(reports, other), "body") != NULL;
            if (workers_is_worker(pod) && !answers && has_identity(holder, other))
                out->leader = other;
        }
    }
}

void workers_read(const json_t *pods, const json_t *reports, int64_t now_us,
                  struct workers *out_workers)
{
    *out_workers = (struct workers){
        .leader = "",
        .unreachable = "",
        .unreachable_text = "",
        .leading.pod = "",
        .streaming.pod = "",
        .halted.pod = "",
        .failing.pod = "",
        .blind.pod = "",
        .cut_off.pod = "",
        .slot.pod = "",
    };
    const struct stuck stuck = { out_workers->stuck, out_workers->stuck_text };
    for (size_t i = 0; i < json_array_size(pods); i++) {
        const json_t *pod = json_array_get(pods, i);
        if (!workers_is_worker(pod))
            continue;
        out_workers->pods++;
        if (out_workers->stuck[0] == '\0')
            (void)is_stuck(pod, now_us, &stuck);
        hear(out_workers, pod,
             json_object_get(reports, kube_object_text(pod, "metadata.name", "")));
    }
    if (out_workers->leader[0] == '\0')
        find_silent_leader(out_workers, pods, reports);
    if (sight_age_ms(out_workers->streaming.body) <= SIGHT_MAX_AGE_MS)
        out_workers->slot = out_workers->streaming;
}

static void describe_drop(const json_t *pod, int64_t now_us, char out_text[WORKERS_TEXT_SIZE])
{
    char reason[WORKERS_REASON_SIZE];
    const struct stuck stuck = { reason, out_text };
    const json_t *ended = kube_object_find(worker_container(pod), "state.terminated");
    if (is_stuck(pod, now_us, &stuck) || ended == NULL ||
        kube_object_integer(ended, "exitCode", 0) == 0)
        return;
    AUTO(struct buf, buf_done) text = buf_init(WORKERS_TEXT_SIZE);
    describe_end(ended, &text);
    snprintf(out_text, WORKERS_TEXT_SIZE, "pod %s: %s", kube_object_text(pod, "metadata.name", ""),
             buf_text(&text));
    objects_trim(out_text);
}

void workers_read_drop(const json_t *pods, int64_t now_us, char out_text[WORKERS_TEXT_SIZE])
{
    const char *newest = "";
    out_text[0] = '\0';
    for (size_t i = 0; i < json_array_size(pods); i++) {
        const json_t *pod = json_array_get(pods, i);
        const char *created = kube_object_text(pod, "metadata.creationTimestamp", "");
        if (!is_component(pod, "drop") || strcmp(created, newest) < 0)
            continue;
        newest = created;
        describe_drop(pod, now_us, out_text);
    }
}
