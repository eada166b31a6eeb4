/* A program with its own handler: for each change it writes one record whose key is the column "id"
 * and whose value is "<operation> <table> <id>"; deletes it leaves to the default.
 *
 *     cc handler.c $(pkg-config --cflags --libs pqcdc) -o handler
 *     ./handler pqcdc.yaml
 *
 * It runs until SIGINT or SIGTERM; status 69 when it does not get ready, or when it failed. */
#define _POSIX_C_SOURCE 200809L

#include <pqcdc/pqcdc.h>

#include <signal.h>
#include <stdio.h>
#include <string.h>

enum { READY_LIMIT_MS = 30000, SIGNAL_LOOK_MS = 500 };

static bool is_id(const struct pqcdc_column *column)
{
    return column->name.size == 2 && memcmp(column->name.data, "id", 2) == 0;
}

static bool handle(void *self, const struct pqcdc_message *message, struct pqcdc_emitter *emitter)
{
    (void)self;
    if (message->operation == PQCDC_DELETE)
        return pqcdc_emit_default(emitter);

    struct pqcdc_text id = { NULL, 0 };
    for (size_t i = 0; i < message->new_count; i++) {
        if (is_id(&message->new_columns[i]))
            id = message->new_columns[i].value;
    }
    char value[256]; /* what does not fit is cut */
    int size = snprintf(value, sizeof(value), "%s %.*s %.*s",
                        message->operation == PQCDC_INSERT ? "insert" : "update",
                        (int)message->table_name.size, message->table_name.data, (int)id.size,
                        id.data != NULL ? id.data : "");
    if (size < 0)
        return false;
    size_t kept = (size_t)size < sizeof(value) ? (size_t)size : sizeof(value) - 1;
    struct pqcdc_header header = { "source", { "example", 7 } };
    struct pqcdc_record record = {
        .key = id,
        .value = { value, kept },
        .headers = &header,
        .header_count = 1,
    };
    return pqcdc_emit(emitter, &record);
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
        if (pqcdc_wait_until_ready(connector, SIGNAL_LOOK_MS))
            return true;
    }
    return false;
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
    struct pqcdc_options options = { .config_file = words[1], .handler = handle };
    pqcdc_connector *connector = pqcdc_new(&options, problem, sizeof(problem));
    if (connector == NULL) {
        fprintf(stderr, "%s\n", problem);
        return 78;
    }
    if (!pqcdc_start(connector, problem, sizeof(problem))) {
        fprintf(stderr, "%s\n", problem);
        pqcdc_close(connector, problem, sizeof(problem));
        return 69;
    }
    bool ready = wait_until_ready(connector);
    bool stopped = asked_to_stop();
    if (ready) {
        puts("ready");
        fflush(stdout);
        int signal_number;
        stopped = sigwait(&stops, &signal_number) == 0;
    }
    if (!pqcdc_close(connector, problem, sizeof(problem))) {
        fprintf(stderr, "%s\n", problem);
        return 69;
    }
    if (!stopped) {
        fprintf(stderr, "not ready within %d s; the log says why\n", READY_LIMIT_MS / 1000);
        return 69;
    }
    return 0;
}
