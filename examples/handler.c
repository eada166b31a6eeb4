/* A program with its own handler: for each change it writes one record whose key is the column "id"
 * and whose value is "<operation> <table> <id>"; deletes it leaves to the default.
 *
 *     cc handler.c $(pkg-config --cflags --libs pqcdc) -o handler
 *     ./handler pqcdc.yaml
 *
 * It runs until SIGINT or SIGTERM. */
#define _POSIX_C_SOURCE 200809L

#include <pqcdc/pqcdc.h>

#include <signal.h>
#include <stdio.h>
#include <string.h>

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
    char value[256];
    int size = snprintf(value, sizeof(value), "%s %.*s %.*s",
                        message->operation == PQCDC_INSERT ? "insert" : "update",
                        (int)message->table_name.size, message->table_name.data, (int)id.size,
                        id.data != NULL ? id.data : "");
    struct pqcdc_header header = { "source", { "example", 7 } };
    struct pqcdc_record record = {
        .key = id,
        .value = { value, (size_t)size },
        .headers = &header,
        .header_count = 1,
    };
    return pqcdc_emit(emitter, &record);
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
    if (pqcdc_wait_until_ready(connector, 30000)) {
        puts("ready");
        fflush(stdout);
        int signal_number;
        sigwait(&stops, &signal_number);
    }
    if (!pqcdc_close(connector, problem, sizeof(problem))) {
        fprintf(stderr, "%s\n", problem);
        return 69;
    }
    return 0;
}
