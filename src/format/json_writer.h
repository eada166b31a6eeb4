/* JSON straight into a buffer; the caller keeps the commas. Bytes that are not UTF-8 become U+FFFD,
 * one for each byte; nothing but the required characters is escaped. No allocation but the
 * buffer's. Any thread. */
#ifndef FORMAT_JSON_WRITER_H
#define FORMAT_JSON_WRITER_H

#include "base/buf.h"
#include "base/slice.h"

void json_writer_string(struct buf *out, struct slice text); /* with quotes */

/* "..." of the decoded pairs, padded. False, and nothing is written: an odd count of digits, or one
 * that is none. */
MUST_CHECK bool json_writer_base64(struct buf *out, struct slice hex_digits);

#endif
