#include "format/row_json.h"

#include <stdlib.h>

#include "base/check.h"
#include "base/memory.h"
#include "format/json_writer.h"
#include "format/value_json.h"

enum { FRAGMENT_ROOM = 4, ESCAPED_BYTES = 6, MEMBER_ROOM = 16 };

struct row_json_column {
    uint16_t index;        /* in the relation */
    struct slice fragment; /* "name": escaped, with the colon */
    value_json_fn *write;
};

struct row_json {
    const struct relation *relation;
    struct row_json_column *columns; /* by name */
    uint16_t column_count;
    size_t fragment_bytes;
    struct arena arena;
};

static int compare_names(const void *left, const void *right, void *json)
{
    const struct column *columns = ((const struct row_json *)json)->relation->columns;
    const struct row_json_column *a = left;
    const struct row_json_column *b = right;
    return slice_compare(columns[a->index].name, columns[b->index].name);
}

static struct slice escape_name(struct arena *arena, struct slice name)
{
    struct buf out =
        buf_init_arena(arena, name.size + FRAGMENT_ROOM, ESCAPED_BYTES * name.size + FRAGMENT_ROOM);
    json_writer_string(&out, name);
    buf_append_byte(&out, ':');
    return buf_finish(&out);
}

struct row_json *row_json_new(const struct relation *relation)
{
    struct row_json *json = memory_alloc(sizeof(*json));
    json->relation = relation;
    json->arena = arena_init(0);
    json->column_count = relation->column_count;
    json->columns = arena_array(&json->arena, relation->column_count, sizeof(*json->columns));
    for (uint16_t i = 0; i < relation->column_count; i++) {
        const struct column *column = &relation->columns[i];
        json->columns[i] = (struct row_json_column){
            .index = i,
            .fragment = escape_name(&json->arena, column->name),
            .write = value_json_for(column->type_oid),
        };
        json->fragment_bytes += json->columns[i].fragment.size;
    }
    qsort_r(json->columns, json->column_count, sizeof(*json->columns), compare_names, json);
    return json;
}

void row_json_free(struct row_json *json)
{
    if (json == NULL)
        return;
    arena_done(&json->arena);
    memory_free(json);
}

/* The members in the order of their names, each once. */
struct order {
    const struct row_json_member *items[ROW_JSON_MEMBERS_MAX];
    size_t count;
};

static void insert(struct order *order, const struct row_json_member *member)
{
    size_t at = order->count;
    int compared = 1;
    while (at > 0 && (compared = slice_compare(order->items[at - 1]->name, member->name)) > 0)
        at--;
    if (at > 0 && compared == 0) {
        order->items[at - 1] = member;
        return;
    }
    memmove(&order->items[at + 1], &order->items[at],
            (order->count - at) * sizeof(order->items[0]));
    order->items[at] = member;
    order->count++;
}

static void write_member(const struct row_json_member *member, struct buf *out)
{
    json_writer_string(out, member->name);
    buf_append_byte(out, ':');
    if (member->text.data == NULL)
        buf_append_slice(out, SLICE_TEXT("null"));
    else if (member->is_json)
        buf_append_slice(out, member->text);
    else
        json_writer_string(out, member->text);
    buf_append_byte(out, ',');
}

static void write_column(const struct row_json_column *column, const struct value *value,
                         struct buf *out)
{
    if (value->kind != VALUE_NULL && value->kind != VALUE_TEXT)
        return;
    buf_append_slice(out, column->fragment);
    if (value->kind == VALUE_TEXT)
        column->write(out, value->bytes);
    else
        buf_append_slice(out, SLICE_TEXT("null"));
    buf_append_byte(out, ',');
}

void row_json_write(const struct row_json *json, const struct tuple *row, bool identity_only,
                    const struct row_json_member *members, size_t member_count, struct buf *out)
{
    struct order order = { .count = 0 };
    size_t next = 0;
    CHECK(member_count <= ROW_JSON_MEMBERS_MAX && row->count == json->column_count);
    for (size_t i = 0; i < member_count; i++)
        insert(&order, &members[i]);
    buf_append_byte(out, '{');
    for (uint16_t i = 0; i < json->column_count; i++) {
        const struct row_json_column *column = &json->columns[i];
        const struct column *about = &json->relation->columns[column->index];
        int compared = 1;
        while (next < order.count &&
               (compared = slice_compare(order.items[next]->name, about->name)) < 0)
            write_member(order.items[next++], out);
        if ((next == order.count || compared != 0) && (about->identity || !identity_only))
            write_column(column, &row->values[column->index], out);
    }
    while (next < order.count)
        write_member(order.items[next++], out);
    if (!out->failed && out->data[out->size - 1] == ',')
        out->size--;
    buf_append_byte(out, '}');
}

size_t row_json_hint(const struct row_json *json, const struct tuple *row,
                     const struct row_json_member *members, size_t member_count)
{
    size_t bytes = json->fragment_bytes + MEMBER_ROOM * (json->column_count + member_count + 1U);
    for (uint16_t i = 0; i < row->count; i++)
        bytes += row->values[i].kind == VALUE_TEXT ? row->values[i].bytes.size : 0;
    for (size_t i = 0; i < member_count; i++)
        bytes += members[i].name.size + members[i].text.size;
    return bytes;
}
