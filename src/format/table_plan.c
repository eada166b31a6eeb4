#include "format/table_plan.h"

#include <stdlib.h>

#include "base/memory.h"
#include "format/json_writer.h"

static const struct slice operation_name = { "operation", sizeof("operation") - 1 };

enum { ARENA_KEEP_BYTES = 0, FRAGMENT_ROOM = 4, ESCAPED_BYTES = 6 };

static struct slice escape_name(struct arena *arena, struct slice name)
{
    struct buf out =
        buf_init_arena(arena, name.size + FRAGMENT_ROOM, ESCAPED_BYTES * name.size + FRAGMENT_ROOM);
    json_writer_string(&out, name);
    buf_append_byte(&out, ':');
    return buf_finish(&out);
}

static struct table_plan_column plan_column(struct table_plan *plan, uint16_t index)
{
    const struct column *column = &plan->relation->columns[index];
    return (struct table_plan_column){
        .index = index,
        .fragment = escape_name(&plan->arena, column->name),
        .write = value_json_for(column->type_oid),
        .identity = column->identity,
    };
}

static int compare_names(const void *left, const void *right, void *plan)
{
    const struct column *columns = ((const struct table_plan *)plan)->relation->columns;
    const struct table_plan_column *a = left;
    const struct table_plan_column *b = right;
    return slice_compare(columns[a->index].name, columns[b->index].name);
}

static void plan_columns(struct table_plan *plan)
{
    const struct relation *relation = plan->relation;
    plan->columns = arena_array(&plan->arena, relation->column_count, sizeof(*plan->columns));
    for (uint16_t i = 0; i < relation->column_count; i++) {
        int order = slice_compare(relation->columns[i].name, operation_name);
        if (order != 0)
            plan->columns[plan->column_count++] = plan_column(plan, i);
        plan->operation_at = (uint16_t)(plan->operation_at + (order < 0));
    }
    qsort_r(plan->columns, plan->column_count, sizeof(*plan->columns), compare_names, plan);
}

static bool find_column(const struct relation *relation, struct slice name, uint16_t *out_index)
{
    for (uint16_t i = 0; i < relation->column_count; i++) {
        if (slice_equal(relation->columns[i].name, name)) {
            *out_index = i;
            return true;
        }
    }
    return false;
}

static bool repeats(const struct table_plan *plan, uint16_t index)
{
    for (uint16_t i = 0; i < plan->key_count; i++)
        if (plan->key_columns[i].index == index)
            return true;
    return false;
}

static bool plan_key(struct table_plan *plan, const struct slice *names, uint16_t count,
                     struct error *err)
{
    plan->key_columns = arena_array(&plan->arena, count, sizeof(*plan->key_columns));
    for (uint16_t i = 0; i < count; i++) {
        uint16_t index;
        if (!find_column(plan->relation, names[i], &index)) {
            error_set(err, ERROR_HALT, "key_column_missing",
                      "table %.*s: key column \"%.*s\" is not among the columns that it publishes",
                      SLICE_ARGS(plan->qualified_name), SLICE_ARGS(names[i]));
            return error_advise(err, "name an existing column in the table's keyColumns, or add "
                                     "this one to the publication's column list");
        }
        if (repeats(plan, index))
            return error_set(err, ERROR_HALT, "key_column_repeated",
                             "table %.*s: key column \"%.*s\" is named twice",
                             SLICE_ARGS(plan->qualified_name), SLICE_ARGS(names[i]));
        plan->key_columns[plan->key_count++] = plan_column(plan, index);
    }
    return true;
}

bool table_plan_new(const struct relation *relation, const struct slice *key_names,
                    uint16_t key_count, struct table_plan **out_plan, struct error *err)
{
    AUTO(struct table_plan *, table_plan_free_p) plan = memory_alloc(sizeof(*plan));
    plan->relation = relation;
    plan->arena = arena_init(ARENA_KEEP_BYTES);
    size_t name_size = relation->schema.size + relation->name.size + 1;
    struct buf name = buf_init_arena(&plan->arena, name_size, name_size);
    buf_append_slice(&name, relation->schema);
    buf_append_byte(&name, '.');
    buf_append_slice(&name, relation->name);
    plan->qualified_name = buf_finish(&name);
    plan_columns(plan);
    if (!plan_key(plan, key_names, key_count, err))
        return false;
    *out_plan = TAKE(plan);
    return true;
}

void table_plan_free(struct table_plan *plan)
{
    if (plan == NULL)
        return;
    arena_done(&plan->arena);
    memory_free(plan);
}
