#include "progress/ack_tracker.h"

#include "base/check.h"
#include "base/memory.h"

/* The ring's first size; both arrays double from theirs. */
enum { FIRST_ENTRIES = 64, FIRST_GROUPS = 8 };

#define GENERATION_SHIFT 48
#define GROUP_FLAG       (UINT64_C(1) << 47)
#define NUMBER_MASK      (GROUP_FLAG - 1)
#define GROUP_NONE       UINT32_MAX

struct entry {
    lsn_t end; /* once it is closed */
    struct ack_times times;
    uint32_t undone;
};

enum group_state { GROUP_FREE, GROUP_OPEN, GROUP_CLOSED };

struct group {
    enum group_state state;
    uint32_t undone;
    uint32_t chunk;
    uint32_t next_free; /* while GROUP_FREE */
};

/* Entry number n stands at entries[n & (capacity - 1)]; the ring holds the numbers head to
 * head + count - 1, all of them closed but the last one while `open`. */
struct ack_tracker {
    struct entry *entries;
    uint64_t head;
    uint32_t capacity; /* a power of two */
    uint32_t count;
    uint32_t entry_limit;
    bool open;
    uint16_t generation;

    struct group *groups;
    uint32_t group_count;
    uint32_t group_free; /* GROUP_NONE = all in use */

    lsn_t confirmed;
    lsn_t newest_end; /* of the newest closed entry; at least confirmed */
    uint64_t in_flight;
};

struct ack_tracker *ack_tracker_new(uint32_t entry_limit)
{
    CHECK(entry_limit > 0);
    struct ack_tracker *tracker = memory_alloc(sizeof *tracker);
    tracker->entry_limit = entry_limit;
    tracker->capacity = FIRST_ENTRIES;
    tracker->entries = memory_array(FIRST_ENTRIES, sizeof *tracker->entries);
    tracker->group_free = GROUP_NONE;
    tracker->generation = 1;
    return tracker;
}

void ack_tracker_free(struct ack_tracker *tracker)
{
    if (tracker == NULL)
        return;
    memory_free(tracker->entries);
    memory_free(tracker->groups);
    memory_free(tracker);
}

/* Tickets. */

static ticket_t ticket_make(const struct ack_tracker *tracker, uint64_t flag, uint64_t number)
{
    return (ticket_t){ (uint64_t)tracker->generation << GENERATION_SHIFT | flag |
                       (number & NUMBER_MASK) };
}

static bool ticket_is_current(const struct ack_tracker *tracker, ticket_t ticket)
{
    return ticket.value >> GENERATION_SHIFT == tracker->generation;
}

static bool ticket_is_group(ticket_t ticket)
{
    return (ticket.value & GROUP_FLAG) != 0;
}

/* The ring. */

static struct entry *entry_at(const struct ack_tracker *tracker, uint64_t number)
{
    return &tracker->entries[number & (tracker->capacity - 1)];
}

static uint64_t tail_number(const struct ack_tracker *tracker)
{
    return tracker->head + tracker->count - 1;
}

static struct entry *tail_of(const struct ack_tracker *tracker)
{
    return entry_at(tracker, tail_number(tracker));
}

static void ring_grow(struct ack_tracker *tracker)
{
    struct entry *old = tracker->entries;
    uint64_t old_mask = tracker->capacity - 1;
    tracker->capacity *= 2;
    CHECK(tracker->capacity > old_mask);
    tracker->entries = memory_array(tracker->capacity, sizeof *tracker->entries);
    for (uint64_t number = tracker->head; number <= tail_number(tracker); number++)
        *entry_at(tracker, number) = old[number & old_mask];
    memory_free(old);
}

static void ring_append(struct ack_tracker *tracker, lsn_t end)
{
    CHECK(!ack_tracker_full(tracker));
    if (tracker->count == tracker->capacity)
        ring_grow(tracker);
    tracker->count++;
    *tail_of(tracker) = (struct entry){ .end = end };
}

/* Confirms the done prefix. An open entry is never done, however few of its records are left. */
static void ring_advance(struct ack_tracker *tracker)
{
    uint32_t closed_count = tracker->count - (tracker->open ? 1 : 0);
    for (; closed_count > 0; closed_count--) {
        const struct entry *oldest = entry_at(tracker, tracker->head);
        if (oldest->undone > 0)
            return;
        tracker->confirmed = oldest->end;
        tracker->head++;
        tracker->count--;
    }
}

