#include "postgres/conninfo.h"

#include <stdlib.h>
#include <string.h>

enum { SWITCHES_MAX_BYTES = 16 * 1024 };

/* Settings of every session, as -c switches of the start packet: they stand before the first
 * statement and above what ALTER ROLE and ALTER DATABASE set. */
static const char session_switches[] =
    "-c datestyle=ISO -c intervalstyle=postgres -c extra_float_digits=3 -c timezone=UTC "
    "-c bytea_output=hex -c row_security=off -c search_path=pg_catalog -c statement_timeout=0 "
    "-c lock_timeout=0 -c idle_in_transaction_session_timeout=0 -c idle_session_timeout=0 "
    /* A publication that we make waits for no synchronous standby: that may be we ourselves. */
    "-c synchronous_commit=local";

/* Names no file and never can: an empty value would mean one in the home directory. */
#define NO_FILE "/dev/null/none"

/* What "system" means, which libpq knows from version 16 on. */
#define SYSTEM_AUTHORITIES "/etc/ssl/certs/ca-certificates.crt"
enum { SYSTEM_FROM = 160000 };

struct setting {
    const char *keyword;
    const char *value; /* NULL = empty, which still shuts out the environment */
};

/* What libpq's keywords mean when nobody sets them, where the empty text is not a valid value. */
static const struct setting neutral_settings[] = {
    { "sslcertmode", "allow" },
    { "min_protocol_version", "3.0" },
    { "max_protocol_version", "3.0" },
};

static void append_quoted(struct buf *out, const char *keyword, const char *value)
{
    buf_append_text(out, keyword);
    buf_append_text(out, "='");
    for (const char *at = value != NULL ? value : ""; *at != '\0'; at++) {
        if (*at == '\'' || *at == '\\')
            buf_append_byte(out, '\\');
        buf_append_byte(out, *at);
    }
    buf_append_text(out, "' ");
}

/* One -c switch; the server splits `options` at unescaped spaces. */
static void append_switch(struct buf *out, const char *name, const char *value)
{
    buf_append_format(out, " -c %s=", name);
    for (const char *at = value; *at != '\0'; at++) {
        if (*at == ' ' || *at == '\\')
            buf_append_byte(out, '\\');
        buf_append_byte(out, *at);
    }
}

static void append_switches(struct buf *out, const struct db_conn_options *options)
{
    buf_append_text(out, session_switches);
    if (!options->replication)
        return;
    if (options->wal_sender_timeout_ms > 0)
        buf_append_format(out, " -c wal_sender_timeout=%lld",
                          (long long)options->wal_sender_timeout_ms);
    if (options->decoding_work_mem != NULL)
        append_switch(out, "logical_decoding_work_mem", options->decoding_work_mem);
}

static const char *ssl_mode(const struct db_conn_options *options)
{
    if (options->ssl_mode != NULL)
        return options->ssl_mode;
    return options->ssl_root_cert != NULL ? "verify-full" : "prefer";
}

static const char *file_or_none(const char *file)
{
    return file != NULL ? file : NO_FILE;
}

const char *conninfo_root_cert(const char *configured)
{
    bool system = configured != NULL && strcmp(configured, "system") == 0;
    return system && PQlibVersion() < SYSTEM_FROM ? SYSTEM_AUTHORITIES : file_or_none(configured);
}

static const struct setting *find_setting(const struct setting *settings, size_t count,
                                          const char *keyword)
{
    for (size_t i = 0; i < count; i++)
        if (strcmp(settings[i].keyword, keyword) == 0)
            return &settings[i];
    return NULL;
}

/* The keywords that this libpq knows, that the environment sets, and that we did not: their
 * compiled defaults. `service` has none that works: see db_conn_forget_environment(). */
static void append_other_keywords(struct buf *out, const struct setting *ours, size_t count)
{
    PQconninfoOption *known = PQconndefaults();
    CHECK(known != NULL);
    for (const PQconninfoOption *option = known; option->keyword != NULL; option++) {
        if (option->envvar == NULL || getenv(option->envvar) == NULL ||
            strncmp(option->keyword, "service", 7) == 0 ||
            strcmp(option->keyword, "password") == 0 ||
            find_setting(ours, count, option->keyword) != NULL)
            continue;
        const struct setting *neutral =
            find_setting(neutral_settings, COUNT_OF(neutral_settings), option->keyword);
        append_quoted(out, option->keyword, neutral != NULL ? neutral->value : option->compiled);
    }
    PQconninfoFree(known);
}

/* A conninfo string and not the keyword arrays: there libpq takes an empty value for "not set" and
 * asks the environment. */
static void append_settings(struct buf *out, const struct db_conn_options *options,
                            bool only_primary, const char *switches)
{
    const struct setting settings[] = {
        { "host", options->host },
        { "port", options->port },
        { "user", options->user },
        { "dbname", options->database },
        { "application_name", options->application_name },
        { "replication", options->replication ? "database" : "false" },
        { "options", switches },
        { "client_encoding", "UTF8" },
        { "passfile", NO_FILE },
        { "sslmode", ssl_mode(options) },
        { "sslrootcert", conninfo_root_cert(options->ssl_root_cert) },
        { "sslcert", file_or_none(options->ssl_cert) },
        { "sslkey", file_or_none(options->ssl_key) },
        { "sslcrl", NO_FILE },
        { "gssencmode", "disable" },
        { "channel_binding",
          options->channel_binding != NULL ? options->channel_binding : "prefer" },
        { "target_session_attrs", only_primary ? "primary" : "any" },
        { "connect_timeout", "0" }, /* PQconnectPoll() leaves it to us */
        { "keepalives", "1" },
        { "keepalives_idle", "10" },
        { "keepalives_interval", "5" },
        { "keepalives_count", "3" },
        { "tcp_user_timeout", "30000" },
    };
    for (size_t i = 0; i < COUNT_OF(settings); i++)
        append_quoted(out, settings[i].keyword, settings[i].value);
    append_other_keywords(out, settings, COUNT_OF(settings));
}

bool conninfo_append(struct buf *out, const struct db_conn_options *options, bool only_primary,
                     const char *password, struct error *err)
{
    AUTO(struct buf, buf_done) switches = buf_init(SWITCHES_MAX_BYTES);
    append_switches(&switches, options);
    append_settings(out, options, only_primary, buf_text(&switches));
    /* The password comes last, into memory that does not move any more. */
    size_t password_length = password != NULL ? strlen(password) : 0;
    if (buf_reserve(out, 2 * password_length + 32))
        append_quoted(out, "password", password);
    if (!switches.failed && !out->failed)
        return true;
    return error_set(err, ERROR_CONFIG, "connection_options_too_long",
                     "the options of the connection to PostgreSQL are too long");
}
