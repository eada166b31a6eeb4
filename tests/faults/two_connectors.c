/* Two connectors in one process: two_connectors CONFIG CONFIG
 *
 * Says "ready" when both are, then obeys lines of its input: "close 0" and "close 1" end one of
 * them and say "closed", or its problem. The end of the input closes the rest. */
#include <pqcdc/pqcdc.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { READY_LIMIT_MS = 30000 };

static pqcdc_connector *connectors[2];

static void fail(const char *problem)
{
    fprintf(stderr, "%s\n", problem);
    exit(1);
}

static void open_one(int which, const char *config_file)
{
    char problem[4096];
    struct pqcdc_options options = { .config_file = config_file, .ignore_environment = true };
    connectors[which] = pqcdc_connector_new(&options, problem, sizeof(problem));
    if (connectors[which] == NULL ||
        !pqcdc_connector_start(connectors[which], problem, sizeof(problem)))
        fail(problem);
}

static void close_one(int which)
{
    char problem[4096];
    bool fine = pqcdc_connector_close(connectors[which], problem, sizeof(problem));
    pqcdc_connector_free(connectors[which]);
    connectors[which] = NULL;
    puts(fine ? "closed" : problem);
    fflush(stdout);
}

int main(int count, char **words)
{
    char line[64];
    if (count != 3)
        fail("usage: two_connectors CONFIG CONFIG");
    for (int which = 0; which < 2; which++)
        open_one(which, words[1 + which]);
    for (int which = 0; which < 2; which++)
        if (!pqcdc_connector_wait_until_ready(connectors[which], READY_LIMIT_MS))
            fail("one is not ready");
    puts("ready");
    fflush(stdout);
    while (fgets(line, sizeof(line), stdin) != NULL)
        close_one(strcmp(line, "close 0\n") == 0 ? 0 : 1);
    for (int which = 0; which < 2; which++)
        if (connectors[which] != NULL)
            close_one(which);
    return 0;
}
