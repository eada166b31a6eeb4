#include "operator/objects.h"

#include <inttypes.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/memory.h"
#include "base/text.h"
#include "kube/kube_object.h"
#include "kube/kube_time.h"

json_t *objects_pack(const char *format, ...)
{
    va_list values;
    json_error_t error;
    va_start(values, format);
    json_t *made = json_vpack_ex(&error, 0, format, values);
    va_end(values);
    CHECK(made != NULL);
    return made;
}

void objects_trim(char *text)
{
    struct slice rest = slice_of(text);
    size_t size;
    while (rest.size > 0 && (size = text_utf8_size(rest)) > 0)
        rest = (struct slice){ rest.data + size, rest.size - size };
    text[rest.data - text] = '\0';
}

int64_t objects_age_s(const char *time, int64_t now_us)
{
    char text[KUBE_TIME_SIZE];
    int64_t then_us;
    if (strlen(time) != strlen("2006-01-02T15:04:05Z"))
        return 0;
    (void)snprintf(text, sizeof(text), "%.19s.000000Z", time);
    return kube_time_parse(text, &then_us) ? (now_us - then_us) / 1000000 : 0;
}

void objects_set(json_t *object, const char *key, json_t *value)
{
    if (value != NULL)
        CHECK(json_object_set_new(object, key, value) == 0);
}

void objects_append(json_t *array, json_t *value)
{
    CHECK(json_array_append_new(array, value) == 0);
}

void objects_overlay(json_t *base, const json_t *over)
{
    const char *key;
    json_t *value;
    json_object_foreach((json_t *)(uintptr_t)over, key, value)
    {
        if (json_is_null(value))
            (void)json_object_del(base, key);
        else
            objects_set(base, key, json_deep_copy(value));
    }
}

json_t *objects_find(const json_t *array, const char *kind, const char *name)
{
    for (size_t i = 0; i < json_array_size(array); i++) {
        json_t *object = json_array_get(array, i);
        if (strcmp(kube_object_text(object, "kind", ""), kind) == 0 &&
            strcmp(kube_object_text(object, "metadata.name", ""), name) == 0)
            return object;
    }
    return NULL;
}

char *objects_text(const json_t *value)
{
    char *text = json_dumps(value, JSON_COMPACT | JSON_SORT_KEYS | JSON_ENCODE_ANY);
    CHECK(text != NULL);
    char *copy = memory_text(text);
    free(text);
    return copy;
}

void objects_hash_text(struct slice text, char out[OBJECTS_HASH_SIZE])
{
    uint64_t hash = UINT64_C(0xcbf29ce484222325);
    for (size_t i = 0; i < text.size; i++)
        hash = (hash ^ (unsigned char)text.data[i]) * UINT64_C(0x100000001b3);
    snprintf(out, OBJECTS_HASH_SIZE, "%016" PRIx64, hash);
}

void objects_hash(const json_t *value, char out[OBJECTS_HASH_SIZE])
{
    AUTO(char *, memory_free_p) text = objects_text(value);
    objects_hash_text(slice_of(text), out);
}

/* https://kubernetes.io/docs/reference/kubernetes-api/common-definitions/quantity/ */
static bool read_suffix(const char *suffix, double *out_factor)
{
    static const struct {
        const char *text;
        double factor;
    } suffixes[] = {
        { "", 1 },        { "n", 1e-9 },    { "u", 1e-6 },    { "m", 1e-3 },
        { "k", 1e3 },     { "M", 1e6 },     { "G", 1e9 },     { "T", 1e12 },
        { "P", 1e15 },    { "E", 1e18 },    { "Ki", 0x1p10 }, { "Mi", 0x1p20 },
        { "Gi", 0x1p30 }, { "Ti", 0x1p40 }, { "Pi", 0x1p50 }, { "Ei", 0x1p60 },
    };
    for (size_t i = 0; i < COUNT_OF(suffixes); i++) {
        if (strcmp(suffix, suffixes[i].text) == 0) {
            *out_factor = suffixes[i].factor;
            return true;
        }
    }
    return false;
}

static bool read_quantity(const json_t *value, double *out_amount)
{
    if (json_is_number(value)) {
        *out_amount = json_number_value(value);
        return true;
    }
    const char *text = json_string_value(value);
    if (text == NULL || strspn(text, "+-.0123456789") == 0)
        return false;
    char *end;
    double factor = 1, amount = strtod(text, &end);
    if (end == text || !read_suffix(end, &factor))
        return false;
    *out_amount = amount * factor;
    return true;
}

static bool same_quantity(const json_t *a, const json_t *b)
{
    double left, right;
    if (!read_quantity(a, &left) || !read_quantity(b, &right))
        return false;
    return fabs(left - right) <= 1e-9 * fabs(left);
}

static bool is_empty(const json_t *value)
{
    switch (json_typeof(value)) {
    case JSON_OBJECT:
        return json_object_size(value) == 0;
    case JSON_ARRAY:
        return json_array_size(value) == 0;
    case JSON_STRING:
        return json_string_length(value) == 0;
    case JSON_INTEGER:
        return json_integer_value(value) == 0;
    case JSON_FALSE:
    case JSON_NULL:
        return true;
    case JSON_REAL:
    case JSON_TRUE:
    default:
        return false;
    }
}

/* Members whose absence means something else than false or 0. */
static bool is_never_left_out(const char *key)
{
    static const char *const keys[] = { "automountServiceAccountToken", "enableServiceLinks",
                                        "allowPrivilegeEscalation", "replicas" };
    for (size_t i = 0; i < COUNT_OF(keys); i++) {
        if (strcmp(key, keys[i]) == 0)
            return true;
    }
    return false;
}

static bool holds_members(const json_t *existing, const json_t *wanted)
{
    const char *key;
    json_t *value;
    if (!json_is_object(existing))
        return false;
    json_object_foreach((json_t *)(uintptr_t)wanted, key, value)
    {
        const json_t *other = json_object_get(existing, key);
        bool may_lack = is_empty(value) && !is_never_left_out(key);
        if (other == NULL ? !may_lack : !objects_hold(other, value))
            return false;
    }
    return true;
}

static const char *name_of(const json_t *item)
{
    return json_string_value(json_object_get(item, "name"));
}

/* Several mounts may have one volume's name: any of that name will do. */
static bool holds_named(const json_t *list, const json_t *wanted, const char *name)
{
    for (size_t i = 0; i < json_array_size(list); i++) {
        const json_t *item = json_array_get(list, i);
        const char *other = name_of(item);
        if (other != NULL && strcmp(other, name) == 0 && objects_hold(item, wanted))
            return true;
    }
    return false;
}

/* By name where elements have names, since the order and the company may be others'. */
static bool holds_elements(const json_t *existing, const json_t *wanted)
{
    size_t count = json_array_size(existing);
    for (size_t i = 0; i < json_array_size(wanted); i++) {
        const json_t *item = json_array_get(wanted, i);
        const char *name = name_of(item);
        bool is_held = name != NULL ? holds_named(existing, item, name)
                                    : count == json_array_size(wanted) &&
                                          objects_hold(json_array_get(existing, i), item);
        if (!is_held)
            return false;
    }
    return json_array_size(wanted) > 0 || count == 0;
}

bool objects_hold(const json_t *existing, const json_t *wanted)
{
    if (json_is_object(wanted))
        return holds_members(existing, wanted);
    if (json_is_array(wanted))
        return holds_elements(existing, wanted);
    return existing != NULL &&
           (json_equal(existing, wanted) != 0 || same_quantity(existing, wanted));
}
