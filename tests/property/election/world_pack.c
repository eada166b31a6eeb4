/* A state as a short text. What cannot matter any more is left out: ages beyond the limit that they
 * are compared with, times that are over, what only counts in another state. So states that can
 * only behave alike are one. */
#include "world.h"

#include <string.h>

#include "base/check.h"
#include "world_replica.h"

enum {
    UNIT_MS = 500, /* all times are multiples of it */
    NEVER = 255,
    VERSION_LIMIT = 32,
};

static const int64_t NOW_MS = 1000000; /* of who is unpacked */

/* One walk does both: it writes, or reads. */
struct pack {
    uint8_t *bytes;
    size_t at;
    bool writes;
    const struct setting *setting;
    int64_t now_ms;
    uint64_t versions[VERSION_LIMIT]; /* as they were met: 1, 2, ... */
    unsigned version_count;
    uint8_t epochs[1 + 2 * REPLICA_LIMIT]; /* ascending */
    unsigned epoch_count;
};

static uint8_t pack_byte(struct pack *pack, uint8_t value)
{
    CHECK(pack->at < WORLD_PACKED_SIZE);
    if (pack->writes)
        pack->bytes[pack->at] = value;
    return pack->bytes[pack->at++];
}

static void pack_u8(struct pack *pack, uint8_t *value)
{
    *value = pack_byte(pack, *value);
}

static void pack_u32(struct pack *pack, uint32_t *value)
{
    *value = pack_byte(pack, (uint8_t)*value);
}

/* Up to eight of them in a byte. */
static void pack_flags(struct pack *pack, bool *const *flags, unsigned count)
{
    uint8_t byte = 0;
    for (unsigned i = 0; i < count; i++)
        byte = (uint8_t)(byte | *flags[i] << i);
    byte = pack_byte(pack, byte);
    for (unsigned i = 0; i < count; i++)
        *flags[i] = (byte >> i & 1) != 0;
}
#define PACK_FLAGS(pack, ...)                                                                      \
    pack_flags(pack, (bool *const[]){ __VA_ARGS__ },                                               \
               (unsigned)COUNT_OF(((bool *const[]){ __VA_ARGS__ })))

#define PACK_ENUM(pack, type, value) *(value) = (type)pack_byte(pack, (uint8_t) * (value))

/* How long before `end_ms`, at most `cap`. */
static void pack_age_at(struct pack *pack, int64_t end_ms, mono_ms_t *time, int64_t cap_ms)
{
    int64_t age_ms = end_ms - time->value;
    if (age_ms > cap_ms || !pack->writes)
        age_ms = cap_ms;
    CHECK(age_ms >= 0 && age_ms % UNIT_MS == 0);
    age_ms = pack_byte(pack, (uint8_t)(age_ms / UNIT_MS)) * UNIT_MS;
    time->value = end_ms - age_ms;
}

static void pack_age(struct pack *pack, mono_ms_t *time, int64_t cap_ms)
{
    pack_age_at(pack, pack->now_ms, time, cap_ms);
}

/* How long until then; what is over is over. */
static void pack_time_to_come(struct pack *pack, int64_t *time_ms)
{
    int64_t left_ms = pack->writes && *time_ms > pack->now_ms ? *time_ms - pack->now_ms : 0;
    CHECK(left_ms % UNIT_MS == 0 && left_ms / UNIT_MS < NEVER);
    *time_ms = pack->now_ms + pack_byte(pack, (uint8_t)(left_ms / UNIT_MS)) * UNIT_MS;
}

static void pack_version(struct pack *pack, uint64_t *version)
{
    uint8_t number = 0;
    if (pack->writes && *version == UINT64_MAX)
        number = NEVER;
    else if (pack->writes && *version != 0) {
        while (number < pack->version_count && pack->versions[number] != *version)
            number++;
        if (number == pack->version_count) {
            CHECK(pack->version_count < VERSION_LIMIT);
            pack->versions[pack->version_count++] = *version;
        }
        number++;
    }
    number = pack_byte(pack, number);
    *version = number == NEVER ? UINT64_MAX : number;
}

static void pack_text(struct pack *pack, char *text, const char *(*name)(uint8_t who))
{
    uint8_t who = 0;
    if (pack->writes && text[0] != '\0')
        who = (uint8_t)(text[strlen(text) - 1] - '0');
    who = pack_byte(pack, who);
    if (!pack->writes)
        strcpy(text, name(who));
}

static void pack_lease(struct pack *pack, struct lease *lease)
{
    uint8_t byte = (uint8_t)(lease->exists | lease->holder << 1 | lease->phase << 4);
    byte = pack_byte(pack, byte);
    lease->exists = (byte & 1) != 0;
    lease->holder = byte >> 1 & 7;
    lease->phase = byte >> 4 & 3;
    pack_version(pack, &lease->version);
}

/* Only their order counts. */
static void pack_epoch(struct pack *pack, uint8_t *epoch)
{
    uint8_t rank = 0;
    while (pack->writes && rank < pack->epoch_count && pack->epochs[rank] < *epoch)
        rank++;
    *epoch = pack_byte(pack, rank);
}

