#include "connector/resume.h"

#include "base/check.h"

bool resume_begin(struct resume *resume, uint32_t xid, lsn_t final_lsn)
{
    if (resume->awaited) {
        if (resume->xid != xid || lsn_compare(resume->final_lsn, final_lsn) != 0)
            return false;
        resume->awaited = false;
        resume->seen = 0;
        return true;
    }
    *resume = (struct resume){ .xid = xid, .final_lsn = final_lsn, .open = true };
    return true;
}

bool resume_skips(struct resume *resume)
{
    CHECK(resume->open && !resume->awaited);
    resume->seen++;
    return resume->seen <= resume->handed;
}

uint32_t resume_sent(const struct resume *resume, uint32_t count)
{
    return resume->sent < count ? resume->sent : count;
}

void resume_handed(struct resume *resume)
{
    CHECK(resume->open && resume->seen == resume->handed + 1);
    resume->handed++;
    resume->sent = 0;
}

void resume_closed(struct resume *resume)
{
    *resume = (struct resume){ .open = false };
}

void resume_cut(struct resume *resume, uint32_t sent)
{
    if (!resume->open)
        return;
    if (sent > resume->sent)
        resume->sent = sent;
    resume->awaited = true;
}

bool resume_missed(const struct resume *resume, lsn_t server_end)
{
    return resume->awaited && lsn_compare(server_end, resume->final_lsn) > 0;
}
