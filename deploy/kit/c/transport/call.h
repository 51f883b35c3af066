/* One gRPC call over HTTP/2, on nghttp2: bytes of a connection in and out, frames of the machine
 * in and out. It knows no socket and no clock; all that it allocates is counted and bounded.
 */
#ifndef KIT_CALL_H
#define KIT_CALL_H

#include <nghttp2/nghttp2.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "status.h"

enum {
  KIT_CALL_HEAP_MAX = 64 * 1024, /* of nghttp2, for one line; more is refused and ends the line */
  KIT_CALL_FRAME_MAX = 2900,
  KIT_PING_EVERY_MS = 30000, /* pings closer than 10 s would be answered by GOAWAY */
  KIT_PING_WITHIN_MS = 10000
};

struct kit_call {
  nghttp2_session *session;
  int32_t stream;
  bool ended; /* `status` says how */
  struct kit_status status;

  /* The machine's side: write the next frame, take what came. */
  void *context;
  size_t (*pull)(void *context, uint8_t *to, size_t size);
  bool (*received)(void *context, const uint8_t *bytes, size_t size);

  size_t frame_size, frame_sent; /* of the frame that leaves */
  uint8_t frame[KIT_CALL_FRAME_MAX];
  uint64_t heard_at_ms, ping_at_ms;
  bool pinged;
  size_t heap, heap_most; /* bytes in use, and the most that ever were */
};

/* Begin the call on a connection that was just made. `context`, `pull` and `received` are set by
 * the caller before. False: there is no memory for it. */
bool kit_call_begin(struct kit_call *call, const char *authority, bool tls, uint64_t now_ms);
/* Bytes came from the connection. False: the call is over. */
bool kit_call_feed(struct kit_call *call, const uint8_t *bytes, size_t size, uint64_t now_ms);
/* The next bytes for the connection; 0: none, -1: the call is over. They stay until the next call
 * of any of these functions. */
long kit_call_drain(struct kit_call *call, const uint8_t **bytes);
/* Ping when it is due. False: the last ping was not answered, the connection is dead. */
bool kit_call_tick(struct kit_call *call, uint64_t now_ms);
void kit_call_end(struct kit_call *call);

#endif
