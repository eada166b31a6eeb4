/* Documents that come from tables.
 *
 *     docs_gen NAME          prints what the table says
 *     docs_gen NAME FILE     compares; fails when the file says something else
 *     docs_gen NAME FILE -w  writes it into the file
 *
 * NAME: configuration, metrics (whole files); life_cycle, election, resource, resource_fields
 * (between two markers of the file). */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/check.h"
#include "base/cleanup.h"
#include "config/config_docs.h"
#include "config/config_schema.h"
#include "connector/life_cycle.h"
#include "connector/scrape.h"
#include "election/election_rules.h"
#include "operator/operator_metrics.h"
#include "style/resource_docs.h"

enum { DOCS_MAX_BYTES = 1024 * 1024 };

static bool read_file(const char *path, struct buf *out)
{
    FILE *file = fopen(path, "rb");
    if (file == NULL) {
        perror(path);
        return false;
    }
    char chunk[4096];
    size_t size;
    while ((size = fread(chunk, 1, sizeof(chunk), file)) > 0)
        buf_append(out, chunk, size);
    fclose(file);
    return true;
}

static void write_metrics(struct buf *out)
{
    scrape_write_docs(out);
    buf_append_text(out, "\n## The operator's\n\nMade from `src/operator/operator_metrics.def`; "
                         "`GET /metrics` of pqcdc-operator.\n\n| name | type | labels | meaning |\n"
                         "| --- | --- | --- | --- |\n");
    operator_metrics_write_docs(out);
}

static void write_life_cycle(struct buf *out)
{
    unsigned count;
    const struct life_cycle_row *rows = life_cycle_rows(&count);
    buf_append_text(out, "\n| state | event | next | what it means |\n| --- | --- | --- | --- |\n");
    for (unsigned i = 0; i < count; i++)
        buf_append_format(out, "| %s | %s | %s | %s |\n", life_cycle_state_name(rows[i].state),
                          life_cycle_event_name(rows[i].event), life_cycle_state_name(rows[i].next),
                          rows[i].meaning);
    buf_append_text(out, "\n```mermaid\nstateDiagram-v2\n    [*] --> starting\n");
    for (unsigned i = 0; i < count; i++)
        buf_append_format(out, "    %s --> %s: %s\n", life_cycle_state_name(rows[i].state),
                          life_cycle_state_name(rows[i].next),
                          life_cycle_event_name(rows[i].event));
    buf_append_text(out, "    over --> [*]\n```\n\n");
}

static const char *call_text(enum election_call call)
{
    return call == ELECTION_CALL_NONE ? "" : election_call_name(call);
}

static void write_election(struct buf *out)
{
    unsigned count;
    const struct election_row *rows = election_rules_all(&count);
    buf_append_text(out, "\n| state | when | next | call | what it means |\n"
                         "| --- | --- | --- | --- | --- |\n");
    for (unsigned i = 0; i < count; i++)
        buf_append_format(out, "| %s | `%s` | %s | %s | %s |\n", election_state_name(rows[i].state),
                          rows[i].condition, election_state_name(rows[i].next),
                          call_text(rows[i].call), rows[i].meaning);
    buf_append_text(out, "\n```mermaid\nstateDiagram-v2\n    [*] --> following\n");
    for (unsigned i = 0; i < count; i++) {
        if (rows[i].next != rows[i].state)
            buf_append_format(out, "    %s --> %s: %s\n", election_state_name(rows[i].state),
                              election_state_name(rows[i].next), rows[i].condition);
    }
    buf_append_text(out, "    over --> [*]\n```\n\n");
}

enum { RESOURCE_INDENT = 14 }; /* of the properties of spec */

static void write_resource(struct buf *out)
{
    config_schema_write(RESOURCE_INDENT, out);
}

static void write_resource_fields(struct buf *out)
{
    AUTO(struct buf, buf_done) text = buf_init(DOCS_MAX_BYTES);
    if (!read_file(SOURCE_DIR "/crds/connectors.pqcdc.io.yaml", &text))
        exit(EXIT_FAILURE);
    resource_docs_write(buf_slice(&text), out);
}

