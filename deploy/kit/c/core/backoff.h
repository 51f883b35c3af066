/* How long a machine waits before it tries again: full jitter, reset by Welcome only. */
#ifndef KIT_BACKOFF_H
#define KIT_BACKOFF_H

#include "port.h"

/* Statuses of gRPC that are told apart. */
enum {
  KIT_OK = 0,
  KIT_CANCELLED = 1,
  KIT_INVALID_ARGUMENT = 3,
  KIT_NOT_FOUND = 5,
  KIT_PERMISSION_DENIED = 7,
  KIT_FAILED_PRECONDITION = 9,
  KIT_ABORTED = 10,
  KIT_UNIMPLEMENTED = 12,
  KIT_UNAVAILABLE = 14,
  KIT_UNAUTHENTICATED = 16
};

/* It is a person's turn: do not try again by yourself. */
#define KIT_NEVER UINT64_MAX

struct kit_backoff {
  uint32_t initial_ms, max_ms;
  uint32_t failures, refusals;
};

void kit_backoff_begin(struct kit_backoff *backoff);
/* A Welcome came, with this guidance; 0: it gave none. */
void kit_backoff_welcomed(struct kit_backoff *backoff, uint32_t initial_ms, uint32_t max_ms);
/* The wait before the first try: not all machines of a street may call in the same second. */
uint64_t kit_backoff_after_power_up(const struct kit_backoff *backoff, const struct kit_port *port);
/* The wait after a stream that ended with this status, in milliseconds, or KIT_NEVER. */
uint64_t kit_backoff_after(struct kit_backoff *backoff, const struct kit_port *port, int status);
/* A number drawn evenly from `from` to `to`, both included. */
uint32_t kit_between(const struct kit_port *port, uint32_t from, uint32_t to);

#endif
