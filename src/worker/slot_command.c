#include "worker/slot_command.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "connector/session.h"
#include "connector/settings.h"
#include "connector/slot_only.h"
#include "postgres/publication.h"
#include "worker/commands.h"
#include "worker/leadership.h"

/* What each of the three does once it is connected. */
typedef bool slot_work_fn(struct db_conn *conn, const struct config *config, struct error *err);

static enum exit_code failed(const struct error *err)
{
    commands_print_error(err);
    return exit_codes_of(err);
}

static enum exit_code with_connection(const struct config *config, slot_work_fn *work)
{
    struct error err = ERROR_INIT;
    AUTO(struct settings *, settings_free_p) settings = NULL;
    AUTO(struct db_conn *, db_conn_close_p) conn = NULL;
    if (!settings_new(config, &settings, &err) ||
        !db_conn_open(&settings->conn, INTERRUPT_NONE, &conn, &err) || !work(conn, config, &err))
        return failed(&err);
    return EXIT_CODE_OK;
}

static bool print_status(struct db_conn *conn, const struct config *config, struct error *err)
{
    struct slot_sight sight;
    if (!slot_look(conn, config->cdc_slot_name, &sight, err))
        return false;
    if (!sight.exists) {
        error_set(err, ERROR_HALT, "slot_missing", "replication slot \"%s\" does not exist",
                  config->cdc_slot_name);
        return error_advise(err, "create it: pqcdc slot create");
    }
    printf("name: %s\nplugin: %s\ndatabase: %s\nactive: %s\n", config->cdc_slot_name, sight.plugin,
           sight.database, sight.active ? "true" : "false");
    if (sight.active)
        printf("active_pid: %d\nholder: %s\n", sight.active_pid, sight.holder);
    printf("wal_status: %s\n", slot_wal_status_name(sight.wal_status));
    printf("current_lsn: %s\n", lsn_text(sight.current_lsn).text);
    printf("confirmed_flush_lsn: %s\n", lsn_text(sight.confirmed_flush).text);
    printf("restart_lsn: %s\n", lsn_text(sight.restart_lsn).text);
    uint64_t current = sight.current_lsn.value, confirmed = sight.confirmed_flush.value;
    printf("lag_bytes: %llu\n",
           (unsigned long long)(current > confirmed ? current - confirmed : 0));
    return slot_verify(&sight, config->cdc_slot_name, config->cdc_database, err);
}

/* PostgreSQL would drop a slot of any kind, from any database. */
static bool drop(struct db_conn *conn, const struct config *config, struct error *err)
{
    struct slot_sight sight;
    if (!slot_look(conn, config->cdc_slot_name, &sight, err))
        return false;
    if (sight.exists && !slot_verify_ours(&sight, config->cdc_slot_name, config->cdc_database, err))
        return error_prefix(err, "not dropped");
    if (!slot_drop(conn, config->cdc_slot_name, err))
        return false;
    printf("dropped replication slot %s\n", config->cdc_slot_name);
    return true;
}

/* A right that is missing is no failure: with the slot gone nothing keeps WAL, and whoever waits
 * for the end (a deletion) would wait for ever. */
static bool publication_stays(const char *slot, struct error *failure, struct error *err)
{
    (void)error_prefix(failure, "replication slot \"%s\" is gone, only the publication stays",
                       slot);
    if (strcmp(failure->code, "42501") != 0) {
        *err = *failure;
        return false;
    }
    (void)error_prefix(failure, "warning");
    commands_print_error(failure);
    return true;
}

/* Made by somebody else it is not ours to drop; that others use it cannot be seen. */
static bool drop_publication(struct db_conn *conn, const struct config *config, struct error *err)
{
    const char *name = config->cdc_publication_name;
    struct error failure = ERROR_INIT;
    bool dropped = false;
    if (!config->cdc_publication_create_if_not_exists) {
        printf("publication %s is left alone: cdc.publication.createIfNotExists is false\n", name);
        return true;
    }
    if (!publication_drop(conn, name, &dropped, &failure))
        return publication_stays(config->cdc_slot_name, &failure, err);
    printf(dropped ? "dropped publication %s\n" : "publication %s does not exist\n", name);
    return true;
}

