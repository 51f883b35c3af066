#include "backoff.h"

static const uint32_t REFUSAL_WAITS_MS[] = {60000, 300000, 900000, 3600000};
enum { REFUSAL_WAITS = sizeof REFUSAL_WAITS_MS / sizeof REFUSAL_WAITS_MS[0] };

void kit_backoff_begin(struct kit_backoff *backoff) {
  *backoff = (struct kit_backoff){.initial_ms = 1000, .max_ms = 60000};
}

void kit_backoff_welcomed(struct kit_backoff *backoff, uint32_t initial_ms, uint32_t max_ms) {
  backoff->failures = backoff->refusals = 0;
  if (initial_ms > 0) {
    backoff->initial_ms = initial_ms;
    backoff->max_ms = max_ms > initial_ms ? max_ms : initial_ms;
  }
}

uint32_t kit_between(const struct kit_port *port, uint32_t from, uint32_t to) {
  if (to <= from) {
    return from;
  }
  return from + (uint32_t)((uint64_t)port->random(port->context) * (to - from + 1ull) >> 32);
}

uint64_t kit_backoff_after_power_up(const struct kit_backoff *backoff,
                                    const struct kit_port *port) {
  return kit_between(port, 0, backoff->initial_ms);
}

uint64_t kit_backoff_after(struct kit_backoff *backoff, const struct kit_port *port, int status) {
  const bool refused = status == KIT_NOT_FOUND || status == KIT_UNAUTHENTICATED ||
                       status == KIT_PERMISSION_DENIED;
  const bool for_long = status == KIT_INVALID_ARGUMENT || status == KIT_UNIMPLEMENTED ||
                        status == KIT_FAILED_PRECONDITION;
  if (refused || for_long) {
    if (refused && backoff->refusals >= REFUSAL_WAITS) {
      return KIT_NEVER;
    }
    const uint32_t at =
        backoff->refusals < REFUSAL_WAITS ? backoff->refusals : REFUSAL_WAITS - 1u;
    backoff->refusals++;
    return kit_between(port, REFUSAL_WAITS_MS[at] / 2, REFUSAL_WAITS_MS[at]);
  }
  if (status == KIT_ABORTED) {
    /* Another device has our identity: to come back at once would begin a fight. */
    return kit_between(port, backoff->max_ms / 2, backoff->max_ms);
  }
  uint64_t range_ms = (uint64_t)backoff->initial_ms
                      << (backoff->failures < 31 ? backoff->failures : 31);
  range_ms = range_ms < backoff->max_ms ? range_ms : backoff->max_ms;
  backoff->failures++;
  return kit_between(port, 0, (uint32_t)range_ms);
}
