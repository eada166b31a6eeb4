#include "operator/conditions.h"

#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/check.h"
#include "kube/kube_object.h"
#include "operator/objects.h"

static const char is_true[] = "True", is_false[] = "False", is_unknown[] = "Unknown";

/* What a row says: its reason may be worked out, its message always is. */
struct answer {
    char reason[CONDITIONS_REASON_SIZE];
    char message[CONDITIONS_TEXT_SIZE];
};

struct row {
    const char *status;
    const char *reason; /* NULL: applies() says it */
    bool (*applies)(const struct conditions_input *input, struct answer *out);
};

static bool say(struct answer *out, const char *format, ...) PRINTF_LIKE(2, 3);
static bool say(struct answer *out, const char *format, ...)
{
    va_list values;
    va_start(values, format);
    (void)vsnprintf(out->message, sizeof(out->message), format, values);
    va_end(values);
    objects_trim(out->message);
    return true;
}

/* Errors of workers. */

/* Words of any case with something between them: "slot_lost", "MSG_SIZE_TOO_LARGE". */
static void camel(const char *text, char out_name[CONDITIONS_REASON_SIZE])
{
    size_t size = 0;
    bool begins = true;
    if (isdigit((unsigned char)text[0]))
        size = (size_t)snprintf(out_name, CONDITIONS_REASON_SIZE, "Code");
    for (; *text != '\0' && size < CONDITIONS_REASON_SIZE - 1; text++) {
        unsigned char c = (unsigned char)*text;
        if (isalnum(c))
            out_name[size++] = (char)(begins ? toupper(c) : tolower(c));
        begins = !isalnum(c);
    }
    out_name[size] = '\0';
}

void conditions_name_error(const json_t *reason, char out_name[CONDITIONS_REASON_SIZE])
{
    const char *name = kube_object_text(reason, "name", "");
    camel(name[0] != '\0' ? name : kube_object_text(reason, "code", ""), out_name);
    if (out_name[0] == '\0')
        snprintf(out_name, CONDITIONS_REASON_SIZE, "Unknown");
}

void conditions_describe_error(const json_t *reason, char out_text[CONDITIONS_TEXT_SIZE])
{
    const char *advice = kube_object_text(reason, "advice", "");
    snprintf(out_text, CONDITIONS_TEXT_SIZE, "%s%s%s", kube_object_text(reason, "text", ""),
             advice[0] != '\0' ? "; " : "", advice);
    objects_trim(out_text);
}

static bool say_error(struct answer *out, const struct workers_voice *voice)
{
    char text[CONDITIONS_TEXT_SIZE];
    conditions_describe_error(voice->error, text);
    return say(out, "pod %s: %s", voice->pod, text);
}

/* Of the resource. */

static bool on_deleting(const struct conditions_input *in, struct answer *out)
{
    return in->resource->deleting &&
           say(out, "%s", in->deleting != NULL ? in->deleting : "it is being deleted");
}

static bool on_invalid(const struct conditions_input *in, struct answer *out)
{
    return in->invalid != NULL && say(out, "%s; what runs is left as it is", in->invalid->text);
}

static bool on_twin(const struct conditions_input *in, struct answer *out)
{
    return in->twin != NULL && say(out,
                                   "slot \"%s\" of database \"%s\" on %s belongs to Connector "
                                   "%s/%s, which is older: no "
                                   "worker runs here; give this one another slot",
                                   in->resource->slot, in->resource->database, in->resource->host,
                                   kube_object_text(in->twin, "metadata.namespace", ""),
                                   kube_object_text(in->twin, "metadata.name", ""));
}

static const char *stillness(const struct conditions_input *in)
{
    return in->workers->pods > 0 ? "its workers stop" : "no worker runs";
}

static bool on_paused(const struct conditions_input *in, struct answer *out)
{
    return in->resource->paused &&
           say(out, "spec.paused is true: %s, and slot \"%s\" keeps WAL until one runs again",
               stillness(in), in->resource->slot);
}

