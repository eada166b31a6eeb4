#include <stdio.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "base/first_process.h"
#include "postgres/db_conn.h"
#include "worker/arguments.h"
#include "worker/commands.h"
#include "worker/profiler.h"

#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define MAIN_DUMPABLE
#endif
#endif
#ifdef __SANITIZE_ADDRESS__
#define MAIN_DUMPABLE
#endif

/* Passwords are in memory: no core dumps. The leak checker needs to attach to its own process. */
static void forbid_core_dumps(void)
{
#ifndef MAIN_DUMPABLE
    (void)prctl(PR_SET_DUMPABLE, 0);
#endif
}

static enum exit_code print_help(const struct arguments *arguments)
{
    AUTO(struct buf, buf_done) help = buf_init(64 * 1024);
    arguments_help(arguments, &help);
    fputs(buf_text(&help), stdout);
    return EXIT_CODE_OK;
}

int main(int count, char **words)
{
    first_process_begin();
    forbid_core_dumps();
    bool profiled = profiler_begun();
    db_conn_forget_environment();
    AUTO(struct arguments, arguments_done) arguments;
    struct error err = ERROR_INIT;
    if (!arguments_parse(count, words, &arguments, &err)) {
        fprintf(stderr, "pqcdc: %s\n", err.text);
        return EXIT_CODE_USAGE;
    }
    arguments.profiled = profiled;
    if (arguments.help)
        return (int)print_help(&arguments);
    if (arguments.version) {
        puts("pqcdc " PQCDC_VERSION);
        return EXIT_CODE_OK;
    }
    return (int)commands_run(&arguments);
}
