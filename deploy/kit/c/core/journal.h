/* What the machine remembers over a power cut.
 *
 * On flash: records of 96 bytes with a checksum, appended to one of two areas. A record counts once
 * the call that writes it has returned. When an area is full, or its last record was torn, what
 * still counts is written to the other area; a record that closes the copy makes it valid, and only
 * then is the old area erased. A record that is damaged elsewhere means that the journal is lost.
 */
#ifndef KIT_JOURNAL_H
#define KIT_JOURNAL_H

#include "port.h"
#include "text.h"

enum {
  KIT_RECORD_BYTES = 96,
  KIT_AREA_RECORDS = 1024,
  KIT_AREA_BYTES = KIT_RECORD_BYTES * KIT_AREA_RECORDS,
  KIT_TAIL_MAX = 32,    /* Hello carries at most so many lines */
  KIT_OPEN_MAX = 48,    /* vends that the backend has not settled; requests stop at KIT_TAIL_MAX */
  KIT_SETTLED_MAX = 256 /* settled vends that are remembered */
};

/* The last line of one vend. The enums are those of machine.proto. */
struct kit_vend {
  char vend_id[KIT_ID_MAX + 1];
  uint32_t request_hash; /* of the request that it was approved for */
  uint32_t boot;         /* the number of the boot that wrote the line */
  uint8_t stage, cause, motor, drop;
  bool told; /* the last Hello told of it; not on flash */
};

struct kit_journal {
  const struct kit_port *port;
  int area;
  uint32_t generation;
  size_t records; /* in the area */
  bool worn;      /* a write failed: sell nothing any more */
  uint32_t boots; /* the number of this boot */
  bool lost;      /* there was no readable journal, and the backend does not know it yet */
  char token[KIT_TOKEN_MAX + 1];
  struct kit_vend open[KIT_OPEN_MAX];
  size_t open_count;
  struct kit_vend settled[KIT_SETTLED_MAX]; /* the oldest first */
  size_t settled_count;
};

/* Read what is there and begin a new boot under the next number. False: the flash is worn. */
bool kit_journal_open(struct kit_journal *journal, const struct kit_port *port);
/* Write a vend's line and return when it is on flash. False: it is not. */
bool kit_journal_vend(struct kit_journal *journal, struct kit_vend line);
/* Keep what the next Hello returns. False: it is not on flash. */
bool kit_journal_token(struct kit_journal *journal, const char *token);
/* The backend has saved what became of the vend. Not synced: losing it means telling twice. */
void kit_journal_settled(struct kit_journal *journal, const char *vend_id);
/* The backend knows that the journal was lost. */
void kit_journal_loss_told(struct kit_journal *journal);
/* The last line of a vend, or NULL if the machine never heard of it. */
const struct kit_vend *kit_journal_find(const struct kit_journal *journal, const char *vend_id);

#endif