static bool on_scaled(const struct conditions_input *in, struct answer *out)
{
    return in->resource->replicas == 0 &&
           say(out, "spec.replicas is 0: %s, and slot \"%s\" keeps WAL until one runs again",
               stillness(in), in->resource->slot);
}

static bool has_failed_by(const struct conditions_input *in, const char *code)
{
    return in->failure != NULL && strcmp(in->failure->code, code) == 0;
}

/* Of what can be done without: all else was written. */
static bool on_unknown_kind(const struct conditions_input *in, struct answer *out)
{
    const char *kind = has_failed_by(in, "kind_unknown") ? "PodMonitor" : in->unknown_kind;
    return kind != NULL && say(out,
                               "this cluster does not know kind %s: install its definition, or ask "
                               "for none; everything else goes on",
                               kind);
}

static bool on_failure(const struct conditions_input *in, struct answer *out)
{
    return in->failure != NULL && !has_failed_by(in, "kind_unknown") &&
           say(out, "%s", in->failure->text);
}

static bool failed_by(const struct conditions_input *in, const char *code, struct answer *out)
{
    return has_failed_by(in, code) && say(out, "%s; %s", in->failure->text, in->failure->advice);
}

static bool on_name_taken(const struct conditions_input *in, struct answer *out)
{
    return failed_by(in, "name_taken", out) || failed_by(in, "name_leftover", out);
}

static bool on_drop_failed(const struct conditions_input *in, struct answer *out)
{
    return in->drop_failed != NULL && say(out, "%s", in->drop_failed);
}

/* Of the workers. */

static bool on_streaming(const struct conditions_input *in, struct answer *out)
{
    const struct workers_voice *voice = &in->workers->streaming;
    return voice->body != NULL &&
           say(out, "pod %s streams slot \"%s\"", voice->pod, in->resource->slot);
}

static bool on_halted(const struct conditions_input *in, struct answer *out)
{
    const struct workers_voice *voice = &in->workers->halted;
    char name[CONDITIONS_REASON_SIZE];
    if (voice->body == NULL)
        return false;
    conditions_name_error(voice->error, name);
    (void)snprintf(out->reason, sizeof(out->reason), "Halted:%.*s",
                   (int)(sizeof(out->reason) - sizeof("Halted:")), name);
    return say_error(out, voice);
}

static const json_t *deployment_condition(const struct conditions_input *in, const char *type)
{
    const json_t *all = kube_object_find(in->deployment, "status.conditions");
    for (size_t i = 0; i < json_array_size(all); i++) {
        const json_t *one = json_array_get(all, i);
        if (strcmp(kube_object_text(one, "type", ""), type) == 0)
            return one;
    }
    return NULL;
}

/* Quotas, admission: the pods are not even made. */
static bool on_refused_pods(const struct conditions_input *in, struct answer *out)
{
    const json_t *failure = deployment_condition(in, "ReplicaFailure");
    return strcmp(kube_object_text(failure, "status", ""), is_true) == 0 &&
           say(out, "%s", kube_object_text(failure, "message", "pods cannot be made"));
}

static bool on_stuck(const struct conditions_input *in, struct answer *out)
{
    return in->workers->stuck[0] != '\0' && say(out, "%s", in->workers->stuck_text);
}

static bool on_unreachable(const struct conditions_input *in, struct answer *out)
{
    const struct workers *workers = in->workers;
    return workers->unreachable[0] != '\0' &&
           say(out, "pod %s does not answer: %s", workers->unreachable, workers->unreachable_text);
}

static bool on_all_refused(const struct conditions_input *in, struct answer *out)
{
    return in->workers->answered == 0 && on_refused_pods(in, out);
}

static bool on_all_stuck(const struct conditions_input *in, struct answer *out)
{
    return in->workers->answered == 0 && on_stuck(in, out);
}

