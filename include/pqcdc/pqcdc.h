/* libpqcdc: change data capture from PostgreSQL to Kafka, inside a C program, and handlers for the
 * program pqcdc as shared objects. docs/c-api.md shows both, with examples.
 *
 * A connector streams every committed change of the configured tables to Kafka, at least once and
 * in commit order per key. By default it writes the records that `pqcdc run` writes; with a handler
 * it is decided in C which records a change becomes.
 *
 *     struct pqcdc_options options = { .config_file = "pqcdc.yaml", .handler = my_handler };
 *     char problem[1024];
 *     pqcdc_connector *connector = pqcdc_connector_new(&options, problem, sizeof(problem));
 *     if (connector == NULL || !pqcdc_connector_start(connector, problem, sizeof(problem))) ...
 *     pqcdc_connector_wait_until_ready(connector, 10000);
 *     ...
 *     pqcdc_connector_close(connector, problem, sizeof(problem));
 *     pqcdc_connector_free(connector);
 *
 * Threads. Functions of one connector are called by one thread at a time, but for
 * pqcdc_connector_stop(), _wait_until_ready() and _port(), which any thread may call between new
 * and free. A handler and a responder run on the connector's pipeline thread, one call at a time,
 * and must not block: while they run nothing is read and no record is confirmed. A logger runs on
 * any thread, and on several at once. None of them may call _start(), _wait_until_ready(),
 * _close() or _free(). Several connectors in one process work. Out of memory aborts the process.
 *
 * Texts are UTF-8 (or bytes, as the database has them) with a size; a NUL follows only where it
 * says so. `problem` takes what fits, with a NUL; it may be NULL with size 0.
 *
 * Growth. PQCDC_API_VERSION is the number behind libpqcdc.so, and rises only when programs must be
 * compiled again; within one number a program or plug-in goes on with every later library.
 * - Structs that a program fills (options, record, plugin) end in `reserved`, which must be zero:
 *   fill them by designated initialisers. Later members take its place, and zero means then what
 *   happens now.
 * - Structs that the library fills and hands out by pointer (message, table, response) may grow at
 *   their end: do not copy them, do not take their size.
 * - Structs that stand in arrays (text, value, column, header, member, field, label) stay as they
 *   are. Enums may gain constants.
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
#define PQCDC_PUBLIC             __attribute__((visibility("default")))
#define PQCDC_PRINTF(text, rest) __attribute__((format(printf, text, rest)))
#else
#define PQCDC_PUBLIC
#define PQCDC_PRINTF(text, rest)
#endif

#define PQCDC_VERSION_MAJOR 0
#define PQCDC_VERSION_MINOR 1
#define PQCDC_VERSION_PATCH 0
/* 0.1.2 is 102: for comparisons by the preprocessor. */
#define PQCDC_VERSION_NUMBER                                                                       \
    (PQCDC_VERSION_MAJOR * 10000 + PQCDC_VERSION_MINOR * 100 + PQCDC_VERSION_PATCH)

#define PQCDC_API_VERSION 1

/* The version of the library, which may be later than the header's: "0.1.0". */
PQCDC_PUBLIC const char *pqcdc_version(void);
/* The library's PQCDC_API_VERSION. */
PQCDC_PUBLIC uint32_t pqcdc_api_version(void);

/* ---- What a handler is given. All of it lives until the handler returns. ---- */

struct pqcdc_text {
    const char *data; /* NULL = null */
    size_t size;
};

enum pqcdc_operation { PQCDC_INSERT = 1, PQCDC_UPDATE = 2, PQCDC_DELETE = 3 };

enum pqcdc_value_kind {
    /* There is no such column or row, or it was not sent: an old row that the table's replica
     * identity does not hold whole. */
    PQCDC_ABSENT = 0,
    PQCDC_NULL = 1,
    /* A large value that the UPDATE left as it was, and that PostgreSQL did not send. Where the old
     * row has it (REPLICA IDENTITY FULL), the new row has it as well. */
    PQCDC_UNCHANGED = 2,
    PQCDC_TEXT = 3,
};

struct pqcdc_value {
    enum pqcdc_value_kind kind;
    struct pqcdc_text text; /* PQCDC_TEXT: PostgreSQL's text form; otherwise null */
};

struct pqcdc_column {
    struct pqcdc_text name; /* a NUL follows */
    uint32_t type_oid;      /* pg_type.oid */
    int32_t type_modifier;  /* pg_attribute.atttypmod; -1 = none */
    bool is_identity;       /* part of the replica identity */
};

