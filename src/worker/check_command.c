#include "worker/check_command.h"

#include <stdio.h>

#include "base/buf.h"
#include "base/memory.h"
#include "worker/check_handler.h"
#include "worker/check_kafka.h"
#include "worker/check_postgres.h"
#include "worker/commands.h"

enum { REPORT_MAX_BYTES = 64 * 1024 * 1024 };

/* What a check leaves for others. */
enum seen {
    SEEN_SERVER = 1,
    SEEN_SLOT = 2,
    SEEN_TABLES = 4,
    SEEN_PUBLICATION = 8,
    SEEN_TOPICS = 16,
    SEEN_BROKERS = 32,
};

static const struct check {
    const char *name;
    unsigned needs, gives; /* bits of enum seen */
    check_fn *run;
} checks[] = {
    { "postgres", 0, SEEN_SERVER, check_postgres_server },
    { "wal_level", SEEN_SERVER, 0, check_postgres_wal_level },
    { "slot", SEEN_SERVER, SEEN_SLOT, check_postgres_slot },
    { "role", SEEN_SLOT, 0, check_postgres_role },
    { "slots", SEEN_SLOT, 0, check_postgres_slots_left },
    { "senders", SEEN_SLOT, 0, check_postgres_senders_left },
    { "tables", SEEN_SERVER, SEEN_TABLES, check_postgres_tables },
    { "publication", SEEN_SLOT | SEEN_TABLES, SEEN_PUBLICATION, check_postgres_publication },
    { "replica_identity", SEEN_PUBLICATION, 0, check_postgres_replica_identity },
    { "synchronous_standby", SEEN_SERVER, 0, check_postgres_synchronous },
    { "routes", SEEN_PUBLICATION, SEEN_TOPICS, check_postgres_routes },
    { "brokers", 0, SEEN_BROKERS, check_kafka_brokers },
    { "topics", SEEN_TOPICS | SEEN_BROKERS, 0, check_kafka_topics },
    { "record_size", SEEN_BROKERS, 0, check_kafka_record_size },
    { "handler", 0, 0, check_handler },
};

/* The first check that should have given what is missing. */
static const char *giver_of(unsigned missing)
{
    for (size_t i = 0; i < COUNT_OF(checks); i++)
        if ((checks[i].gives & missing) != 0)
            return checks[i].name;
    return "";
}

static void run_checks(struct check_sight *sight)
{
    unsigned seen = 0;
    for (size_t i = 0; i < COUNT_OF(checks); i++) {
        struct error err = ERROR_INIT;
        unsigned missing = checks[i].needs & ~seen;
        sight->check = checks[i].name;
        if (missing != 0)
            check_say(sight, SKIP, MEND_NONE, "not looked at, because of: %s", giver_of(missing));
        else if (checks[i].run(sight, &err))
            seen |= checks[i].gives;
        else
            check_report_add_error(&sight->report, checks[i].name, &err);
    }
}

static void check_sight_done(struct check_sight *sight)
{
    for (uint32_t i = 0; i < sight->topic_count; i++)
        memory_free(sight->topics[i]);
    memory_free(sight->topics);
    broker_sight_done(&sight->brokers);
    server_sight_done(&sight->server);
    db_conn_close(sight->conn);
    check_report_done(&sight->report);
}

enum exit_code check_command(const struct arguments *arguments, const struct config *config)
{
    struct error err = ERROR_INIT;
    AUTO(struct settings *, settings_free_p) settings = NULL;
    if (!settings_new(config, &settings, &err)) {
        commands_print_error(&err);
        return exit_codes_of(&err);
    }
    AUTO(struct check_sight, check_sight_done) sight = { .config = config, .settings = settings };
    AUTO(struct buf, buf_done) out = buf_init(REPORT_MAX_BYTES);
    run_checks(&sight);
    if (arguments->output_json)
        check_report_write_json(&sight.report, &out);
    else
        check_report_write_text(&sight.report, &out);
    fputs(buf_text(&out), stdout);
    return check_report_count(&sight.report, CHECK_STATUS_FAIL) == 0 ? EXIT_CODE_OK
                                                                     : EXIT_CODE_MEND;
}