static bool on_leader_unreachable(const struct conditions_input *in, struct answer *out)
{
    const struct workers *workers = in->workers;
    bool is_leader = strcmp(workers->unreachable, workers->leader) == 0;
    return (workers->answered == 0 || is_leader) && on_unreachable(in, out);
}

/* PostgreSQL and Kafka, as workers see them. */

static bool on_blind(const struct conditions_input *in, struct answer *out)
{
    return in->workers->blind.body != NULL && say_error(out, &in->workers->blind);
}

static bool on_cut_off(const struct conditions_input *in, struct answer *out)
{
    return in->workers->cut_off.body != NULL && say_error(out, &in->workers->cut_off);
}

static bool on_stream_cut_off(const struct conditions_input *in, struct answer *out)
{
    return in->workers->cut_off.body == in->workers->streaming.body && on_cut_off(in, out);
}

/* It is up to the leader, and where there is none, to those that might become it. */
static bool keeps_from_streaming(const struct workers *workers, const struct workers_voice *voice,
                                 uint32_t count)
{
    return workers->streaming.body == NULL &&
           (workers->leading.body != NULL ? workers->leading.body == voice->body
                                          : workers->answered == count);
}

static bool on_all_blind(const struct conditions_input *in, struct answer *out)
{
    const struct workers *workers = in->workers;
    return keeps_from_streaming(workers, &workers->blind, workers->blinds) && on_blind(in, out);
}

static bool on_all_cut_off(const struct conditions_input *in, struct answer *out)
{
    const struct workers *workers = in->workers;
    return keeps_from_streaming(workers, &workers->cut_off, workers->cut_offs) &&
           on_cut_off(in, out);
}

static bool on_no_answer(const struct conditions_input *in, struct answer *out)
{
    return in->workers->answered == 0 &&
           say(out, "%s",
               in->workers->pods == 0 ? "its pods are being made" : "its pods are starting");
}

static bool on_starting(const struct conditions_input *in, struct answer *out)
{
    if (in->workers->leader[0] == '\0')
        return false;
    if (in->workers->failing.body != NULL)
        return say_error(out, &in->workers->failing);
    const char *waits = kube_object_text(in->workers->leading.body, "reason.text", "");
    return say(out, "pod %s leads and %s%s", in->workers->leader,
               waits[0] != '\0' ? "waits: " : "is about to stream", waits);
}

static bool on_no_leader(const struct conditions_input *in, struct answer *out)
{
    if (in->workers->failing.body != NULL)
        return say_error(out, &in->workers->failing);
    const json_t *body = in->workers->slot.body;
    const char *holder = kube_object_text(body, "slot.holder", "");
    if (json_is_true(kube_object_find(body, "slot.active")))
        return say(out, "no worker leads; slot \"%s\" is read by pid %lld of the server%s%s",
                   in->resource->slot, (long long)kube_object_integer(body, "slot.activePID", 0),
                   holder[0] != '\0' ? ", " : "", holder);
    return say(out, "no worker leads");
}

static const struct row ready_rows[] = {
    { is_false, "Deleting", on_deleting },
    { is_false, "InvalidSpec", on_invalid },
    { is_false, "DuplicateSlot", on_twin },
    { is_false, "Paused", on_paused },
    { is_false, "Scaled", on_scaled },
    { is_false, "KafkaUnreachable", on_stream_cut_off },
    { is_true, "Streaming", on_streaming },
    { is_false, NULL, on_halted },
    { is_false, "PodsUnavailable", on_all_refused },
    { is_false, "PodsUnavailable", on_all_stuck },
    { is_false, "WorkerUnreachable", on_leader_unreachable },
    { is_false, "DatabaseUnseen", on_all_blind },
    { is_false, "KafkaUnreachable", on_all_cut_off },
    { is_false, "Starting", on_no_answer },
    { is_false, "Starting", on_starting },
    { is_false, "NoLeader", on_no_leader },
};