/* One version of a table. When it is altered, and after a reconnect, the next message has another
 * one, which may stand where the last one stood: know them by `serial`. */
struct pqcdc_table {
    uint32_t oid;             /* pg_class.oid */
    struct pqcdc_text schema; /* NULs follow */
    struct pqcdc_text name;
    const struct pqcdc_column *columns; /* the published ones, in the table's order */
    size_t column_count;
    uint64_t serial; /* of this version: no other one of this connector has it */
};

/* One row change. */
struct pqcdc_message {
    const struct pqcdc_table *table;
    enum pqcdc_operation operation;
    uint32_t xid;
    int64_t event_time_us; /* the commit: Unix microseconds on the server's clock */
    uint64_t commit_lsn;
    uint64_t ordinal; /* of the change in its transaction: (commit_lsn, ordinal) is unique, and
                         rises in the order of the changes */
    const struct pqcdc_value *new_values; /* table->column_count; NULL: DELETE has no new row */
    const struct pqcdc_value *old_values; /* the same; NULL: nothing of the old row was sent */
};

enum pqcdc_row {
    PQCDC_ROW_NEW = 1,
    PQCDC_ROW_OLD = 2,
    PQCDC_ROW_LAST = 3, /* the new one, of DELETE the old one */
};

/* Where the column stands in table->columns, new_values and old_values; -1 = there is none of that
 * name. Costs a hash of the name, whatever the number of columns. Any thread. */
PQCDC_PUBLIC int pqcdc_column_find(const struct pqcdc_message *message, const char *name);
/* The value of a column by name, never NULL. */
PQCDC_PUBLIC const struct pqcdc_value *pqcdc_value_find(const struct pqcdc_message *message,
                                                        enum pqcdc_row row, const char *name);

/* ---- What a handler does. ---- */

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
    const void *reserved[4];
};

/* Where a handler puts its records. Good until the handler returns, on its thread. */
struct pqcdc_emitter;

/* Copies a record into the emitter. False: it cannot be taken (no topic is known for it); the line
 * then stops with an error, whatever the handler returns. */
PQCDC_PUBLIC bool pqcdc_emit(struct pqcdc_emitter *emitter, const struct pqcdc_record *record);

/* Emits what `pqcdc run` would have written for this change. */
PQCDC_PUBLIC bool pqcdc_emit_default(struct pqcdc_emitter *emitter);

/* Stops the line: the text (cut at 700 bytes) is what /status and the log say about it, with table
 * and LSN. Returns false, so that a handler can `return pqcdc_fail(...)`. The first failure counts.
 * Leave row data and secrets out of the text. */
PQCDC_PUBLIC bool pqcdc_fail(struct pqcdc_emitter *emitter, const char *format, ...)
    PQCDC_PRINTF(2, 3);

/* Memory that lives until the handler returns, aligned for any type, not zeroed; never NULL. What
 * is emitted from it is not copied again. */
PQCDC_PUBLIC void *pqcdc_alloc(struct pqcdc_emitter *emitter, size_t size);

/* A member that a row's JSON has beside its columns; takes the place of a column of that name. */
struct pqcdc_member {
    const char *name;       /* NUL-terminated */
    struct pqcdc_text text; /* data NULL = null */
    bool is_json; /* the text is JSON as it stands, not checked; else a string's content */
};

/* A row as a JSON object, as `format.name: flat` writes it (docs/formats.md): members in the order
 * of their names' bytes, absent and unchanged values left out. At most 64 members beside the
 * columns. *out_json is of pqcdc_alloc(), a NUL follows. False: the line stops with an error (no
 * such row, or one above cdc.maxRecordBytes). */
PQCDC_PUBLIC bool pqcdc_row_json(struct pqcdc_emitter *emitter, enum pqcdc_row row,
                                 const struct pqcdc_member *members, size_t member_count,
                                 struct pqcdc_text *out_json);
/* The same into a buffer of the caller's, with a NUL. Returns the size without it; one that is not
 * below `capacity` did not fit, and nothing was written. 0: it failed as above. */
PQCDC_PUBLIC size_t pqcdc_row_json_into(struct pqcdc_emitter *emitter, enum pqcdc_row row,
                                        const struct pqcdc_member *members, size_t member_count,
                                        char *buffer, size_t capacity);

