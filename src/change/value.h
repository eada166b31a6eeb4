/* A column's value as the server sent it. The kind says what `bytes` are; a null is a kind, never a
 * NULL pointer, and an unchanged TOAST value is not a null. Views: the owner is the message. */
#ifndef CHANGE_VALUE_H
#define CHANGE_VALUE_H

#include <stdint.h>

#include "base/slice.h"

enum value_kind { VALUE_NULL, VALUE_UNCHANGED, VALUE_TEXT, VALUE_BINARY };

struct value {
    enum value_kind kind;
    struct slice bytes; /* VALUE_TEXT, VALUE_BINARY */
};

struct tuple {
    const struct value *values; /* in the relation's column order */
    uint16_t count;
};

#endif
