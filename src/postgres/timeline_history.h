/* The text of a timeline's history file, as TIMELINE_HISTORY answers it: lines of parent, switch
 * point and reason, separated by white space; '#' begins a comment. Pure. */
#ifndef POSTGRES_TIMELINE_HISTORY_H
#define POSTGRES_TIMELINE_HISTORY_H

#include <stdbool.h>
#include <stdint.h>

#include "base/check.h"
#include "base/slice.h"
#include "change/lsn.h"

/* Where the timeline branched off its ancestor `parent`; *out_switch is LSN_NONE when that is no
 * ancestor of it. False: it is no such text. */
MUST_CHECK bool timeline_history_find(struct slice text, uint32_t parent, lsn_t *out_switch);

#endif
