/* Random UUIDs (RFC 9562, version 4). Any thread. */
#ifndef BASE_UUID_H
#define BASE_UUID_H

enum { UUID_TEXT_SIZE = 37 };

void uuid_random(char out[UUID_TEXT_SIZE]); /* lower case, with dashes and a NUL */

#endif