/* Called for each row change in commit order; emits zero or more records. False stops the line, as
 * pqcdc_fail() does: the change is not confirmed, nothing behind it is read, and it comes again
 * when the line starts again. An operation that a handler does not know it passes on to
 * pqcdc_emit_default(), or fails. TRUNCATE is no row change: the built-in handler writes it, with
 * `format.truncate`.
 *
 * It must make the same records of the same change each time: after a lost connection it is asked
 * again for the change that was in hand, and as many records as were sent already are left out.
 *
 * A call that took longer than 100 ms is logged (at most once in 10 s) and counted in
 * pqcdc_handler_slow_total. */
typedef bool pqcdc_handler(void *self, const struct pqcdc_message *message,
                           struct pqcdc_emitter *emitter);

/* ---- What became of a record. ---- */

/* Lives until the responder returns. */
struct pqcdc_response {
    bool delivered; /* Kafka acknowledged it, as kafka.requiredAcks asks for */
    const char *topic;
    int32_t partition; /* -1 = none was chosen */
    int64_t offset;    /* -1 = not known */
    struct pqcdc_text key, value;
    const struct pqcdc_header *headers;
    size_t header_count;
    uint64_t commit_lsn, ordinal; /* of the change that it was made of */
    uint32_t xid;
    const char *error_code; /* NULL when delivered: as in `code` of /status */
    const char *error_text; /* NULL when delivered */
};

/* Called for each record that Kafka acknowledged or refused for good, in the order in which the
 * answers come: of one partition that of the records. A refused record stops the line. A record
 * whose fate is not known when the line ends gets no response; it comes again, and so may one that
 * was acknowledged. */
typedef void pqcdc_responder(void *self, const struct pqcdc_response *response);

/* ---- Logs. ---- */

enum pqcdc_level {
    PQCDC_LEVEL_DEBUG = 1,
    PQCDC_LEVEL_INFO = 2,
    PQCDC_LEVEL_WARN = 3,
    PQCDC_LEVEL_ERROR = 4,
};

enum pqcdc_field_kind { PQCDC_FIELD_TEXT = 1, PQCDC_FIELD_NUMBER = 2, PQCDC_FIELD_BOOL = 3 };

struct pqcdc_field {
    const char *name;
    const char *text; /* the value, numbers in decimal; NUL-terminated; NULL = null */
    enum pqcdc_field_kind kind;
};

/* Takes each event of cdc.logger.logLevel or above in the place of standard error, from
 * pqcdc_connector_new() to the end of pqcdc_connector_free(). Any thread, and several at once: it
 * must lock what it shares, and soon return. What it is given lives until then. */
typedef void pqcdc_logger(void *self, enum pqcdc_level level, const char *text,
                          const struct pqcdc_field *fields, size_t field_count);

/* ---- The connector that a handler runs in. Any thread, while the connector is there. ---- */

struct pqcdc_host;

/* A value of handler.options or handler.optionFiles; NULL = it is not given. */
PQCDC_PUBLIC const char *pqcdc_option(const struct pqcdc_host *host, const char *name);
/* The name of the option number `index`, from 0; NULL = there are no more. */
PQCDC_PUBLIC const char *pqcdc_option_name(const struct pqcdc_host *host, size_t index);

/* An event in the connector's log. Fields may be NULL with count 0; beyond 16 they are left out. */
PQCDC_PUBLIC void pqcdc_log(struct pqcdc_host *host, enum pqcdc_level level, const char *text,
                            const struct pqcdc_field *fields, size_t field_count);

enum pqcdc_metric_kind { PQCDC_COUNTER = 1, PQCDC_GAUGE = 2, PQCDC_HISTOGRAM = 3 };

struct pqcdc_label {
    const char *name, *value;
};

/* One series of GET /metrics. Lives as long as the connector. */
struct pqcdc_metric;

/* Made at the first call, found again later: takes a lock, so not for each row. The bounds of a
 * histogram are those for seconds, 0.0005 to 60. NULL: *problem says why (a name that is none, that
 * begins with pqcdc_ or go_pq_cdc_, or that is taken with another kind or help). */
PQCDC_PUBLIC struct pqcdc_metric *
pqcdc_metric_get(struct pqcdc_host *host, enum pqcdc_metric_kind kind, const char *name,
                 const char *help, const struct pqcdc_label *labels, size_t label_count,
                 char *problem, size_t problem_size);
/* One atomic operation each. Of the wrong kind they abort. */
PQCDC_PUBLIC void pqcdc_metric_add(struct pqcdc_metric *metric, uint64_t count);   /* counters */
PQCDC_PUBLIC void pqcdc_metric_set(struct pqcdc_metric *metric, double value);     /* gauges */
PQCDC_PUBLIC void pqcdc_metric_observe(struct pqcdc_metric *metric, double value); /* histograms */

