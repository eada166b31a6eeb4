#include "base/fault.h"

#include <stddef.h>

#include "base/check.h"

const char *fault_name(enum fault_point point)
{
    static const char *const names[] = {
#define FAULT_POINT(name, doc) [FAULT_##name] = #name,
#include "base/fault_points.def"
#undef FAULT_POINT
    };
    CHECK((size_t)point < COUNT_OF(names));
    return names[point];
}

#ifndef PQCDC_FAULTS

bool fault_reached(enum fault_point point)
{
    (void)point;
    return false;
}

#else

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <time.h>
#include <unistd.h>

#include "base/memory.h"
#include "base/text.h"

enum fault_action {
    ACTION_NONE,
    ACTION_KILL,
    ACTION_ABORT,
    ACTION_EXIT,
    ACTION_STOP,
    ACTION_SLEEP,
    ACTION_FAIL
};

static const struct {
    const char *name;
    enum fault_action action;
} actions[] = {
    { "kill", ACTION_KILL }, { "abort", ACTION_ABORT },  { "exit", ACTION_EXIT },
    { "stop", ACTION_STOP }, { "sleep:", ACTION_SLEEP }, { "fail", ACTION_FAIL },
};

struct fault {
    enum fault_action action;
    int64_t sleep_ms;
    uint64_t at; /* the time that acts, from 1 */
    _Atomic uint64_t reached;
};

/* Test builds only: the points are reached from everywhere, with no object to hand. */
static struct fault faults[FAULT_POINT_COUNT];
static pthread_once_t parsed = PTHREAD_ONCE_INIT;

static NORETURN void refuse(const char *row)
{
    fprintf(stderr, "pqcdc: PQCDC_FAULT: cannot read \"%s\"; PQCDC_FAULT=list shows the names\n",
            row);
    _exit(EX_CONFIG);
}

static NORETURN void list_names(void)
{
    for (unsigned point = 0; point < FAULT_POINT_COUNT; point++)
        puts(fault_name((enum fault_point)point));
    fflush(stdout);
    _exit(0);
}

static bool parse_action(const char *text, struct fault *fault)
{
    for (size_t i = 0; i < COUNT_OF(actions); i++) {
        const char *name = actions[i].name;
        size_t size = strlen(name);
        if (actions[i].action == ACTION_SLEEP) {
            if (strncmp(text, name, size) != 0 || !text_parse_i64(text + size, &fault->sleep_ms) ||
                fault->sleep_ms < 0)
                continue;
        } else if (strcmp(text, name) != 0) {
            continue;
        }
        fault->action = actions[i].action;
        return true;
    }
    return false;
}

/* name=action[@n], taken apart in place */
static bool parse_row(char *row)
{
    char *action = strchr(row, '=');
    if (action == NULL)
        return false;
    *action++ = '\0';
    int64_t at = 1;
    char *count = strchr(action, '@');
    if (count != NULL) {
        *count++ = '\0';
        if (!text_parse_i64(count, &at) || at < 1)
            return false;
    }
    for (unsigned point = 0; point < FAULT_POINT_COUNT; point++) {
        if (strcmp(fault_name((enum fault_point)point), row) == 0) {
            faults[point].at = (uint64_t)at;
            return parse_action(action, &faults[point]);
        }
    }
    return false;
}

static void parse_rows(void)
{
    const char *rows = getenv("PQCDC_FAULT");
    if (rows == NULL)
        return;
    if (strcmp(rows, "list") == 0)
        list_names();
    while (*rows != '\0') {
        size_t size = strcspn(rows, ",");
        AUTO(char *, memory_free_p) row = memory_text_n(rows, size);
        AUTO(char *, memory_free_p) shown = memory_text(row);
        if (!parse_row(row))
            refuse(shown);
        rows += size + (rows[size] == ',');
    }
}

static void sleep_for(int64_t ms)
{
    struct timespec left = { .tv_sec = (time_t)(ms / 1000),
                             .tv_nsec = (long)(ms % 1000) * 1000000 };
    while (nanosleep(&left, &left) != 0)
        continue;
}

/* Says which point acts, so that a test can tell a fault from an accident. */
static void announce(enum fault_point point)
{
    char line[128];
    int size = snprintf(line, sizeof(line), "pqcdc: fault point %s\n", fault_name(point));
    ssize_t written = write(STDERR_FILENO, line, (size_t)size);
    (void)written;
}

static bool act(const struct fault *fault)
{
    switch (fault->action) {
    case ACTION_NONE:
        return false;
    case ACTION_KILL:
        kill(getpid(), SIGKILL);
        return false;
    case ACTION_ABORT:
        abort();
    case ACTION_EXIT:
        _exit(EXIT_FAILURE);
    case ACTION_STOP:
        (void)raise(SIGSTOP); /* this thread first: it must not go on a little */
        return false;
    case ACTION_SLEEP:
        sleep_for(fault->sleep_ms);
        return false;
    case ACTION_FAIL:
        return true;
    }
    return false;
}

bool fault_reached(enum fault_point point)
{
    CHECK((unsigned)point < FAULT_POINT_COUNT);
    pthread_once(&parsed, parse_rows);
    struct fault *fault = &faults[point];
    if (fault->action == ACTION_NONE)
        return false;
    if (atomic_fetch_add_explicit(&fault->reached, 1, memory_order_relaxed) + 1 != fault->at)
        return false;
    announce(point);
    return act(fault);
}

#endif
