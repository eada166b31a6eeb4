#include "worker/slot_note.h"

#include <jansson.h>
#include <stdio.h>
#include <string.h>

void slot_note_write(const struct gate_memory *memory, const char *slot, char *out, size_t size)
{
    /* Digits and names of slots: nothing that JSON escapes. */
    (void)snprintf(out, size,
                   "{\"systemId\":\"%s\",\"timeline\":%u,\"slot\":\"%s\","
                   "\"consistentPoint\":\"%s\",\"delivered\":\"%s\"}",
                   memory->system_id, memory->timeline, slot,
                   lsn_text(memory->consistent_point).text, lsn_text(memory->delivered).text);
}

static bool read_lsn(const json_t *note, const char *name, lsn_t *out_lsn)
{
    const char *text = json_string_value(json_object_get(note, name));
    return text != NULL && lsn_parse(text, out_lsn);
}

static bool read_note(const json_t *note, const char *slot, struct gate_memory *memory)
{
    const char *of = json_string_value(json_object_get(note, "slot"));
    const char *system_id = json_string_value(json_object_get(note, "systemId"));
    json_int_t timeline = json_integer_value(json_object_get(note, "timeline"));
    if (of == NULL || strcmp(of, slot) != 0 || system_id == NULL || *system_id == '\0' ||
        strlen(system_id) >= sizeof(memory->system_id) ||
        system_id[strspn(system_id, "0123456789")] != '\0' || timeline <= 0 ||
        timeline > UINT32_MAX)
        return false;
    (void)snprintf(memory->system_id, sizeof(memory->system_id), "%s", system_id);
    memory->timeline = (uint32_t)timeline;
    return read_lsn(note, "consistentPoint", &memory->consistent_point) &&
           read_lsn(note, "delivered", &memory->delivered);
}

bool slot_note_read(const char *text, const char *slot, struct gate_memory *out_memory)
{
    struct gate_memory memory = { .timeline = 0 };
    json_t *note = json_loads(text, JSON_REJECT_DUPLICATES, NULL);
    bool read = read_note(note, slot, &memory);
    json_decref(note);
    if (read)
        *out_memory = memory;
    return read;
}
