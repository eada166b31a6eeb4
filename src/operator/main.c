#include <stdio.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/first_process.h"
#include "operator/operator.h"
#include "operator/visit.h"

enum { CHECK_TIMEOUT_MS = 5000 };

/* For who has nothing but this image to ask with. */
static int check(const char *url)
{
    struct error err = ERROR_INIT;
    int status = 0;
    if (!visit_wait(url, CHECK_TIMEOUT_MS, &status, &err)) {
        fprintf(stderr, "pqcdc-operator: %s\n", err.text);
        return EX_UNAVAILABLE;
    }
    printf("%s: %d\n", url, status);
    return status == 200 ? EX_OK : EX_UNAVAILABLE;
}

static int print_help(void)
{
    AUTO(struct buf, buf_done) help = buf_init(64 * 1024);
    operator_options_help(&help);
    fputs(buf_text(&help), stdout);
    return EX_OK;
}

int main(int count, char **words)
{
    first_process_begin();
    AUTO(struct operator_options, operator_options_done) options;
    struct error err = ERROR_INIT;
    if (!operator_options_read(count, (const char *const *)words, (const char *const *)environ,
                               &options, &err)) {
        fprintf(stderr, "pqcdc-operator: %s\n", err.text);
        return strcmp(err.code, "usage") == 0 ? EX_USAGE : EX_CONFIG;
    }
    if (options.help)
        return print_help();
    if (options.version) {
        puts("pqcdc-operator " PQCDC_VERSION);
        return EX_OK;
    }
    return options.check != NULL ? check(options.check) : operator_run(&options);
}
