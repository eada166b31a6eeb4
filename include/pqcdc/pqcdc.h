/* libpqcdc: change data capture from PostgreSQL to Kafka, inside a C program.
 *
 * A connector streams every committed change of the configured tables to Kafka, at least once and
 * in commit order per key. By default it writes the records that `pqcdc run` writes; with a
 * handler, the program decides for each change which records it becomes.
 *
 *     struct pqcdc_options options = { .config_file = "pqcdc.yaml", .handler = my_handler };
 *     char problem[1024];
 *     pqcdc_connector *connector = pqcdc_new(&options, problem, sizeof(problem));
 *     if (connector == NULL || !pqcdc_start(connector, problem, sizeof(problem))) ...
 *     pqcdc_wait_until_ready(connector, 10000);
 *     ...
 *     pqcdc_close(connector, problem, sizeof(problem));
 *
 * Threads: the functions of one connector are called by one thread, but for pqcdc_stop() and
 * pqcdc_wait_until_ready(), which any thread may call. The handler runs on the connector's own
 * thread. Several connectors in one process work. Out of memory aborts the process.
 *
 * Texts are UTF-8 with a size; a NUL follows only where it says so.
 */
#ifndef PQCDC_PQCDC_H
#define PQCDC_PQCDC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#if defined(__GNUC__)
#define PQCDC_PUBLIC __attribute__((visibility("default")))
#else
#define PQCDC_PUBLIC
#endif

/* The version of the library, "0.1.0". */
PQCDC_PUBLIC const char *pqcdc_version(void);

enum pqcdc_operation { PQCDC_INSERT, PQCDC_UPDATE, PQCDC_DELETE };

/* UNCHANGED: a large value that the UPDATE left as it was, and that PostgreSQL did not send. */
enum pqcdc_value_kind { PQCDC_NULL, PQCDC_UNCHANGED, PQCDC_TEXT };

struct pqcdc_text {
    const char *data; /* NULL = null */
    size_t size;
};

struct pqcdc_column {
    struct pqcdc_text name;
    uint32_t type_oid; /* pg_type.oid */
    enum pqcdc_value_kind kind;
    struct pqcdc_text value; /* PostgreSQL's text form */
};

/* One row change. Everything in it lives until the handler returns. */
struct pqcdc_message {
    int64_t event_time_us; /* the commit's time: Unix microseconds on the server's clock */
    struct pqcdc_text table_namespace;
    struct pqcdc_text table_name;
    enum pqcdc_operation operation;
    const struct pqcdc_column *new_columns; /* INSERT and UPDATE */
    size_t new_count;
    const struct pqcdc_column *old_columns; /* what the replica identity gives; count 0 = nothing */
    size_t old_count;
    uint64_t commit_lsn;
    uint64_t ordinal; /* of the change in its transaction: (commit_lsn, ordinal) is unique */
    uint32_t xid;
};

struct pqcdc_header {
    const char *name; /* NUL-terminated */
    struct pqcdc_text value;
};

struct pqcdc_record {
    const char *topic;       /* NUL-terminated; NULL: the topic of the table's mapping */
    struct pqcdc_text key;   /* data NULL = null key */
    struct pqcdc_text value; /* data NULL = null value */
    const struct pqcdc_header *headers;
    size_t header_count;
};

/* Where a handler puts its records. */
struct pqcdc_emitter;

/* Copies a record into the emitter. False: it cannot be taken (no topic is known for it); the line
 * then stops with an error, whatever the handler returns. */
PQCDC_PUBLIC bool pqcdc_emit(struct pqcdc_emitter *emitter, const struct pqcdc_record *record);

/* Emits what `pqcdc run` would have written for this change. */
PQCDC_PUBLIC bool pqcdc_emit_default(struct pqcdc_emitter *emitter);

/* Called for each row change in commit order; emits zero or more records. False stops the line: the
 * change is not confirmed and comes again after a restart.
 *
 * It must make the same records of the same change each time: after a lost connection it is asked
 * again for the change that was in hand, and as many records as were sent already are left out. */
typedef bool pqcdc_handler(void *self, const struct pqcdc_message *message,
                           struct pqcdc_emitter *emitter);

struct pqcdc_options {
    const char *config_file; /* YAML, or NULL */
    const char *config_text; /* YAML instead of a file, or NULL */
    const char *const *sets; /* "path=value" ..., each wins over the file */
    size_t set_count;
    bool ignore_environment; /* else PQCDC_... variables win over the file, as in `pqcdc run` */
    pqcdc_handler *handler;  /* NULL: what `pqcdc run` does */
    void *handler_self;
};

typedef struct pqcdc_connector pqcdc_connector;

/* A connector that has connected to nothing yet, or NULL: *problem then says what is wrong with the
 * configuration, one line a problem. The options are copied, but for handler_self. */
PQCDC_PUBLIC pqcdc_connector *pqcdc_new(const struct pqcdc_options *options, char *problem,
                                        size_t problem_size);

/* Starts the connector's thread and its HTTP port. False: *problem says why. */
PQCDC_PUBLIC bool pqcdc_start(pqcdc_connector *connector, char *problem, size_t problem_size);

/* Waits until it streams or is a healthy standby; false: the time is over, or it halted.
 * timeout_ms < 0: without limit. */
PQCDC_PUBLIC bool pqcdc_wait_until_ready(pqcdc_connector *connector, int64_t timeout_ms);

/* The HTTP port that it listens on, after pqcdc_start(). */
PQCDC_PUBLIC uint16_t pqcdc_port(const pqcdc_connector *connector);

/* Asks for a graceful stop and returns at once; async-signal-safe. */
PQCDC_PUBLIC void pqcdc_stop(pqcdc_connector *connector);

/* Waits until the connector is over, stopping it first when `stop` was not asked for, and frees it.
 * False: it had halted; *problem says why. NULL is allowed. */
PQCDC_PUBLIC bool pqcdc_close(pqcdc_connector *connector, char *problem, size_t problem_size);

#ifdef __cplusplus
}
#endif

#endif
