#include "kafka/first_acks.h"

#include <string.h>

#include "base/check.h"
#include "base/memory.h"

enum stage { STAGE_NEW, STAGE_ON_ITS_WAY, STAGE_ACKNOWLEDGED };

void first_acks_done(struct first_acks *acks)
{
    memory_free(acks->stages);
    *acks = (struct first_acks){ 0 };
}

static enum stage stage_of(const struct first_acks *acks, int32_t partition)
{
    return partition < acks->stage_count ? acks->stages[partition] : STAGE_NEW;
}

static void set_stage(struct first_acks *acks, int32_t partition, enum stage stage)
{
    if (partition >= acks->stage_count) {
        size_t old = (size_t)acks->stage_count;
        size_t count = (size_t)partition + 1 > 2 * old ? (size_t)partition + 1 : 2 * old;
        acks->stages = memory_resize(acks->stages, count);
        memset(acks->stages + old, STAGE_NEW, count - old);
        acks->stage_count = (int32_t)count;
    }
    acks->stages[partition] = (unsigned char)stage;
}

bool first_acks_hold(const struct first_acks *acks, int32_t partition)
{
    if (acks->unreported == 0)
        return false;
    return !acks->known || (partition >= 0 && stage_of(acks, partition) == STAGE_ON_ITS_WAY);
}

void first_acks_sent(struct first_acks *acks, int32_t partition)
{
    acks->unreported++;
    if (partition < 0)
        acks->known = false;
    else if (acks->known && stage_of(acks, partition) == STAGE_NEW)
        set_stage(acks, partition, STAGE_ON_ITS_WAY);
}

void first_acks_reported(struct first_acks *acks, int32_t partition, bool acknowledged)
{
    CHECK(acks->unreported > 0);
    acks->unreported--;
    if (!acknowledged || partition < 0)
        return;
    if (stage_of(acks, partition) != STAGE_ACKNOWLEDGED)
        set_stage(acks, partition, STAGE_ACKNOWLEDGED);
    if (acks->unreported == 0)
        acks->known = true;
}