static const struct document {
    const char *name;
    const char *table;
    void (*write)(struct buf *out);
    const char *begin, *end; /* markers; NULL = the whole file */
} documents[] = {
    { "configuration", "src/config/options.def", config_docs_markdown, NULL, NULL },
    { "metrics", "src/connector/metrics.def", write_metrics, NULL, NULL },
    { "life_cycle", "src/connector/life_cycle.def", write_life_cycle,
      "<!-- life cycle: made from src/connector/life_cycle.def -->\n",
      "<!-- end of life cycle -->\n" },
    { "election", "src/election/election.def", write_election,
      "<!-- election: made from src/election/election.def -->\n", "<!-- end of election -->\n" },
    { "resource", "src/config/options.def and resource.def", write_resource,
      "              # spec.cdc and so on: made from src/config/options.def and resource.def\n",
      "              # the end of what is made\n" },
    { "resource_fields", "crds/connectors.pqcdc.io.yaml", write_resource_fields,
      "<!-- the resource: made from crds/connectors.pqcdc.io.yaml -->\n",
      "<!-- end of the resource -->\n" },
};

/* Splits the file into what stands before, between and after the markers. */
static bool split(const struct document *document, const char *text, const char **out_begin,
                  const char **out_end)
{
    *out_begin = text;
    *out_end = text + strlen(text);
    if (document->begin == NULL)
        return true;
    const char *begin = strstr(text, document->begin);
    const char *end = begin != NULL ? strstr(begin, document->end) : NULL;
    if (end == NULL)
        return false;
    *out_begin = begin + strlen(document->begin);
    *out_end = end;
    return true;
}

static int write_back(const char *path, const char *text, const char *begin, const char *end,
                      const char *made)
{
    FILE *file = fopen(path, "wb");
    if (file == NULL) {
        perror(path);
        return EXIT_FAILURE;
    }
    fprintf(file, "%.*s%s%s", (int)(begin - text), text, made, end);
    return fclose(file) == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

static int compare(const struct document *document, const char *path, const char *begin,
                   const char *end, const char *made)
{
    size_t size = (size_t)(end - begin);
    if (strlen(made) == size && memcmp(made, begin, size) == 0)
        return EXIT_SUCCESS;
    fprintf(stderr, "%s: differs from %s; build the target docs to write it anew\n", path,
            document->table);
    return EXIT_FAILURE;
}

static const struct document *find(const char *name)
{
    for (size_t i = 0; i < COUNT_OF(documents); i++) {
        if (strcmp(documents[i].name, name) == 0)
            return &documents[i];
    }
    return NULL;
}

int main(int count, char **words)
{
    const struct document *document = count > 1 ? find(words[1]) : NULL;
    if (document == NULL) {
        fputs("usage: docs_gen configuration|metrics|life_cycle|election|resource|resource_fields "
              "[FILE [-w]]\n",
              stderr);
        return 64;
    }
    AUTO(struct buf, buf_done) made = buf_init(DOCS_MAX_BYTES);
    document->write(&made);
    if (count == 2) {
        fputs(buf_text(&made), stdout);
        return EXIT_SUCCESS;
    }
    AUTO(struct buf, buf_done) text = buf_init(DOCS_MAX_BYTES);
    bool writing = count > 3 && strcmp(words[3], "-w") == 0;
    const char *begin, *end;
    if (!read_file(words[2], &text) && (!writing || document->begin != NULL))
        return EXIT_FAILURE;
    if (!split(document, buf_text(&text), &begin, &end)) {
        fprintf(stderr, "%s: the markers of %s are missing\n", words[2], document->name);
        return EXIT_FAILURE;
    }
    if (writing)
        return write_back(words[2], buf_text(&text), begin, end, buf_text(&made));
    return compare(document, words[2], begin, end, buf_text(&made));
}
