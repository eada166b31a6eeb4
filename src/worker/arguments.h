/* The command line: a command, its options, its words. */
#ifndef WORKER_ARGUMENTS_H
#define WORKER_ARGUMENTS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/error.h"
#include "connector/connector.h"

struct command;

struct arguments {
    const struct command *command; /* NULL with help: of `group`, or of all */
    const char *group;             /* the first word of several commands, or NULL */
    char **words;                  /* all of them, the program's name first; not owned */
    const char *config_file;       /* --config */
    char **sets;                   /* --set, in order */
    char **set_words;              /* where each of them stands in the words */
    uint32_t set_count;
    enum connector_sink sink; /* --sink */
    bool accept_gap;          /* --accept-gap */
    bool with_publication;    /* --with-publication */
    bool output_json;         /* --output json */
    bool help;                /* --help */
    bool version;             /* --version */
    bool profiled;            /* profiler_begun() */
};

/* ERROR_CONFIG "usage" names the word, and the nearest known one. What was set is copied, and
 * blotted out in the words, where other users of the machine could read it. */
MUST_CHECK bool arguments_parse(int count, char **words, struct arguments *out_arguments,
                                struct error *err);
void arguments_done(struct arguments *arguments);

/* Puts what was set into the words, for who is given them, and blots it out again. */
void arguments_show(const struct arguments *arguments);
void arguments_blot(const struct arguments *arguments);

/* What was asked for with `help`: of one command, of those that begin with `group`, or of all. */
void arguments_help(const struct arguments *arguments, struct buf *out);

#endif
