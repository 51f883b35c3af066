/* The frames that were said and are not acknowledged, encoded, in the order in which they were said.
 * At most 32 have a number; further ones wait for theirs.
 */
#ifndef KIT_OUTBOX_H
#define KIT_OUTBOX_H

#include "port.h"
#include "text.h"

enum {
  KIT_NUMBERED_MAX = 32,
  KIT_FRAMES_MAX = 64,
  KIT_FRAMES_KEPT_FREE = 16, /* results always find room; all else is refused before */
  KIT_BODY_MAX = 128
};

struct kit_frame {
  uint64_t seq; /* 0 while it waits for a number */
  uint32_t tag; /* its field in ConnectRequest */
  char id[KIT_ID_MAX + 1]; /* the vend_id of a result, the request_id of a request; or empty */
  uint16_t size;
  uint8_t body[KIT_BODY_MAX];
};

struct kit_outbox {
  uint64_t last_seq, acked_seq;
  size_t first, count, numbered;
  struct kit_frame frames[KIT_FRAMES_MAX];
};

/* Room for one more frame, or NULL if it is full. `result`: it may use the room kept free. Fill in
 * tag, id, size and body, then call kit_outbox_put. */
struct kit_frame *kit_outbox_next(struct kit_outbox *outbox, bool result);
/* Whether a frame that is no result would find room. */
bool kit_outbox_has_room(const struct kit_outbox *outbox);
void kit_outbox_put(struct kit_outbox *outbox);
/* The oldest frame, or NULL; kit_outbox_drop forgets it. */
struct kit_frame *kit_outbox_oldest(struct kit_outbox *outbox);
void kit_outbox_drop(struct kit_outbox *outbox);
/* The frame with this number, or NULL. */
struct kit_frame *kit_outbox_numbered(struct kit_outbox *outbox, uint64_t seq);
/* Whether a frame with this field and this id waits for its acknowledgement. */
bool kit_outbox_has(struct kit_outbox *outbox, uint32_t tag, const char *id);
/* Remove a frame whose number was not used up; those behind it move up by one. */
void kit_outbox_take_back(struct kit_outbox *outbox, uint64_t seq);

#endif
