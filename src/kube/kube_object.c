#include "kube/kube_object.h"

#include <string.h>

#include "base/buf.h"
#include "base/memory.h"

enum { NAME_MAX_BYTES = 64, ESCAPED_MAX_BYTES = 64 * 1024 };

static const char annotations[] = "annotations";

static json_t *child_of(const json_t *object, const char *name, size_t size)
{
    char key[NAME_MAX_BYTES];
    CHECK(size < sizeof(key));
    memcpy(key, name, size);
    key[size] = '\0';
    return json_object_get(object, key);
}

json_t *kube_object_find(const json_t *object, const char *path)
{
    for (;;) {
        size_t size = strcspn(path, ".");
        json_t *child = child_of(object, path, size);
        if (child == NULL || path[size] == '\0')
            return child;
        object = child;
        path += size + 1;
    }
}

const char *kube_object_text(const json_t *object, const char *path, const char *otherwise)
{
    const char *text = json_string_value(kube_object_find(object, path));
    return text != NULL ? text : otherwise;
}

int64_t kube_object_integer(const json_t *object, const char *path, int64_t otherwise)
{
    const json_t *number = kube_object_find(object, path);
    return json_is_integer(number) ? json_integer_value(number) : otherwise;
}

const char *kube_object_annotation(const json_t *object, const char *name)
{
    const json_t *all = kube_object_find(object, "metadata.annotations");
    const char *text = json_string_value(json_object_get(all, name));
    return text != NULL ? text : "";
}

void kube_object_annotate(json_t *object, const char *name, const char *text)
{
    json_t *metadata = kube_object_child(object, "metadata");
    json_t *all = kube_object_child(metadata, annotations);
    if (text != NULL && text[0] != '\0')
        CHECK(json_object_set_new(all, name, json_string(text)) == 0);
    else
        (void)json_object_del(all, name);
    if (json_object_size(all) == 0)
        (void)json_object_del(metadata, annotations);
}

json_t *kube_object_child(json_t *object, const char *name)
{
    json_t *child = json_object_get(object, name);
    if (json_is_object(child))
        return child;
    child = json_object();
    CHECK(json_object_set_new(object, name, child) == 0);
    return child;
}

json_t *kube_object_load(struct slice text)
{
    return json_loadb(text.data, text.size, 0, NULL);
}

char *kube_object_escape(const char *text)
{
    static const char kept[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._~";
    AUTO(struct buf, buf_done) out = buf_init(ESCAPED_MAX_BYTES);
    for (; *text != '\0'; text++) {
        if (strchr(kept, *text) != NULL)
            buf_append_byte(&out, *text);
        else
            buf_append_format(&out, "%%%02X", (unsigned char)*text);
    }
    CHECK(!out.failed);
    return memory_text(buf_text(&out));
}
