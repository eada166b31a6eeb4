#include "connector/publication_notice.h"

#include <string.h>

static void say(const struct publication_notice *notice, const struct watcher_publication *seen)
{
    const char *advice =
        "this server passes over what is committed while a publication is missing: "
        "such changes are not delivered";
    log_warn(notice->log, "the publication changed under the stream",
             LOG_STR("publication", notice->publication), LOG_STR("change", seen->change),
             LOG_STR("advice", seen->passed_over ? advice : NULL));
}

/* The start of the stream may create it, or alter it. */
static bool is_ours(const struct publication_notice *notice, const struct watcher_publication *seen,
                    uint64_t changes)
{
    char difference[PUBLICATION_CHANGE_SIZE];
    if (notice->left != NULL && notice->left->exists)
        return !publication_watch_changed(notice->left, &seen->sight, difference);
    return changes == notice->told + 1 && strcmp(seen->change, PUBLICATION_WATCH_CREATED) == 0;
}

bool publication_notice_look(struct publication_notice *notice, struct error *err)
{
    uint64_t changes = watcher_publication_changes(notice->watcher);
    struct watcher_publication seen;
    if (changes == notice->told || !watcher_publication(notice->watcher, &seen))
        return true;
    bool ours = is_ours(notice, &seen, changes);
    notice->told = changes;
    if (!ours)
        say(notice, &seen);
    if (seen.sight.exists || !seen.passed_over)
        return true;
    return error_set(err, ERROR_RETRY, "publication_dropped",
                     "publication \"%s\" was dropped: from now on the server passes over changes",
                     notice->publication);
}
