/* Look-ups in JSON objects of the API server that never fail: what is absent, null or of another
 * type gives the default. A path is names with dots between ("metadata.uid"). What is returned
 * lives as long as the object. NULL may be passed as the object. Any thread. */
#ifndef KUBE_KUBE_OBJECT_H
#define KUBE_KUBE_OBJECT_H

#include <jansson.h>
#include <stdint.h>

#include "base/slice.h"

json_t *kube_object_find(const json_t *object, const char *path); /* NULL = absent; borrowed */
const char *kube_object_text(const json_t *object, const char *path, const char *otherwise);
int64_t kube_object_integer(const json_t *object, const char *path, int64_t otherwise);

/* "" = absent. Names of annotations have dots of their own, so they are no paths. */
const char *kube_object_annotation(const json_t *object, const char *name);
/* NULL or "" takes the annotation away; the last one takes metadata.annotations with it. */
void kube_object_annotate(json_t *object, const char *name, const char *text);

/* The object in that field, made where there is none (or something else stands there). */
json_t *kube_object_child(json_t *object, const char *name); /* borrowed */

/* A body as JSON: an object or array and nothing behind it; NULL = it is none. The caller's. */
json_t *kube_object_load(struct slice text);

/* For one segment or value of a URL: all but letters, digits and "-._~" becomes %XX.
 * memory_free() it. */
char *kube_object_escape(const char *text);

#endif