/* ---- A connector in a program. The program pqcdc does not export what follows. ---- */

struct pqcdc_options {
    const char *config_file; /* YAML, or NULL */
    const char *config_text; /* YAML instead of a file, or NULL */
    const char *const
        *sets; /* "path=value" ..., as --set of `pqcdc run`; each wins over the file */
    size_t set_count;
    bool ignore_environment; /* else PQCDC_... variables win over the file, as in `pqcdc run` */
    pqcdc_handler *handler;  /* NULL: handler.path, or what `pqcdc run` does */
    void *handler_self;
    pqcdc_responder *responder; /* NULL: nobody asks what became of records, which costs nothing */
    void *responder_self;
    pqcdc_logger *logger; /* NULL: standard error */
    void *logger_self;
    const void *reserved[8];
};

typedef struct pqcdc_connector pqcdc_connector;

/* A connector that has connected to nothing yet, or NULL: *problem then says what is wrong with the
 * configuration, one line a problem, all of them. The options are copied, but for what the three
 * ..._self point to, which must outlive the connector. */
PQCDC_PUBLIC pqcdc_connector *pqcdc_connector_new(const struct pqcdc_options *options,
                                                  char *problem, size_t problem_size);

/* For metrics and logs of the program's own. */
PQCDC_PUBLIC struct pqcdc_host *pqcdc_connector_host(pqcdc_connector *connector);

/* Starts the connector's threads, and serves /status, /metrics and /slot on cdc.metric.port, unless
 * that is 0. Once. False: *problem says why. */
PQCDC_PUBLIC bool pqcdc_connector_start(pqcdc_connector *connector, char *problem,
                                        size_t problem_size);

/* Waits until it streams or is a healthy standby; false: the time is over, or it is over.
 * timeout_ms < 0: without limit. */
PQCDC_PUBLIC bool pqcdc_connector_wait_until_ready(pqcdc_connector *connector, int64_t timeout_ms);

/* The HTTP port that it listens on, after start; 0 = none. */
PQCDC_PUBLIC uint16_t pqcdc_connector_port(const pqcdc_connector *connector);

/* Asks for a graceful stop and returns at once; async-signal-safe. */
PQCDC_PUBLIC void pqcdc_connector_stop(pqcdc_connector *connector);

/* Waits until the connector is over, asking it to stop first. Afterwards nothing of the program's
 * is called any more but the logger. False: it had halted; *problem says why. Again, or before
 * start: true, and nothing happens. */
PQCDC_PUBLIC bool pqcdc_connector_close(pqcdc_connector *connector, char *problem,
                                        size_t problem_size);

/* Closes it where that was not done. NULL is allowed. */
PQCDC_PUBLIC void pqcdc_connector_free(pqcdc_connector *connector);

/* ---- A handler as a shared object: handler.path. ---- */

/* What a shared object exports, once, under the name pqcdc_plugin:
 *
 *     PQCDC_PLUGIN = { .api_version = PQCDC_API_VERSION, .name = "mine", .handle = my_handler };
 *
 * It is loaded before anything is connected. What is wrong with it is a wrong configuration. Its
 * own undefined symbols are looked for in the program, in what it is linked to itself, and must all
 * be found when it is loaded. */
struct pqcdc_plugin {
    uint32_t api_version; /* PQCDC_API_VERSION */
    const char *name;     /* for the log */
    /* Called once, on the thread that makes the connector. *out_self is handed to the others.
     * False: the configuration is wrong, *problem (which has problem_size bytes) says what. NULL:
     * none. */
    bool (*open)(struct pqcdc_host *host, void **out_self, char *problem, size_t problem_size);
    pqcdc_handler *handle;     /* NULL: what `pqcdc run` writes, for a responder alone */
    pqcdc_responder *respond;  /* NULL: none */
    void (*close)(void *self); /* after the last call; not after an open that failed. NULL: none */
    const void *reserved[4];
};

#ifdef __cplusplus
#define PQCDC_PLUGIN                                                                               \
    extern "C" PQCDC_PUBLIC const struct pqcdc_plugin pqcdc_plugin;                                \
    const struct pqcdc_plugin pqcdc_plugin
#else
#define PQCDC_PLUGIN                                                                               \
    extern PQCDC_PUBLIC const struct pqcdc_plugin pqcdc_plugin;                                    \
    const struct pqcdc_plugin pqcdc_plugin
#endif

#ifdef __cplusplus
}
#endif

#endif
