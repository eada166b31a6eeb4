/* The options in words: help text for a terminal, and docs/configuration.md. */
#ifndef CONFIG_CONFIG_DOCS_H
#define CONFIG_CONFIG_DOCS_H

#include "base/buf.h"

void config_docs_help(struct buf *out);
void config_docs_markdown(struct buf *out);

#endif
