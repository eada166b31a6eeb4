#include "connector/connector_standby.h"

#include <stdio.h>
#include <string.h>

#include "connector/connector_private.h"
#include "connector/connector_rest.h"
#include "connector/outage.h"

static bool needs_a_person(const struct error *error)
{
    return error->class == ERROR_HALT || error->class == ERROR_CONFIG || error->class == ERROR_BUG;
}

void connector_standby_enter(struct connector *connector)
{
    struct error before;
    status_reason(&connector->status, &before);
    if (connector->error.class != ERROR_STEP_DOWN || !needs_a_person(&before))
        status_set_reason(&connector->status, &connector->error);
}

/* Somebody streams: what halted us is mended, or ours alone. */
static void forget_halt(struct connector *connector)
{
    struct error reason;
    status_reason(&connector->status, &reason);
    if (!needs_a_person(&reason))
        return;
    (void)error_set(&reason, ERROR_STEP_DOWN, "not_leader", "another replica leads");
    status_set_reason(&connector->status, &reason);
}

/* Who may lead and finds the slot taken says by whom; once. */
static void say_busy(struct connector *connector, const struct slot_sight *sight)
{
    struct error reason;
    status_reason(&connector->status, &reason);
    if (strncmp(reason.code, "slot_", strlen("slot_")) == 0)
        return;
    (void)error_set(&reason, ERROR_WAIT, "slot_busy",
                    "replication slot \"%s\" is read by pid %d (%s)", connector->session.slot,
                    sight->active_pid, sight->holder[0] != '\0' ? sight->holder : "unknown");
    log_failure(connector->with.log, LOG_INFO, "waiting for the slot", &reason);
    status_set_reason(&connector->status, &reason);
}

/* Since we became standby. */
static bool see_slot(const struct connector *connector, mono_ms_t since,
                     struct slot_sight *out_sight)
{
    int64_t age_ms;
    return watcher_sight(connector->watcher, out_sight, &age_ms) &&
           age_ms < mono_ms_since(clock_now(&connector->clock), since) &&
           watcher_connected(connector->watcher);
}

ON_PIPELINE_THREAD static bool slot_is_free(struct connector *connector, mono_ms_t since)
{
    struct slot_sight sight;
    if (!see_slot(connector, since, &sight))
        return false;
    if (sight.active)
        forget_halt(connector);
    if (!connector->gate.may_start(connector->gate.self))
        return false;
    if (sight.active || sight.creating)
        say_busy(connector, &sight);
    return !sight.active && !sight.creating;
}

/* Said once for each cause, and when it is over. True: the slot is not seen. */
static bool note_outage(struct connector *connector)
{
    struct outage outage;
    char *said = connector->outage_said;
    bool is_blind = outage_of_database(connector->watcher, &outage);
    if (is_blind && strcmp(said, outage.error.code) != 0) {
        log_failure(connector->with.log, LOG_WARN, "the slot cannot be seen; trying again",
                    &outage.error);
        (void)snprintf(said, sizeof(connector->outage_said), "%s", outage.error.code);
    } else if (said[0] != '\0' && watcher_connected(connector->watcher)) {
        log_info(connector->with.log, "the slot is seen again",
                 LOG_STR("slot", connector->session.slot));
        said[0] = '\0';
    }
    return is_blind;
}

enum life_cycle_event connector_standby_run(struct connector *connector)
{
    int64_t interval_ms =
        connector_look_interval_ms(connector->settings->config, connector->with.gate != NULL);
    mono_ms_t since = clock_now(&connector->clock);
    connector->phase = GATE_IDLE;
    watcher_set_interval(connector->watcher, interval_ms);
    for (;;) {
        mono_ms_t until = mono_ms_add(clock_now(&connector->clock), interval_ms);
        if (connector_rest_until(connector, until, true) == CONNECTOR_REST_STOP)
            return LIFE_CYCLE_ON_STOP;
        if (slot_is_free(connector, since))
            return LIFE_CYCLE_ON_SLOT_FREE;
        bool is_long = mono_ms_since(clock_now(&connector->clock), since) >= OUTAGE_DATABASE_MS;
        if (note_outage(connector) && is_long && connector->gate.may_start(connector->gate.self))
            return LIFE_CYCLE_ON_FAILED;
    }
}