static void collect_epoch(struct pack *pack, uint8_t epoch)
{
    unsigned at = 0;
    while (at < pack->epoch_count && pack->epochs[at] < epoch)
        at++;
    if (epoch == 0 || (at < pack->epoch_count && pack->epochs[at] == epoch))
        return;
    memmove(pack->epochs + at + 1, pack->epochs + at, pack->epoch_count++ - at);
    pack->epochs[at] = epoch;
}

static void collect_epochs(struct pack *pack, const struct world *world)
{
    pack->epochs[pack->epoch_count++] = 0;
    collect_epoch(pack, world->newest);
    for (unsigned i = 0; i < world->setting->replicas; i++) {
        collect_epoch(pack, world->replicas[i].epoch);
        collect_epoch(pack, world->replicas[i].queued_epoch);
    }
}

/* The machine. */

/* What cannot matter in its state is made equal. */
static void normalize(struct election *election, int64_t now_ms)
{
    const mono_ms_t long_ago = { INT64_MIN / 2 };
    bool leads = election->state == ELECTION_LEADING;
    if (!leads) {
        election->proven_at = long_ago;
        election->streamed = false;
        election->contested = false;
        election->told = ELECTION_PHASE_NONE;
    }
    if (!leads && election->state != ELECTION_ACQUIRING)
        election->wrote_at = long_ago;
    if (election->call == ELECTION_CALL_NONE || election->call == ELECTION_CALL_READ)
        election->built_on = 0;
    if (election->write_after.value <= now_ms)
        election->refused = UINT64_MAX;
    if (!election->record.exists ||
        strcmp(election->record.holder, election->options.identity) == 0)
        election->changed_at = long_ago;
    if (election->free_polls == 0)
        election->free_since = long_ago;
    if (election->answered_polls == 0)
        election->poll = (struct election_poll){ .answered = false };
    if (election->state != ELECTION_LOSING && election->state != ELECTION_RELEASING)
        election->entered_at = long_ago;
}

static void pack_record(struct pack *pack, struct election *election)
{
    struct election_record *record = &election->record;
    PACK_ENUM(pack, enum election_phase, &record->phase);
    pack_version(pack, &record->version);
    pack_text(pack, record->holder, world_replica_identity);
    PACK_FLAGS(pack, &record->exists, &election->old, &election->doubtful, &election->contested,
               &election->claimed, &election->streamed, &election->leaving, &election->poll.active);
    if (!pack->writes && record->exists)
        record->duration_ms =
            record->holder[0] != '\0' ? election->options.lease_duration_ms : TICK_MS;
}

/* The time slept is forgiven, so that what counts is how old these were when the sleep began. */
static void pack_polls(struct pack *pack, struct election *election, int64_t awake_ms)
{
    const struct election_options *options = &election->options;
    struct election_poll *poll = &election->poll;
    pack_text(pack, poll->reader, world_replica_application);
    pack_u32(pack, &election->answered_polls);
    pack_u32(pack, &election->free_polls);
    pack_age(pack, &election->polled_at, 2 * options->poll_interval_ms + UNIT_MS);
    pack_age(pack, &election->free_since, options->takeover_grace_ms);
    pack_age_at(pack, awake_ms, &election->answered_at, options->database_limit_ms);
    pack_age_at(pack, awake_ms, &election->brokers_at, options->broker_limit_ms);
    PACK_ENUM(pack, enum election_worker_phase, &election->worker.phase);
    PACK_FLAGS(pack, &poll->answered, &poll->exists, &election->worker.brokers,
               &election->worker.records_waiting);
}

/* Woken late: frozen. How late counts up to what is taken for a loss. */
static void pack_wake(struct pack *pack, struct election *election)
{
    mono_ms_t *wake_at = &election->wake_at;
    int64_t limit_ms = election->options.renew_deadline_ms + UNIT_MS, base_ms = 64 * UNIT_MS;
    int64_t late_ms = pack->now_ms - wake_at->value;
    if (late_ms > limit_ms)
        late_ms = limit_ms;
    uint8_t byte = pack->writes ? (uint8_t)((late_ms + base_ms) / UNIT_MS) : 0;
    wake_at->value = pack->now_ms - (pack_byte(pack, byte) * UNIT_MS - base_ms);
}

static int64_t awake_until_ms(const struct pack *pack, const struct election *election)
{
    return election->wake_at.value < pack->now_ms ? election->wake_at.value : pack->now_ms;
}

/* Who runs is woken at each tick: that it was to be woken later only counts if it may still freeze.
 */
static void normalize_wake(const struct world *world, struct replica *replica)
{
    mono_ms_t *wake_at = &replica->election.wake_at;
    if (world->faults == 0 && replica->life == LIFE_RUNNING && wake_at->value > replica->now_ms)
        wake_at->value = replica->now_ms;
}

