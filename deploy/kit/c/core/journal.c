#include "journal.h"

#include <string.h>

enum kind { GENERATION = 1, BOOT, VEND, SETTLED, LOSS_TOLD, TOKEN };
enum flags { FLAG_LOST = 1, FLAG_SETTLED = 2 };

/* A record as values; `number` is the boot, or the area's generation. */
struct record {
  uint8_t kind, stage, cause, motor, drop, flags;
  uint32_t number, hash;
  char text[KIT_ID_MAX + 1];
};

/* --- bytes --- */

static uint32_t crc32_of(const uint8_t *bytes, size_t size) {
  uint32_t crc = 0xffffffffu;
  for (size_t i = 0; i < size; i++) {
    crc ^= bytes[i];
    for (int bit = 0; bit < 8; bit++) {
      crc = (crc >> 1) ^ (0xedb88320u & (0u - (crc & 1u)));
    }
  }
  return ~crc;
}

static void put32(uint8_t *to, uint32_t value) {
  for (int i = 0; i < 4; i++) {
    to[i] = (uint8_t)(value >> (8 * i));
  }
}

static uint32_t get32(const uint8_t *from) {
  return (uint32_t)from[0] | (uint32_t)from[1] << 8 | (uint32_t)from[2] << 16 |
         (uint32_t)from[3] << 24;
}

static void encode(uint8_t *to, const struct record *record) {
  memset(to, 0, KIT_RECORD_BYTES);
  to[0] = 'V';
  to[1] = record->kind;
  to[2] = record->stage;
  to[3] = record->cause;
  to[4] = record->motor;
  to[5] = record->drop;
  to[6] = record->flags;
  put32(to + 8, record->number);
  put32(to + 12, record->hash);
  memcpy(to + 16, record->text, strlen(record->text));
  put32(to + KIT_RECORD_BYTES - 4, crc32_of(to, KIT_RECORD_BYTES - 4));
}

static bool decode(const uint8_t *from, struct record *record) {
  if (from[0] != 'V' || get32(from + KIT_RECORD_BYTES - 4) != crc32_of(from, KIT_RECORD_BYTES - 4)) {
    return false;
  }
  *record = (struct record){.kind = from[1], .stage = from[2], .cause = from[3], .motor = from[4],
                            .drop = from[5], .flags = from[6], .number = get32(from + 8),
                            .hash = get32(from + 12)};
  memcpy(record->text, from + 16, KIT_ID_MAX);
  return true;
}

/* --- what the records add up to --- */

static void forget(struct kit_vend *list, size_t *count, size_t at) {
  (*count)--;
  memmove(&list[at], &list[at + 1], (*count - at) * sizeof *list);
}

static size_t place_of(const struct kit_vend *list, size_t count, const char *vend_id) {
  size_t at = 0;
  while (at < count && !kit_same(list[at].vend_id, vend_id)) {
    at++;
  }
  return at;
}

static bool add_vend(struct kit_journal *journal, const struct kit_vend *line) {
  size_t at = place_of(journal->settled, journal->settled_count, line->vend_id);
  if (at < journal->settled_count) {
    forget(journal->settled, &journal->settled_count, at);
  }
  at = place_of(journal->open, journal->open_count, line->vend_id);
  if (at == KIT_OPEN_MAX) {
    return false;
  }
  journal->open[at] = *line;
  if (at == journal->open_count) {
    journal->open_count++;
  }
  return true;
}

static void settle(struct kit_journal *journal, const char *vend_id) {
  size_t at = place_of(journal->open, journal->open_count, vend_id);
  if (at == journal->open_count) {
    return;
  }
  if (journal->settled_count == KIT_SETTLED_MAX) {
    forget(journal->settled, &journal->settled_count, 0);
  }
  journal->settled[journal->settled_count++] = journal->open[at];
  forget(journal->open, &journal->open_count, at);
}

