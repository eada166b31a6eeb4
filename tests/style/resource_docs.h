/* The fields of the Connector resource as tables, out of its CustomResourceDefinition. */
#ifndef STYLE_RESOURCE_DOCS_H
#define STYLE_RESOURCE_DOCS_H

#include "base/buf.h"

/* text: the definition, YAML. Ends the process when it is none. */
void resource_docs_write(struct slice text, struct buf *out);

#endif
