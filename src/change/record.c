#include "change/record.h"

#include "base/check.h"
#include "base/memory.h"

enum { FIRST_CAPACITY = 4 };

static void grow(struct record_list *list)
{
    uint32_t capacity = list->capacity == 0 ? FIRST_CAPACITY : list->capacity * 2;
    CHECK(capacity > list->capacity);
    list->items = memory_resize(list->items, (size_t)capacity * sizeof *list->items);
    list->capacity = capacity;
}

struct record *record_list_add(struct record_list *list)
{
    if (list->count == list->capacity)
        grow(list);
    struct record *record = &list->items[list->count++];
    *record = (struct record){ .partition = RECORD_PARTITION_ANY };
    return record;
}

void record_list_clear(struct record_list *list)
{
    list->count = 0;
    list->sent = 0;
    arena_reset(list->arena);
}

void record_list_done(struct record_list *list)
{
    memory_free(list->items);
    *list = (struct record_list){ .arena = list->arena };
}