/* Progressing. */

static bool on_scaling_down(const struct conditions_input *in, struct answer *out)
{
    bool is_down = in->twin != NULL || in->resource->paused || in->resource->replicas == 0;
    return is_down && in->workers->pods > 0 && say(out, "its workers are being stopped");
}

static bool on_down(const struct conditions_input *in, struct answer *out)
{
    bool is_down = in->twin != NULL || in->resource->paused || in->resource->replicas == 0;
    return is_down && say(out, "no worker is to run");
}

static bool on_deadline(const struct conditions_input *in, struct answer *out)
{
    const json_t *condition = deployment_condition(in, "Progressing");
    return strcmp(kube_object_text(condition, "reason", ""), "ProgressDeadlineExceeded") == 0 &&
           say(out, "%s", kube_object_text(condition, "message", "the roll-out does not end"));
}

static bool on_rolling_out(const struct conditions_input *in, struct answer *out)
{
    const json_t *deployment = in->deployment;
    int64_t wanted = in->resource->replicas;
    int64_t there = kube_object_integer(deployment, "status.replicas", 0);
    int64_t updated = kube_object_integer(deployment, "status.updatedReplicas", 0);
    int64_t seen = kube_object_integer(deployment, "status.observedGeneration", 0);
    bool is_behind = seen < kube_object_integer(deployment, "metadata.generation", 0);
    if (deployment != NULL && !is_behind && updated >= wanted && there <= updated)
        return false;
    return say(out, "%lld of %lld pods are up to date", (long long)(is_behind ? 0 : updated),
               (long long)wanted);
}

static bool on_start(const struct conditions_input *in, struct answer *out)
{
    const struct workers *workers = in->workers;
    return workers->streaming.body == NULL && workers->halted.body == NULL &&
           workers->stuck[0] == '\0' && workers->unreachable[0] == '\0' && !on_all_blind(in, out) &&
           !on_all_cut_off(in, out) && say(out, "nobody streams yet");
}

static bool on_nothing(const struct conditions_input *in UNUSED, struct answer *out)
{
    return say(out, "nothing is going on");
}

static const struct row progressing_rows[] = {
    { is_true, "Deleting", on_deleting },
    { is_false, "InvalidSpec", on_invalid },
    { is_true, "ScalingDown", on_scaling_down },
    { is_false, "Complete", on_down },
    { is_false, "ProgressDeadlineExceeded", on_deadline },
    { is_true, "RollingOut", on_rolling_out },
    { is_true, "Starting", on_start },
    { is_false, "Complete", on_nothing },
};

/* Degraded. */

static bool on_slot_at_risk(const struct conditions_input *in, struct answer *out)
{
    const char *wal = kube_object_text(in->workers->slot.body, "slot.walStatus", "");
    return strcmp(wal, "unreserved") == 0 &&
           say(out,
               "slot \"%s\" holds back more WAL than max_slot_wal_keep_size allows: the next "
               "checkpoint may take it away; see what keeps the workers from delivering, or raise "
               "the limit",
               in->resource->slot);
}

static bool on_retrying(const struct conditions_input *in, struct answer *out)
{
    return in->workers->streaming.body == NULL && in->workers->failing.body != NULL &&
           say_error(out, &in->workers->failing);
}

static bool on_good(const struct conditions_input *in UNUSED, struct answer *out)
{
    return say(out, "nothing is known to be wrong");
}