/* The entry of a ticket that is in the ring. */
static struct entry *entry_of(const struct ack_tracker *tracker, ticket_t ticket)
{
    uint64_t distance = (ticket.value - tracker->head) & NUMBER_MASK;
    CHECK(distance < tracker->count);
    return entry_at(tracker, tracker->head + distance);
}

static struct entry *open_entry_of(const struct ack_tracker *tracker, ticket_t ticket)
{
    struct entry *entry = entry_of(tracker, ticket);
    CHECK(tracker->open && entry == tail_of(tracker));
    return entry;
}

/* Groups: slots with a free list. */

static void groups_grow(struct ack_tracker *tracker)
{
    uint32_t old_count = tracker->group_count;
    uint32_t new_count = old_count == 0 ? FIRST_GROUPS : old_count * 2;
    CHECK(new_count > old_count);
    tracker->groups = memory_resize(tracker->groups, new_count * sizeof *tracker->groups);
    tracker->group_count = new_count;
    for (uint32_t slot = new_count; slot > old_count; slot--) {
        tracker->groups[slot - 1] = (struct group){ .next_free = tracker->group_free };
        tracker->group_free = slot - 1;
    }
}

static struct group *group_slot(const struct ack_tracker *tracker, ticket_t ticket)
{
    CHECK(ticket_is_current(tracker, ticket) && ticket_is_group(ticket));
    uint64_t slot = ticket.value & NUMBER_MASK;
    CHECK(slot < tracker->group_count);
    return &tracker->groups[slot];
}

static void group_release(struct ack_tracker *tracker, struct group *group)
{
    group->state = GROUP_FREE;
    group->next_free = tracker->group_free;
    tracker->group_free = (uint32_t)(group - tracker->groups);
}

/* Frees the slot when nothing more can come. */
static bool group_completed(struct ack_tracker *tracker, struct group *group)
{
    if (group->state != GROUP_CLOSED || group->undone > 0)
        return false;
    group_release(tracker, group);
    return true;
}

static void groups_forget(struct ack_tracker *tracker)
{
    tracker->group_free = GROUP_NONE;
    for (uint32_t slot = tracker->group_count; slot > 0; slot--)
        group_release(tracker, &tracker->groups[slot - 1]);
}

/* The events. */

bool ack_tracker_full(const struct ack_tracker *tracker)
{
    return tracker->count == tracker->entry_limit;
}

ticket_t ack_tracker_begin(struct ack_tracker *tracker)
{
    CHECK(!tracker->open);
    ring_append(tracker, LSN_NONE);
    tracker->open = true;
    return ticket_make(tracker, 0, tail_number(tracker));
}

ticket_t ack_tracker_begin_group(struct ack_tracker *tracker, uint32_t chunk)
{
    if (tracker->group_free == GROUP_NONE)
        groups_grow(tracker);
    uint32_t slot = tracker->group_free;
    tracker->group_free = tracker->groups[slot].next_free;
    tracker->groups[slot] = (struct group){ .state = GROUP_OPEN, .chunk = chunk };
    return ticket_make(tracker, GROUP_FLAG, slot);
}

void ack_tracker_add(struct ack_tracker *tracker, ticket_t ticket, uint32_t count)
{
    CHECK(ticket_is_current(tracker, ticket));
    uint32_t *undone = NULL;
    if (ticket_is_group(ticket)) {
        struct group *group = group_slot(tracker, ticket);
        CHECK(group->state == GROUP_OPEN);
        undone = &group->undone;
    } else {
        undone = &open_entry_of(tracker, ticket)->undone;
    }
    bool overflow = __builtin_add_overflow(*undone, count, undone);
    CHECK(!overflow);
    tracker->in_flight += count;
}

void ack_tracker_withdraw(struct ack_tracker *tracker, ticket_t ticket, uint32_t count)
{
    CHECK(ticket_is_current(tracker, ticket) && !ticket_is_group(ticket));
    struct entry *entry = open_entry_of(tracker, ticket);
    CHECK(entry->undone >= count);
    entry->undone -= count;
    tracker->in_flight -= count;
}

