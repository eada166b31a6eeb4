#include "format/encoder.h"

#include <string.h>

#include "format/flat_json.h"

static const struct encoder_ops *const encoders[] = {
#define ENCODER(name, ops, doc) &(ops),
#include "format/encoders.def"
#undef ENCODER
};

static const char *const names[] = {
#define ENCODER(name, ops, doc) #name,
#include "format/encoders.def"
#undef ENCODER
};

static const struct {
    const char *name;
    uint32_t bit;
} headers[] = {
#define ENCODER_HEADER(bit, name, doc) { #name, ENCODER_HEADER_##bit },
#include "format/headers.def"
#undef ENCODER_HEADER
};

const struct encoder_ops *encoder_find(const char *name)
{
    for (size_t i = 0; i < COUNT_OF(encoders); i++)
        if (strcmp(names[i], name) == 0)
            return encoders[i];
    return NULL;
}

const char *const *encoder_names(uint32_t *out_count)
{
    *out_count = COUNT_OF(names);
    return names;
}

bool encoder_header_parse(const char *name, uint32_t *out_bit)
{
    for (size_t i = 0; i < COUNT_OF(headers); i++) {
        if (strcmp(headers[i].name, name) == 0) {
            *out_bit = headers[i].bit;
            return true;
        }
    }
    return false;
}
