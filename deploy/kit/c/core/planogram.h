/* The columns and prices that hold, and those of an update while it comes, column by column: no
 * frame is ever in memory as a whole.
 */
#ifndef KIT_PLANOGRAM_H
#define KIT_PLANOGRAM_H

#include "port.h"
#include "text.h"

#ifndef KIT_COLUMNS_MAX
#define KIT_COLUMNS_MAX 128 /* a board with fewer motors may take fewer */
#endif
enum { KIT_PRODUCT_SHOWN = 32 };

struct kit_column {
  char column[KIT_COLUMN_MAX + 1];
  char product[KIT_PRODUCT_SHOWN + 1]; /* as much of its name as the screen has room for */
  bool blocked;                        /* its motor jammed, or it is empty */
  uint32_t stock;
  int64_t price_minor;
};

struct kit_columns {
  uint64_t version;
  size_t count;
  struct kit_column columns[KIT_COLUMNS_MAX];
};

struct kit_planogram {
  struct kit_columns shown, coming;
};

/* An update begins, goes on, and is complete: only then do its prices count. */
void kit_planogram_begin(struct kit_planogram *planogram);
void kit_planogram_add(struct kit_planogram *planogram, const struct kit_column *column);
void kit_planogram_end(struct kit_planogram *planogram, uint64_t version);
/* The column of this name, or NULL. */
struct kit_column *kit_planogram_find(struct kit_planogram *planogram, const char *column);

#endif
