#include "format/value_json.h"

#include <stdbool.h>
#include <stddef.h>

#include "format/json_array.h"
#include "format/json_check.h"
#include "format/json_number.h"
#include "format/json_time.h"
#include "format/json_writer.h"

static void write_boolean(struct buf *out, struct slice text)
{
    if (slice_equal(text, SLICE_TEXT("t")))
        buf_append_slice(out, SLICE_TEXT("true"));
    else if (slice_equal(text, SLICE_TEXT("f")))
        buf_append_slice(out, SLICE_TEXT("false"));
    else
        json_writer_string(out, text);
}

/* bytea_output = hex; the escape form stays text. */
static void write_bytea(struct buf *out, struct slice text)
{
    bool hex = text.size >= 2 && text.data[0] == '\\' && text.data[1] == 'x';
    if (!hex || !json_writer_base64(out, (struct slice){ text.data + 2, text.size - 2 }))
        json_writer_string(out, text);
}

static bool has_byte(struct slice text, char byte)
{
    return text.size > 0 && memchr(text.data, byte, text.size) != NULL;
}

/* A host's address is sent without a mask; the ancestor writes it. */
static void write_inet(struct buf *out, struct slice text)
{
    json_writer_string(out, text);
    bool ipv6 = has_byte(text, ':');
    if (out->failed || has_byte(text, '/') || !(ipv6 || has_byte(text, '.')))
        return;
    out->size--; /* before the closing quote */
    buf_append_text(out, ipv6 ? "/128\"" : "/32\"");
}

/* json and jsonb are JSON already, copied as they are. What a server that does not check its
 * encoding let in is not. */
static void write_document(struct buf *out, struct slice text)
{
    if (LIKELY(json_check_value(text)))
        buf_append_slice(out, text);
    else
        json_writer_string(out, text);
}

#define VALUE_JSON(oid, array_oid, name, writer, delimiter)                                        \
    static void write_array_of_##name(struct buf *out, struct slice text)                          \
    {                                                                                              \
        json_array_write(out, text, delimiter, writer);                                            \
    }
#include "format/value_json.def"
#undef VALUE_JSON

static const struct type {
    uint32_t oid;
    const char *name;
    value_json_fn *write;
} types[] = {
#define VALUE_JSON(oid, array_oid, name, writer, delimiter)                                        \
    { oid, #name, writer }, { array_oid, #name "[]", write_array_of_##name },
#include "format/value_json.def"
#undef VALUE_JSON
};

static const struct type *find_type(uint32_t type_oid)
{
    for (size_t i = 0; i < COUNT_OF(types); i++)
        if (types[i].oid == type_oid)
            return &types[i];
    return NULL;
}

value_json_fn *value_json_for(uint32_t type_oid)
{
    const struct type *type = find_type(type_oid);
    return type != NULL ? type->write : json_writer_string;
}

const char *value_json_type_name(uint32_t type_oid)
{
    const struct type *type = find_type(type_oid);
    return type != NULL ? type->name : NULL;
}
