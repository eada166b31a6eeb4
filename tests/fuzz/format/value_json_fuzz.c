/* Any text of any type must become valid JSON, and text must come back as it was. The first byte
 * chooses the type, the rest is its text. */
#include <stdio.h>
#include <stdlib.h>

#include "base/text.h"
#include "format/json_writer.h"
#include "format/value_json.h"
#include "unit/format/oracle.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { UNKNOWN_OID = 99999 };

static const uint32_t oids[] = {
#define VALUE_JSON(oid, array_oid, name, writer, delimiter) oid, array_oid,
#include "format/value_json.def"
#undef VALUE_JSON
    UNKNOWN_OID,
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    uint32_t oid = oids[data[0] % COUNT_OF(oids)];
    struct slice text = { (const char *)data + 1, size - 1 };
    value_json_fn *write = value_json_for(oid);
    AUTO(struct buf, buf_done) out = oracle_write(write, text);
    CHECK(!out.failed);
    CHECK((value_json_type_name(oid) == NULL) == (oid == UNKNOWN_OID));
    CHECK(oracle_accepts_of(oid, buf_slice(&out)));
    if (write == json_writer_string && text_is_utf8(text))
        CHECK(oracle_is_string(buf_slice(&out), text));
    return 0;
}
