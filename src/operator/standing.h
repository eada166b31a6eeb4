/* The status of a Connector: conditions with their times, leader, counts, slot, lag, last error.
 * Pure; any thread. */
#ifndef OPERATOR_STANDING_H
#define OPERATOR_STANDING_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "operator/conditions.h"
#include "operator/operator_settings.h"

/* The whole content of .status. A condition keeps its lastTransitionTime while its status is the
 * same, the last error its time while it says the same, so that equal sights give equal bytes. What
 * no worker reports now is left out; only the last error stays. The caller's. */
json_t *standing_compose(const struct conditions_input *input,
                         const struct operator_settings *settings, int64_t now_us);

/* Whether the new status is to be written: anything but figures of slot and lag differs, a figure
 * came, went, or jumped (by more than 16 MiB or 10 s, and to half or twice of it), or figures
 * differ and were measured a minute ago. */
bool standing_is_news(const json_t *before, const json_t *after, int64_t now_us);

/* True when its status says of Ready what that reason says. */
bool standing_is(const json_t *connector, const char *reason);

/* True when its status says that nothing kept it from running when it was looked at last, whether
 * or not a worker did. */
bool standing_was_admitted(const json_t *connector);

/* What changed between two statuses and is worth an event: {reason, action, warning, note},
 * appended to `events`. */
void standing_announce(const json_t *before, const json_t *after, json_t *events);

#endif