static void add(struct kit_journal *journal, const struct record *record) {
  switch (record->kind) {
  case BOOT:
    journal->boots = record->number > journal->boots ? record->number : journal->boots;
    journal->lost = journal->lost || (record->flags & FLAG_LOST) != 0;
    break;
  case VEND: {
    struct kit_vend line = {.request_hash = record->hash, .boot = record->number,
                            .stage = record->stage, .cause = record->cause,
                            .motor = record->motor, .drop = record->drop};
    kit_copy(line.vend_id, sizeof line.vend_id, record->text);
    journal->boots = record->number > journal->boots ? record->number : journal->boots;
    if (!add_vend(journal, &line)) {
      journal->lost = true;
    } else if ((record->flags & FLAG_SETTLED) != 0) {
      settle(journal, line.vend_id);
    }
    break;
  }
  case SETTLED:
    settle(journal, record->text);
    break;
  case LOSS_TOLD:
    journal->lost = false;
    break;
  case TOKEN:
    kit_copy(journal->token, sizeof journal->token, record->text);
    break;
  default: /* GENERATION, or a kind of a later firmware */
    break;
  }
}

/* --- writing --- */

static bool append_to(struct kit_journal *journal, int area, const struct record *record) {
  uint8_t bytes[KIT_RECORD_BYTES];
  encode(bytes, record);
  return journal->port->store_append(journal->port->context, area, bytes, sizeof bytes);
}

static struct record record_of(const struct kit_vend *vend, uint8_t flags) {
  struct record record = {.kind = VEND, .stage = vend->stage, .cause = vend->cause,
                          .motor = vend->motor, .drop = vend->drop, .flags = flags,
                          .number = vend->boot, .hash = vend->request_hash};
  kit_copy(record.text, sizeof record.text, vend->vend_id);
  return record;
}

/* Write the fewest records that add up to the same into the other area, and go on there. */
static bool compact(struct kit_journal *journal) {
  const struct kit_port *port = journal->port;
  const int fresh = 1 - journal->area;
  bool good = port->store_erase(port->context, fresh);
  const struct record boot = {.kind = BOOT, .number = journal->boots,
                              .flags = journal->lost ? FLAG_LOST : 0};
  good = good && append_to(journal, fresh, &boot);
  struct record token = {.kind = TOKEN};
  kit_copy(token.text, sizeof token.text, journal->token);
  good = good && append_to(journal, fresh, &token);
  for (size_t i = 0; good && i < journal->settled_count; i++) {
    const struct record vend = record_of(&journal->settled[i], FLAG_SETTLED);
    good = append_to(journal, fresh, &vend);
  }
  for (size_t i = 0; good && i < journal->open_count; i++) {
    const struct record vend = record_of(&journal->open[i], 0);
    good = append_to(journal, fresh, &vend);
  }
  /* What closes the copy must not reach the flash before the rest of it. */
  good = good && port->store_sync(port->context, fresh);
  const struct record closing = {.kind = GENERATION, .number = journal->generation + 1};
  good = good && append_to(journal, fresh, &closing) && port->store_sync(port->context, fresh);
  if (!good) {
    journal->worn = true;
    return false;
  }
  journal->records = 3 + journal->settled_count + journal->open_count;
  journal->generation++;
  journal->area = fresh;
  /* While the old area stands it is only older; a failure to erase it is met at the next turn. */
  (void)port->store_erase(port->context, 1 - fresh);
  return true;
}

static bool write(struct kit_journal *journal, const struct record *record, bool synced) {
  if (journal->worn) {
    return false;
  }
  if (journal->records >= KIT_AREA_RECORDS && !compact(journal)) {
    return false;
  }
  const struct kit_port *port = journal->port;
  if (!append_to(journal, journal->area, record) ||
      (synced && !port->store_sync(port->context, journal->area))) {
    journal->worn = true;
    return false;
  }
  journal->records++;
  return true;
}

bool kit_journal_vend(struct kit_journal *journal, struct kit_vend line) {
  const struct record record = record_of(&line, 0);
  if (place_of(journal->open, journal->open_count, line.vend_id) == KIT_OPEN_MAX) {
    return false;
  }
  line.told = false;
  return write(journal, &record, true) && add_vend(journal, &line);
}

