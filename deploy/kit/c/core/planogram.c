#include "planogram.h"

static struct kit_column *find(struct kit_columns *columns, const char *column) {
  for (size_t i = 0; i < columns->count; i++) {
    if (kit_same(columns->columns[i].column, column)) {
      return &columns->columns[i];
    }
  }
  return NULL;
}

void kit_planogram_begin(struct kit_planogram *planogram) { planogram->coming.count = 0; }

void kit_planogram_add(struct kit_planogram *planogram, const struct kit_column *column) {
  struct kit_columns *coming = &planogram->coming;
  if (coming->count < KIT_COLUMNS_MAX) {
    coming->columns[coming->count++] = *column;
  }
}

void kit_planogram_end(struct kit_planogram *planogram, uint64_t version) {
  for (size_t i = 0; i < planogram->coming.count; i++) {
    struct kit_column *column = &planogram->coming.columns[i];
    const struct kit_column *before = find(&planogram->shown, column->column);
    column->blocked = before != NULL && before->blocked;
  }
  planogram->shown = planogram->coming;
  planogram->shown.version = version;
}

struct kit_column *kit_planogram_find(struct kit_planogram *planogram, const char *column) {
  return find(&planogram->shown, column);
}