static void pack_election(struct pack *pack, struct election *election)
{
    const struct election_options *options = &election->options;
    PACK_ENUM(pack, enum election_state, &election->state);
    PACK_ENUM(pack, enum election_call, &election->call);
    PACK_ENUM(pack, enum election_phase, &election->told);
    pack_age(pack, &election->entered_at, options->renew_deadline_ms);
    pack_age(pack, &election->called_at, options->renew_deadline_ms);
    pack_time_to_come(pack, &election->call_after.value);
    pack_time_to_come(pack, &election->write_after.value);
    pack_age(pack, &election->wrote_at, options->retry_period_ms);
    pack_version(pack, &election->built_on);
    pack_version(pack, &election->refused);
    pack_record(pack, election);
    pack_age(pack, &election->changed_at, options->lease_duration_ms);
    pack_age(pack, &election->proven_at, options->renew_deadline_ms);
    int64_t awake_ms = awake_until_ms(pack, election);
    pack_wake(pack, election);
    pack_polls(pack, election, pack->writes ? awake_ms : awake_until_ms(pack, election));
}

/* The rest of a replica. */

static void pack_request(struct pack *pack, struct request *request)
{
    PACK_ENUM(pack, enum stage, &request->stage);
    if (request->stage == STAGE_NONE)
        return;
    PACK_ENUM(pack, enum election_call, &request->call);
    pack_version(pack, &request->built_on);
    pack_u8(pack, &request->holder);
    pack_u8(pack, &request->phase);
    pack_u8(pack, &request->age);
    PACK_FLAGS(pack, &request->expired, &request->abandoned, &request->slow);
    PACK_ENUM(pack, enum election_outcome, &request->outcome);
    pack_lease(pack, &request->lease);
}

static void pack_process(struct pack *pack, struct replica *replica)
{
    pack_request(pack, &replica->request);
    PACK_FLAGS(pack, &replica->must_stop, &replica->stuck, &replica->leaving, &replica->told_stop,
               &replica->hinted, &replica->turned, &replica->read_proof, &replica->call_failed);
    pack_u8(pack, &replica->saw_free);
    pack_u8(pack, &replica->blind_ticks);
    PACK_ENUM(pack, enum work, &replica->work);
    pack_time_to_come(pack, &replica->may_start_until_ms);
    pack_u8(pack, &replica->stop_ticks);
    pack_u8(pack, &replica->lost_ticks);
    pack_u8(pack, &replica->saw_reader);
    pack_epoch(pack, &replica->epoch);
    pack_epoch(pack, &replica->queued_epoch);
    pack_election(pack, &replica->election);
}

static void pack_replica(struct pack *pack, struct replica *replica)
{
    PACK_ENUM(pack, enum life, &replica->life);
    PACK_FLAGS(pack, &replica->dawdles, &replica->api_cut, &replica->db_cut, &replica->kafka_cut,
               &replica->kafka_slow, &replica->queued, &replica->excused);
    pack_u8(pack, &replica->db_ticks);
    pack_u8(pack, &replica->kafka_ticks);
    pack_request(pack, &replica->ghost);
    if (replica->life != LIFE_DEAD)
        pack_process(pack, replica);
}

static void pack_world(struct pack *pack, struct world *world)
{
    pack_lease(pack, &world->lease);
    pack_lease(pack, &world->before);
    PACK_FLAGS(pack, &world->api_down, &world->db_down, &world->slot_exists);
    pack_u8(pack, &world->faults);
    pack_u8(pack, &world->reader);
    pack_u8(pack, &world->lease_ticks);
    pack_u8(pack, &world->silent_ticks);
    pack_epoch(pack, &world->newest);
    for (unsigned i = 0; i < world->setting->replicas; i++) {
        pack->now_ms = world->replicas[i].now_ms;
        pack_replica(pack, &world->replicas[i]);
    }
}

size_t world_pack(const struct world *world, uint8_t out[WORLD_PACKED_SIZE])
{
    struct world copy = *world;
    struct pack pack = { .bytes = out, .writes = true, .setting = world->setting };
    if (world->faults == 0 || world->setting->no_watch)
        copy.before = copy.lease;
    for (unsigned i = 0; i < world->setting->replicas; i++) {
        normalize(&copy.replicas[i].election, copy.replicas[i].now_ms);
        normalize_wake(&copy, &copy.replicas[i]);
    }
    collect_epochs(&pack, &copy);
    pack_world(&pack, &copy);
    return pack.at;
}

void world_unpack(const struct setting *setting, const uint8_t packed[WORLD_PACKED_SIZE],
                  struct world *out_world)
{
    uint8_t bytes[WORLD_PACKED_SIZE];
    memcpy(bytes, packed, sizeof(bytes));
    struct pack pack = { .bytes = bytes, .setting = setting };
    memset(out_world, 0, sizeof(*out_world));
    out_world->setting = setting;
    for (unsigned i = 0; i < setting->replicas; i++) {
        out_world->replicas[i].now_ms = NOW_MS;
        world_replica_begin(out_world, i);
    }
    pack_world(&pack, out_world);
    out_world->next_version = VERSION_LIMIT + 1;
}
