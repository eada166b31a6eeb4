/* The program of go-pq-cdc-kafka's README, in C: the key is the text of the column "id", the value
 * the row as JSON with the operation among its members, for DELETE the old row:
 *
 *     {"created_on":null,"id":1,"name":"Oyleli1","operation":"INSERT"}
 *
 * What Kafka answers is counted in example_delivered_total and example_refused_total of /metrics.
 *
 *     cc handler-flat.c $(pkg-config --cflags --libs pqcdc) -o handler-flat
 *     ./handler-flat pqcdc.yaml
 *
 * It runs until SIGINT or SIGTERM; status 69 when it does not get ready, or when it failed. */
#define _POSIX_C_SOURCE 200809L

#include <pqcdc/pqcdc.h>

#include <signal.h>
#include <stdio.h>
#include <string.h>

enum { READY_LIMIT_MS = 30000, SIGNAL_LOOK_MS = 500 };

struct counters {
    struct pqcdc_metric *delivered, *refused;
};

static bool handle(void *self, const struct pqcdc_message *message, struct pqcdc_emitter *emitter)
{
    static const char *const operations[] = {
        [PQCDC_INSERT] = "INSERT", [PQCDC_UPDATE] = "UPDATE", [PQCDC_DELETE] = "DELETE"
    };
    (void)self;
    if (message->operation > PQCDC_DELETE) /* of a later version */
        return pqcdc_emit_default(emitter);

    const struct pqcdc_value *id = pqcdc_value_find(message, PQCDC_ROW_LAST, "id");
    if (id->kind != PQCDC_TEXT)
        return pqcdc_fail(emitter, "the row has no id");

    const char *name = operations[message->operation];
    const struct pqcdc_member operation = { "operation", { name, strlen(name) }, false };
    struct pqcdc_record record = { .key = id->text };
    return pqcdc_row_json(emitter, PQCDC_ROW_LAST, &operation, 1, &record.value) &&
           pqcdc_emit(emitter, &record);
}

static void respond(void *self, const struct pqcdc_response *response)
{
    const struct counters *counters = self;
    pqcdc_metric_add(response->delivered ? counters->delivered : counters->refused, 1);
}

static bool add_counters(pqcdc_connector *connector, struct counters *counters, char *problem,
                         size_t problem_size)
{
    struct pqcdc_host *host = pqcdc_connector_host(connector);
    counters->delivered =
        pqcdc_metric_get(host, PQCDC_COUNTER, "example_delivered_total",
                         "Records that Kafka acknowledged", NULL, 0, problem, problem_size);
    counters->refused =
        pqcdc_metric_get(host, PQCDC_COUNTER, "example_refused_total", "Records that Kafka refused",
                         NULL, 0, problem, problem_size);
    return counters->delivered != NULL && counters->refused != NULL;
}

/* The signals are blocked, so they are looked for between the waits. */
static bool asked_to_stop(void)
{
    sigset_t pending;
    sigemptyset(&pending);
    sigpending(&pending);
    return sigismember(&pending, SIGINT) == 1 || sigismember(&pending, SIGTERM) == 1;
}

/* A connector that halted ends each wait at once, so that this ends soon as well. */
static bool wait_until_ready(pqcdc_connector *connector)
{
    for (int waited = 0; waited < READY_LIMIT_MS && !asked_to_stop(); waited += SIGNAL_LOOK_MS) {
        if (pqcdc_connector_wait_until_ready(connector, SIGNAL_LOOK_MS))
            return true;
    }
    return false;
}

/* The status of the program. */
static int run(pqcdc_connector *connector, const sigset_t *stops)
{
    char problem[4096];
    if (!pqcdc_connector_start(connector, problem, sizeof(problem))) {
        fprintf(stderr, "%s\n", problem);
        return 69;
    }
    bool ready = wait_until_ready(connector);
    bool stopped = asked_to_stop();
    if (ready) {
        puts("ready");
        fflush(stdout);
        int signal_number;
        stopped = sigwait(stops, &signal_number) == 0;
    }
    if (!pqcdc_connector_close(connector, problem, sizeof(problem))) {
        fprintf(stderr, "%s\n", problem);
        return 69;
    }
    if (!stopped) {
        fprintf(stderr, "not ready within %d s; the log says why\n", READY_LIMIT_MS / 1000);
        return 69;
    }
    return 0;
}

int main(int count, char **words)
{
    if (count != 2) {
        fprintf(stderr, "usage: %s CONFIG_FILE\n", words[0]);
        return 64;
    }
    sigset_t stops;
    sigemptyset(&stops);
    sigaddset(&stops, SIGINT);
    sigaddset(&stops, SIGTERM);
    sigprocmask(SIG_BLOCK, &stops, NULL);

    char problem[4096];
    struct counters counters = { NULL, NULL };
    struct pqcdc_options options = {
        .config_file = words[1],
        .handler = handle,
        .responder = respond,
        .responder_self = &counters,
    };
    pqcdc_connector *connector = pqcdc_connector_new(&options, problem, sizeof(problem));
    if (connector == NULL || !add_counters(connector, &counters, problem, sizeof(problem))) {
        fprintf(stderr, "%s\n", problem);
        pqcdc_connector_free(connector);
        return 78;
    }
    int status = run(connector, &stops);
    pqcdc_connector_free(connector);
    return status;
}
