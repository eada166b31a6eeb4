/* GET /metrics: Prometheus' text. Rows that are read when they are scraped: metrics.def, and the
 * ancestor's names in ancestor.def; what is taken when it happens: measures.h. HTTP thread. */
#ifndef CONNECTOR_SCRAPE_H
#define CONNECTOR_SCRAPE_H

#include "base/buf.h"
#include "connector/endpoints.h"

struct scrape;
struct scrape *scrape_new(const struct endpoints_options *from); /* must outlive it */
void scrape_free(struct scrape *scrape);                         /* NULL allowed */
void scrape_write(const struct scrape *scrape, struct buf *out);

/* docs/metrics.md but for the operator's. */
void scrape_write_docs(struct buf *out);

#endif