void ack_tracker_note(struct ack_tracker *tracker, ticket_t ticket, struct ack_times times)
{
    CHECK(ticket_is_current(tracker, ticket) && !ticket_is_group(ticket));
    open_entry_of(tracker, ticket)->times = times;
}

/* The entry may have left the ring, but nothing took its place yet. */
bool ack_tracker_times(const struct ack_tracker *tracker, ticket_t ticket,
                       struct ack_times *out_times)
{
    CHECK(ticket_is_current(tracker, ticket));
    if (ticket_is_group(ticket))
        return false;
    *out_times = entry_at(tracker, ticket.value & NUMBER_MASK)->times;
    return true;
}

static bool close_group(struct ack_tracker *tracker, ticket_t ticket)
{
    struct group *group = group_slot(tracker, ticket);
    CHECK(group->state == GROUP_OPEN);
    group->state = GROUP_CLOSED;
    return group_completed(tracker, group);
}

bool ack_tracker_close(struct ack_tracker *tracker, ticket_t ticket, lsn_t end)
{
    CHECK(ticket_is_current(tracker, ticket));
    if (ticket_is_group(ticket)) {
        CHECK(lsn_is_none(end));
        return close_group(tracker, ticket);
    }
    struct entry *entry = open_entry_of(tracker, ticket);
    bool complete = entry->undone == 0;
    tracker->newest_end = lsn_max(tracker->newest_end, end);
    entry->end = tracker->newest_end;
    tracker->open = false;
    ring_advance(tracker);
    return complete;
}

void ack_tracker_idle(struct ack_tracker *tracker, lsn_t wal_end)
{
    if (tracker->open || lsn_compare(wal_end, tracker->newest_end) <= 0)
        return;
    if (tracker->count == 0)
        tracker->confirmed = wal_end;
    else if (tail_of(tracker)->undone == 0)
        tail_of(tracker)->end = wal_end;
    else if (!ack_tracker_full(tracker))
        ring_append(tracker, wal_end);
    else
        return;
    tracker->newest_end = wal_end;
}

static bool done_in_group(struct ack_tracker *tracker, ticket_t ticket)
{
    struct group *group = group_slot(tracker, ticket);
    CHECK(group->state != GROUP_FREE && group->undone > 0);
    group->undone--;
    tracker->in_flight--;
    return group_completed(tracker, group);
}

bool ack_tracker_done(struct ack_tracker *tracker, ticket_t ticket)
{
    if (!ticket_is_current(tracker, ticket))
        return false;
    if (ticket_is_group(ticket))
        return done_in_group(tracker, ticket);
    struct entry *entry = entry_of(tracker, ticket);
    CHECK(entry->undone > 0);
    entry->undone--;
    tracker->in_flight--;
    if (entry->undone > 0 || (tracker->open && entry == tail_of(tracker)))
        return false;
    ring_advance(tracker);
    return true;
}

void ack_tracker_restart(struct ack_tracker *tracker)
{
    tracker->head += tracker->count;
    tracker->count = 0;
    tracker->open = false;
    tracker->in_flight = 0;
    tracker->newest_end = tracker->confirmed = LSN_NONE;
    groups_forget(tracker);
    tracker->generation++;
    if (tracker->generation == 0)
        tracker->generation = 1;
}

/* What is known. */

lsn_t ack_tracker_confirmed(const struct ack_tracker *tracker)
{
    return tracker->confirmed;
}

bool ack_tracker_open(const struct ack_tracker *tracker)
{
    return tracker->open;
}

uint64_t ack_tracker_in_flight(const struct ack_tracker *tracker)
{
    return tracker->in_flight;
}

uint32_t ack_tracker_entries(const struct ack_tracker *tracker)
{
    return tracker->count;
}

lsn_t ack_tracker_end(const struct ack_tracker *tracker, ticket_t ticket)
{
    uint64_t distance = (ticket.value - tracker->head) & NUMBER_MASK;
    if (!ticket_is_current(tracker, ticket) || ticket_is_group(ticket) ||
        distance >= tracker->count)
        return LSN_NONE;
    return entry_at(tracker, tracker->head + distance)->end;
}

uint32_t ack_tracker_chunk(const struct ack_tracker *tracker, ticket_t ticket)
{
    return group_slot(tracker, ticket)->chunk;
}

uint16_t ack_tracker_generation(const struct ack_tracker *tracker)
{
    return tracker->generation;
}
