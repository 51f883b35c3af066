#include "outbox.h"

static struct kit_frame *at(struct kit_outbox *outbox, size_t place) {
  return &outbox->frames[(outbox->first + place) % KIT_FRAMES_MAX];
}

static void number(struct kit_outbox *outbox) {
  while (outbox->numbered < outbox->count && outbox->numbered < KIT_NUMBERED_MAX) {
    at(outbox, outbox->numbered++)->seq = ++outbox->last_seq;
  }
}

bool kit_outbox_has_room(const struct kit_outbox *outbox) {
  return outbox->count < KIT_FRAMES_MAX - KIT_FRAMES_KEPT_FREE;
}

struct kit_frame *kit_outbox_next(struct kit_outbox *outbox, bool result) {
  if (result ? outbox->count >= KIT_FRAMES_MAX : !kit_outbox_has_room(outbox)) {
    return NULL;
  }
  struct kit_frame *frame = at(outbox, outbox->count);
  *frame = (struct kit_frame){0};
  return frame;
}

void kit_outbox_put(struct kit_outbox *outbox) {
  outbox->count++;
  number(outbox);
}

struct kit_frame *kit_outbox_oldest(struct kit_outbox *outbox) {
  return outbox->count == 0 ? NULL : at(outbox, 0);
}

void kit_outbox_drop(struct kit_outbox *outbox) {
  outbox->acked_seq = at(outbox, 0)->seq;
  outbox->first = (outbox->first + 1) % KIT_FRAMES_MAX;
  outbox->count--;
  outbox->numbered--;
  number(outbox);
}

struct kit_frame *kit_outbox_numbered(struct kit_outbox *outbox, uint64_t seq) {
  if (seq <= outbox->acked_seq || seq > outbox->last_seq) {
    return NULL;
  }
  return at(outbox, (size_t)(seq - outbox->acked_seq - 1));
}

bool kit_outbox_has(struct kit_outbox *outbox, uint32_t tag, const char *id) {
  for (size_t i = 0; i < outbox->count; i++) {
    const struct kit_frame *frame = at(outbox, i);
    if (frame->tag == tag && kit_same(frame->id, id)) {
      return true;
    }
  }
  return false;
}

void kit_outbox_take_back(struct kit_outbox *outbox, uint64_t seq) {
  if (kit_outbox_numbered(outbox, seq) == NULL) {
    return;
  }
  for (size_t i = (size_t)(seq - outbox->acked_seq - 1); i + 1 < outbox->count; i++) {
    const uint64_t own = at(outbox, i)->seq;
    *at(outbox, i) = *at(outbox, i + 1);
    at(outbox, i)->seq = own;
  }
  outbox->count--;
  outbox->numbered--;
  outbox->last_seq--;
  /* What moved up without having had a number of its own gets one now. */
  for (size_t i = 0; i < outbox->count; i++) {
    at(outbox, i)->seq = i < outbox->numbered ? outbox->acked_seq + 1 + i : 0;
  }
  number(outbox);
}