static bool is_on_server(const struct config *config, const char *system_id, struct error *err)
{
    AUTO(struct settings *, settings_free_p) settings = NULL;
    AUTO(struct db_conn *, db_conn_close_p) conn = NULL;
    struct db_conn_system system;
    if (!settings_new(config, &settings, err))
        return false;
    struct db_conn_options options = settings->conn;
    options.replication = true;
    if (!db_conn_open(&options, INTERRUPT_NONE, &conn, err) ||
        !db_conn_identify(conn, &system, err))
        return false;
    if (strcmp(system.system_id, system_id) == 0)
        return true;
    error_set(err, ERROR_HALT, "other_server",
              "not dropped: this server has system identifier %s, and slot \"%s\" was read on the "
              "one with %s",
              system.system_id, config->cdc_slot_name, system_id);
    return error_advise(err, "point cdc.host at that server");
}

static bool refuse_unknown(const struct config *config, struct error *err)
{
    error_set(err, ERROR_HALT, "slot_never_read",
              "not dropped: the Lease does not remember that slot \"%s\" was read",
              config->cdc_slot_name);
    return error_advise(err, "it may be somebody else's; where it is meant: pqcdc slot drop, or "
                             "SELECT pg_drop_replication_slot(...)");
}

/* A Lease remembers the slot that its holders read. What has that name on another server, or where
 * nobody of ours has read it, may be somebody else's: a server can have several names. */
static bool is_known(struct db_conn *conn, const struct config *config, struct error *err)
{
    struct gate_memory memory;
    struct slot_sight sight;
    bool remembers = false;
    if (!leadership_is_leased(config))
        return true;
    if (!leadership_recall_slot(config, &memory, &remembers, err) ||
        !slot_look(conn, config->cdc_slot_name, &sight, err))
        return false;
    if (remembers)
        return is_on_server(config, memory.system_id, err);
    return !sight.exists || refuse_unknown(config, err);
}

/* The slot first: a publication that goes before makes it useless. It may be tried again, so what
 * is gone already counts as dropped. */
static bool drop_all(struct db_conn *conn, const struct config *config, struct error *err)
{
    struct error failure = ERROR_INIT;
    if (!is_known(conn, config, err))
        return false;
    if (drop(conn, config, &failure)) {
        /* said */
    } else if (strcmp(failure.code, "slot_missing") != 0) {
        *err = failure;
        return false;
    } else {
        printf("replication slot %s does not exist\n", config->cdc_slot_name);
    }
    if (!drop_publication(conn, config, err))
        return false;
    return !leadership_is_leased(config) || leadership_forget_slot(config, err);
}

enum exit_code slot_command_status(const struct arguments *arguments UNUSED,
                                   const struct config *config)
{
    return with_connection(config, print_status);
}

enum exit_code slot_command_drop(const struct arguments *arguments, const struct config *config)
{
    return with_connection(config, arguments->with_publication ? drop_all : drop);
}

enum exit_code slot_command_create(const struct arguments *arguments, const struct config *config)
{
    struct error err = ERROR_INIT;
    AUTO(struct settings *, settings_free_p) settings = NULL;
    if (!settings_new(config, &settings, &err))
        return failed(&err);
    struct log *log = log_new(
        &(struct log_options){ .fd = STDERR_FILENO, .format = LOG_TEXT, .clock = clock_system() });
    const struct session_options options = {
        .conn = settings->conn,
        .publication = settings->publication,
        .heartbeat = settings->heartbeat,
        .slot = config->cdc_slot_name,
        .create_slot = true,
        .failover = config->cdc_slot_failover,
        .wal_sender_timeout_ms = config->cdc_wal_sender_timeout_ms,
        .route = settings->route,
        .clock = clock_system(),
        .gate = slot_only_gate(),
        .log = log,
    };
    lsn_t point = LSN_NONE;
    bool created =
        session_create_slot(&options, INTERRUPT_NONE, arguments->accept_gap, &point, &err);
    log_free(log);
    if (!created)
        return failed(&err);
    if (leadership_is_leased(config) && !leadership_forget_slot(config, &err))
        return failed(&err);
    printf("created replication slot %s; changes committed after %s will be delivered\n",
           config->cdc_slot_name, lsn_text(point).text);
    return EXIT_CODE_OK;
}
