#include "kube/kube_time.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

enum { SECOND_US = 1000000 };

/* 0000-01-01 and 9999-12-31, in seconds. */
#define FIRST_SECOND INT64_C(-62167219200)
#define LAST_SECOND  INT64_C(253402300799)

void kube_time_format(int64_t wall_us, char out[KUBE_TIME_SIZE])
{
    int64_t seconds = wall_us / SECOND_US - (wall_us % SECOND_US < 0);
    int64_t micros = wall_us % SECOND_US;
    micros += micros < 0 ? SECOND_US : 0;
    if (seconds < FIRST_SECOND || seconds > LAST_SECOND) {
        micros = seconds < FIRST_SECOND ? 0 : SECOND_US - 1;
        seconds = seconds < FIRST_SECOND ? FIRST_SECOND : LAST_SECOND;
    }
    time_t time = (time_t)seconds;
    struct tm parts;
    CHECK(gmtime_r(&time, &parts) != NULL);
    /* The modulos are no-ops that show the compiler how long the text is. */
    (void)snprintf(out, KUBE_TIME_SIZE, "%04u-%02u-%02uT%02u:%02u:%02u.%06uZ",
                   (unsigned)(parts.tm_year + 1900) % 10000, (unsigned)(parts.tm_mon + 1) % 100,
                   (unsigned)parts.tm_mday % 100, (unsigned)parts.tm_hour % 100,
                   (unsigned)parts.tm_min % 100, (unsigned)parts.tm_sec % 100,
                   (unsigned)micros % SECOND_US);
}

/* The digits' number; the form was checked before. */
static int number_at(const char *text, size_t at, size_t digits)
{
    int number = 0;
    for (size_t i = 0; i < digits; i++)
        number = number * 10 + (text[at + i] - '0');
    return number;
}

static bool has_form(const char *text)
{
    static const char form[] = "0000-00-00T00:00:00.000000Z";
    if (strlen(text) != sizeof(form) - 1)
        return false;
    for (size_t i = 0; form[i] != '\0'; i++) {
        bool digit = text[i] >= '0' && text[i] <= '9';
        if (form[i] == '0' ? !digit : text[i] != form[i])
            return false;
    }
    return true;
}

bool kube_time_parse(const char *text, int64_t *out_wall_us)
{
    if (!has_form(text))
        return false;
    struct tm parts = { .tm_year = number_at(text, 0, 4) - 1900,
                        .tm_mon = number_at(text, 5, 2) - 1,
                        .tm_mday = number_at(text, 8, 2),
                        .tm_hour = number_at(text, 11, 2),
                        .tm_min = number_at(text, 14, 2),
                        .tm_sec = number_at(text, 17, 2) };
    int64_t wall_us = (int64_t)timegm(&parts) * SECOND_US + number_at(text, 20, 6);
    /* A month 13 or a 30th of February was carried over, and is written otherwise. */
    char again[KUBE_TIME_SIZE];
    kube_time_format(wall_us, again);
    if (strcmp(again, text) != 0)
        return false;
    *out_wall_us = wall_us;
    return true;
}
