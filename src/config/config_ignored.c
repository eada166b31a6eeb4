#include "config/config_ignored.h"

#include <string.h>

enum { FIRST_ROOM = 8 };

/* The arena keeps the smaller arrays until the configuration is freed: at most as much again. */
static void grow(struct config_ignored_list *list, struct arena *arena)
{
    uint32_t room = list->room == 0 ? FIRST_ROOM : list->room * 2;
    struct config_ignored *items = arena_array(arena, room, sizeof(*items));
    if (list->count > 0)
        memcpy(items, list->items, list->count * sizeof(*items));
    list->items = items;
    list->room = room;
}

void config_ignored_add(struct config_ignored_list *list, struct arena *arena,
                        const struct config_ignored_option *option, const char *path,
                        const char *where)
{
    if (list->count == list->room)
        grow(list, arena);
    list->items[list->count++] = (struct config_ignored){
        .path = arena_copy(arena, slice_of(path)).data,
        .where = arena_copy(arena, slice_of(where)).data,
        .why = option->why,
    };
}
