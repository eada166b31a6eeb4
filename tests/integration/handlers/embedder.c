/* A program with all that a program may bring: embedder CONFIG_FILE|- [path=value...]
 *
 * Each path=value is set over the file; "fail=ID" and "no=handler" are its own: the handler fails
 * for that row, or there is none. It writes lines to its output, and lives until the end of its
 * input:
 *
 *     problem TEXT                  pqcdc_connector_new() or _start() failed
 *     ready PORT                    or: not ready
 *     again TEXT                    what a second pqcdc_connector_start() says
 *     log LEVEL TEXT [NAME=VALUE]   an event; of its fields the first
 *     answer TOPIC PARTITION OFFSET KEY|VALUE HEADER=VALUE LSN/ORDINAL CODE
 *     closed, halted TEXT
 */
#include "pqcdc.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>

enum { SETS_MAX = 16, READY_LIMIT_MS = 30000 };

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

static void log_line(void *self, enum pqcdc_level level, const char *text,
                     const struct pqcdc_field *fields, size_t field_count)
{
    static const char *const levels[] = { "", "debug", "info", "warn", "error" };
    (void)self;
    pthread_mutex_lock(&lock);
    printf("log %s %s", levels[level], text);
    if (field_count > 0)
        printf(" %s=%s", fields[0].name, fields[0].text != NULL ? fields[0].text : "null");
    puts("");
    fflush(stdout);
    pthread_mutex_unlock(&lock);
}

static void respond(void *self, const struct pqcdc_response *response)
{
    (void)self;
    pthread_mutex_lock(&lock);
    printf("answer %s %d %lld %.*s|%.*s", response->topic, (int)response->partition,
           (long long)response->offset, (int)response->key.size, response->key.data,
           (int)(response->value.size < 200 ? response->value.size : 200), response->value.data);
    for (size_t i = 0; i < response->header_count; i++)
        printf(" %s=%.*s", response->headers[i].name, (int)response->headers[i].value.size,
               response->headers[i].value.data);
    printf(" %llu/%llu %s\n", (unsigned long long)response->commit_lsn,
           (unsigned long long)response->ordinal,
           response->delivered ? "delivered" : response->error_code);
    fflush(stdout);
    pthread_mutex_unlock(&lock);
}

static bool handle(void *self, const struct pqcdc_message *message, struct pqcdc_emitter *emitter)
{
    const char *fail = self;
    struct pqcdc_text id = pqcdc_value_find(message, PQCDC_ROW_LAST, "id")->text;
    if (fail != NULL && strlen(fail) == id.size && memcmp(fail, id.data, id.size) == 0)
        return pqcdc_fail(emitter, "row %s is refused", fail);
    return pqcdc_emit_default(emitter);
}

static int run(pqcdc_connector *connector)
{
    char problem[4096], line[64];
    if (!pqcdc_connector_start(connector, problem, sizeof(problem))) {
        printf("problem %s\n", problem);
        return 1;
    }
    if (pqcdc_connector_wait_until_ready(connector, READY_LIMIT_MS))
        printf("ready %d\n", pqcdc_connector_port(connector));
    else
        puts("not ready");
    bool again = pqcdc_connector_start(connector, problem, sizeof(problem));
    printf("again %s\n", again ? "it starts" : problem);
    fflush(stdout);
    while (fgets(line, sizeof(line), stdin) != NULL)
        continue;
    if (pqcdc_connector_close(connector, problem, sizeof(problem)))
        puts("closed");
    else
        printf("halted %s\n", problem);
    return 0;
}

int main(int count, char **words)
{
    const char *sets[SETS_MAX];
    char problem[4096];
    struct pqcdc_options options = { .config_file = strcmp(words[1], "-") == 0 ? NULL : words[1],
                                     .sets = sets,
                                     .ignore_environment = true,
                                     .handler = handle,
                                     .responder = respond,
                                     .logger = log_line };
    for (int i = 2; i < count && i < SETS_MAX; i++) {
        if (strncmp(words[i], "fail=", 5) == 0)
            options.handler_self = words[i] + 5;
        else if (strcmp(words[i], "no=handler") == 0)
            options.handler = NULL;
        else
            sets[options.set_count++] = words[i];
    }
    pqcdc_connector *connector = pqcdc_connector_new(&options, problem, sizeof(problem));
    if (connector == NULL) {
        printf("problem %s\n", problem);
        return 1;
    }
    int status = run(connector);
    pqcdc_connector_free(connector);
    return status;
}