static const struct row degraded_rows[] = {
    { is_true, "DropFailed", on_drop_failed },
    { is_true, "InvalidSpec", on_invalid },
    { is_true, "DuplicateSlot", on_twin },
    { is_true, "NameTaken", on_name_taken },
    { is_true, "ApplyFailed", on_failure },
    { is_false, "Deleting", on_deleting },
    { is_false, "Paused", on_paused },
    { is_false, "Scaled", on_scaled },
    { is_true, NULL, on_halted },
    { is_true, "PodsUnavailable", on_refused_pods },
    { is_true, "PodsUnavailable", on_stuck },
    { is_true, "WorkerUnreachable", on_unreachable },
    { is_true, "SlotAtRisk", on_slot_at_risk },
    { is_true, "DatabaseUnseen", on_blind },
    { is_true, "KafkaUnreachable", on_cut_off },
    { is_true, "KindUnknown", on_unknown_kind },
    { is_false, "Retrying", on_retrying },
    { is_false, "AsExpected", on_good },
};

/* SlotReady. */

static bool on_unseen(const struct conditions_input *in, struct answer *out)
{
    return in->workers->slot.body == NULL && say(out, "no worker reports of the slot");
}

static bool on_missing(const struct conditions_input *in, struct answer *out)
{
    return !json_is_true(kube_object_find(in->workers->slot.body, "slot.exists")) &&
           say(out, "slot \"%s\" does not exist", in->resource->slot);
}

static bool on_lost(const struct conditions_input *in, struct answer *out)
{
    const char *wal = kube_object_text(in->workers->slot.body, "slot.walStatus", "");
    return strcmp(wal, "lost") == 0 &&
           say(out, "slot \"%s\" lost WAL that it needs: it cannot be read any more",
               in->resource->slot);
}

static bool on_read(const struct conditions_input *in, struct answer *out)
{
    return json_is_true(kube_object_find(in->workers->slot.body, "slot.active")) &&
           say(out, "slot \"%s\" is being read", in->resource->slot);
}

static bool on_idle(const struct conditions_input *in, struct answer *out)
{
    return say(out, "nobody reads slot \"%s\"", in->resource->slot);
}

static const struct row slot_rows[] = {
    { is_unknown, "NotReported", on_unseen }, { is_false, "SlotMissing", on_missing },
    { is_false, "SlotLost", on_lost },        { is_true, "SlotAtRisk", on_slot_at_risk },
    { is_true, "Active", on_read },           { is_true, "Inactive", on_idle },
};

/* LeaderElected. */

static bool on_led(const struct conditions_input *in, struct answer *out)
{
    return in->workers->leader[0] != '\0' && say(out, "pod %s leads", in->workers->leader);
}

static bool on_silence(const struct conditions_input *in, struct answer *out)
{
    return in->workers->answered == 0 && in->workers->pods > 0 && say(out, "no worker answers yet");
}

static bool on_none(const struct conditions_input *in UNUSED, struct answer *out)
{
    return say(out, "no worker leads");
}

static const struct row leader_rows[] = {
    { is_true, "LeaseHeld", on_led },
    { is_unknown, "NotReported", on_silence },
    { is_false, "NoLeader", on_none },
};

static const struct table {
    const char *type;
    const struct row *rows;
    size_t count;
} tables[] = {
    { "Ready", ready_rows, COUNT_OF(ready_rows) },
    { "Progressing", progressing_rows, COUNT_OF(progressing_rows) },
    { "Degraded", degraded_rows, COUNT_OF(degraded_rows) },
    { "SlotReady", slot_rows, COUNT_OF(slot_rows) },
    { "LeaderElected", leader_rows, COUNT_OF(leader_rows) },
};

static json_t *decide(const struct table *table, const struct conditions_input *input)
{
    struct answer answer = { "", "" };
    const struct row *row = table->rows;
    while (!row->applies(input, &answer))
        row++;
    CHECK(row < table->rows + table->count);
    return objects_pack("{s:s, s:s, s:s, s:s}", "type", table->type, "status", row->status,
                        "reason", row->reason != NULL ? row->reason : answer.reason, "message",
                        answer.message);
}

json_t *conditions_decide(const struct conditions_input *input)
{
    json_t *all = json_array();
    for (size_t i = 0; i < COUNT_OF(tables); i++)
        objects_append(all, decide(&tables[i], input));
    return all;
}
