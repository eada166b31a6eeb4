#include "kube/kube_base64.h"

#include <stdint.h>
#include <string.h>

#include "base/memory.h"
#include "base/secret.h"

/* -1 = not one of the 64 */
static int value_of(char letter)
{
    if (letter >= 'A' && letter <= 'Z')
        return letter - 'A';
    if (letter >= 'a' && letter <= 'z')
        return letter - 'a' + 26;
    if (letter >= '0' && letter <= '9')
        return letter - '0' + 52;
    return letter == '+' ? 62 : letter == '/' ? 63 : -1;
}

static bool is_space(char letter)
{
    return letter != '\0' && strchr(" \t\r\n", letter) != NULL;
}

/* Writes the bytes to `out`, which has room, and counts letters and the signs of the end. */
static bool decode(const char *text, char *out, size_t *out_size)
{
    uint32_t bits = 0;
    size_t letters = 0, ends = 0, size = 0;
    for (; *text != '\0'; text++) {
        int value = value_of(*text);
        if (is_space(*text))
            continue;
        if (*text == '=' && ++ends <= 2)
            continue;
        if (value < 0 || ends > 0)
            return false;
        bits = bits << 6 | (uint32_t)value;
        if (letters++ % 4 != 0)
            out[size++] = (char)(bits >> (6 - 2 * ((letters - 1) % 4)) & 0xff);
    }
    *out_size = size;
    return letters % 4 != 1 && (letters + ends) % 4 == 0;
}

bool kube_base64_decode(const char *text, char **out_bytes)
{
    AUTO(char *, secret_free_p) bytes = memory_alloc(strlen(text) + 1);
    size_t size = 0;
    if (!decode(text, bytes, &size) || memchr(bytes, '\0', size) != NULL)
        return false;
    *out_bytes = TAKE(bytes);
    return true;
}