bool kit_journal_token(struct kit_journal *journal, const char *token) {
  struct record record = {.kind = TOKEN};
  kit_copy(record.text, KIT_TOKEN_MAX + 1, token);
  kit_copy(journal->token, sizeof journal->token, token);
  return write(journal, &record, true); /* worn flash: until the power fails we are known still */
}

void kit_journal_settled(struct kit_journal *journal, const char *vend_id) {
  struct record record = {.kind = SETTLED};
  kit_copy(record.text, sizeof record.text, vend_id);
  if (place_of(journal->open, journal->open_count, vend_id) < journal->open_count) {
    write(journal, &record, false);
    settle(journal, record.text);
  }
}

void kit_journal_loss_told(struct kit_journal *journal) {
  const struct record record = {.kind = LOSS_TOLD};
  if (journal->lost) {
    write(journal, &record, true);
    journal->lost = false;
  }
}

const struct kit_vend *kit_journal_find(const struct kit_journal *journal, const char *vend_id) {
  size_t at = place_of(journal->open, journal->open_count, vend_id);
  if (at < journal->open_count) {
    return &journal->open[at];
  }
  at = place_of(journal->settled, journal->settled_count, vend_id);
  return at < journal->settled_count ? &journal->settled[at] : NULL;
}

/* --- reading --- */

/* The generation of an area, 0 if none of its records closes a copy. */
static uint32_t generation_of(const struct kit_port *port, int area) {
  const size_t size = port->store_size(port->context, area);
  uint8_t bytes[KIT_RECORD_BYTES];
  for (size_t at = 0; at + KIT_RECORD_BYTES <= size; at += KIT_RECORD_BYTES) {
    struct record record;
    if (port->store_read(port->context, area, at, bytes, sizeof bytes) && decode(bytes, &record) &&
        record.kind == GENERATION) {
      return record.number;
    }
  }
  return 0;
}

/* Add up an area. True if its last record was torn: it must not be appended to. */
static bool read_area(struct kit_journal *journal) {
  const struct kit_port *port = journal->port;
  const size_t size = port->store_size(port->context, journal->area);
  uint8_t bytes[KIT_RECORD_BYTES];
  bool bad_before = false, damaged = false;
  for (size_t at = 0; at + KIT_RECORD_BYTES <= size; at += KIT_RECORD_BYTES) {
    struct record record;
    damaged = damaged || bad_before; /* the bad one was not the last */
    bad_before = !port->store_read(port->context, journal->area, at, bytes, sizeof bytes) ||
                 !decode(bytes, &record);
    if (!bad_before) {
      add(journal, &record);
    }
    journal->records++;
  }
  damaged = damaged || (bad_before && size % KIT_RECORD_BYTES != 0);
  journal->lost = journal->lost || damaged; /* whatever its lines say of an older loss */
  return bad_before || size % KIT_RECORD_BYTES != 0;
}

bool kit_journal_open(struct kit_journal *journal, const struct kit_port *port) {
  memset(journal, 0, sizeof *journal);
  journal->port = port;
  const uint32_t generations[2] = {generation_of(port, 0), generation_of(port, 1)};
  journal->area = generations[1] > generations[0] ? 1 : 0;
  journal->generation = generations[journal->area];
  bool afresh = true;
  if (journal->generation == 0) {
    journal->area = port->store_size(port->context, 0) == 0 ? 1 : 0;
    (void)read_area(journal);
    journal->lost = true; /* a new board, or worn flash: what can be read still counts */
  } else {
    afresh = read_area(journal) || journal->lost ||
             port->store_size(port->context, 1 - journal->area) != 0;
  }
  journal->boots++;
  if (afresh) {
    return compact(journal); /* it writes the boot, too */
  }
  const struct record boot = {.kind = BOOT, .number = journal->boots};
  return write(journal, &boot, true);
}
