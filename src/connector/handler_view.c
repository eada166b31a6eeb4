#include "connector/handler_view.h"

#include "base/map.h"
#include "base/memory.h"

enum { SLOTS_MIN = 8 };

static struct pqcdc_text text_of(struct slice slice)
{
    return (struct pqcdc_text){ slice.data, slice.size };
}

static void put(struct handler_view *view, struct slice name, uint16_t position)
{
    uint32_t slot = (uint32_t)map_hash(name) & view->slot_mask;
    while (view->slots[slot] != 0)
        slot = (slot + 1) & view->slot_mask;
    view->slots[slot] = (uint16_t)(position + 1);
}

int handler_view_column(const struct pqcdc_table *table, struct slice name)
{
    const struct handler_view *view = (const struct handler_view *)table;
    uint32_t slot = (uint32_t)map_hash(name) & view->slot_mask;
    for (; view->slots[slot] != 0; slot = (slot + 1) & view->slot_mask) {
        const struct pqcdc_text *found = &table->columns[view->slots[slot] - 1].name;
        if (slice_equal((struct slice){ found->data, found->size }, name))
            return view->slots[slot] - 1;
    }
    return -1;
}

static const struct pqcdc_column *columns_of(struct handler_view *view,
                                             const struct relation *relation)
{
    struct pqcdc_column *columns =
        arena_array(&view->arena, relation->column_count, sizeof(*columns));
    for (uint16_t i = 0; i < relation->column_count; i++) {
        const struct column *column = &relation->columns[i];
        columns[i] = (struct pqcdc_column){
            .name = text_of(column->name),
            .type_oid = column->type_oid,
            .type_modifier = column->type_modifier,
            .is_identity = column->identity,
        };
        put(view, column->name, i);
    }
    return columns;
}

struct handler_view *handler_view_new(const struct relation *relation, uint64_t serial)
{
    struct handler_view *view = memory_alloc(sizeof(*view));
    uint32_t slots = SLOTS_MIN;
    while (slots < 2U * relation->column_count)
        slots *= 2;
    view->slots = memory_array(slots, sizeof(*view->slots));
    view->slot_mask = slots - 1;
    view->arena = arena_init(0);
    view->json = row_json_new(relation);
    view->table = (struct pqcdc_table){
        .oid = relation->oid,
        .schema = text_of(relation->schema),
        .name = text_of(relation->name),
        .columns = columns_of(view, relation),
        .column_count = relation->column_count,
        .serial = serial,
    };
    return view;
}

void handler_view_free(void *self)
{
    struct handler_view *view = self;
    row_json_free(view->json);
    memory_free(view->slots);
    arena_done(&view->arena);
    memory_free(view);
}

const struct pqcdc_value *handler_view_values(const struct relation *relation,
                                              const struct tuple *row, bool identity_only,
                                              struct arena *arena)
{
    static const enum pqcdc_value_kind kinds[] = {
        [VALUE_NULL] = PQCDC_NULL,
        [VALUE_UNCHANGED] = PQCDC_UNCHANGED,
        [VALUE_TEXT] = PQCDC_TEXT,
        [VALUE_BINARY] = PQCDC_ABSENT, /* refused before */
    };
    struct pqcdc_value *values = arena_array(arena, row->count, sizeof(*values));
    for (uint16_t i = 0; i < row->count; i++) {
        const struct value *value = &row->values[i];
        values[i] = (struct pqcdc_value){ .kind = kinds[value->kind] };
        if (identity_only && !relation->columns[i].identity)
            values[i].kind = PQCDC_ABSENT;
        else if (value->kind == VALUE_TEXT)
            values[i].text = text_of(value->bytes);
    }
    return values;
}
