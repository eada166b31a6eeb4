/* The configured schemas, tables and columns, before anything is done with them: all that is wrong
 * is named at once. */
#ifndef POSTGRES_PUBLICATION_TABLES_H
#define POSTGRES_PUBLICATION_TABLES_H

#include "postgres/publication.h"

/* "table_missing" (also for what is no table or leaves no WAL) and "column_missing" (of a column
 * list or of keyColumns), "schema_missing": ERROR_HALT. "columns_need_15" and "schemas_need_15":
 * ERROR_CONFIG, column lists and schemas on PostgreSQL 14. */
MUST_CHECK bool publication_tables_check(struct db_conn *conn,
                                         const struct publication_options *options,
                                         struct error *err);

#endif
