/* The rules of election.def: when each holds. Pure; used by election.c, and by who shows the table.
 */
#ifndef ELECTION_ELECTION_RULES_H
#define ELECTION_ELECTION_RULES_H

#include <stdbool.h>
#include <stdint.h>

#include "election/election.h"

enum {
    ELECTION_RULES_GAP_POLLS = 2,     /* in poll intervals: who is woken later was frozen */
    ELECTION_RULES_FIT_POLLS = 2,     /* so many answered in a row make a candidate fit, */
    ELECTION_RULES_FIT_GAP_MS = 1000, /* when none is further from the next, nor the last so old */
};

/* What a rule is judged by: the machine with the event taken in already. */
struct election_view {
    const struct election *election;
    const struct election_event *event;
    mono_ms_t now;
    int64_t slept_ms; /* woken so late */
};

/* The first row of the state that holds; NULL = none. */
const struct election_row *election_rules_find(const struct election_view *view);
const struct election_row *election_rules_all(unsigned *out_count);

bool election_rules_is_ours(const struct election *election, const struct election_record *record);
int64_t election_rules_duration_ms(const struct election *election); /* of the record */
/* Whether the last look counts still: for being fit, and in a row of looks at a free slot. */
bool election_rules_polls_make_fit(const struct election *election, mono_ms_t now);
bool election_rules_polls_make_row(const struct election *election, mono_ms_t now);
bool election_rules_worker_is_still(const struct election *election);
enum election_phase election_rules_phase_to_tell(const struct election_view *view);

#endif
