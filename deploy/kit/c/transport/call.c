#include "call.h"

#include <stdlib.h>
#include <string.h>

#include "backoff.h"

/* --- memory: counted, and bounded --- */

union block {
  size_t size;
  max_align_t aligned;
};

static void *resize(void *pointer, size_t size, void *context) {
  struct kit_call *call = context;
  union block *before = pointer == NULL ? NULL : (union block *)pointer - 1;
  const size_t old = before == NULL ? 0 : before->size;
  if (size > KIT_CALL_HEAP_MAX || call->heap - old + size > KIT_CALL_HEAP_MAX) {
    return NULL;
  }
  union block *fresh = realloc(before, sizeof *fresh + size);
  if (fresh == NULL) {
    return NULL;
  }
  fresh->size = size;
  call->heap = call->heap - old + size;
  call->heap_most = call->heap > call->heap_most ? call->heap : call->heap_most;
  return fresh + 1;
}

static void *reserve(size_t size, void *context) { return resize(NULL, size, context); }

static void *reserve_clean(size_t count, size_t size, void *context) {
  if (size != 0 && count > KIT_CALL_HEAP_MAX / size) {
    return NULL;
  }
  void *fresh = resize(NULL, count * size, context);
  return fresh == NULL ? NULL : memset(fresh, 0, count * size);
}

static void release(void *pointer, void *context) {
  struct kit_call *call = context;
  if (pointer != NULL) {
    union block *block = (union block *)pointer - 1;
    call->heap -= block->size;
    free(block);
  }
}

/* --- what nghttp2 asks and tells --- */

static ssize_t next_bytes(nghttp2_session *session, int32_t stream, uint8_t *to, size_t size,
                          uint32_t *flags, nghttp2_data_source *source, void *context) {
  struct kit_call *call = context;
  size_t written = 0;
  (void)session, (void)stream, (void)flags, (void)source;
  while (written < size) {
    if (call->frame_sent == call->frame_size) {
      call->frame_sent = 0;
      call->frame_size = call->pull(call->context, call->frame, sizeof call->frame);
      if (call->frame_size == 0) {
        break;
      }
    }
    size_t some = call->frame_size - call->frame_sent;
    some = some < size - written ? some : size - written;
    memcpy(to + written, call->frame + call->frame_sent, some);
    call->frame_sent += some;
    written += some;
  }
  return written > 0 ? (ssize_t)written : NGHTTP2_ERR_DEFERRED;
}

static int on_header(nghttp2_session *session, const nghttp2_frame *frame, const uint8_t *name,
                     size_t name_size, const uint8_t *value, size_t size, uint8_t flags,
                     void *context) {
  struct kit_call *call = context;
  (void)session, (void)flags;
  if (frame->hd.stream_id == call->stream) {
    kit_status_header(&call->status, (const char *)name, name_size, (const char *)value, size);
  }
  return 0;
}

static int on_data(nghttp2_session *session, uint8_t flags, int32_t stream, const uint8_t *bytes,
                   size_t size, void *context) {
  struct kit_call *call = context;
  (void)session, (void)flags;
  if (stream == call->stream && !call->received(call->context, bytes, size)) {
    return NGHTTP2_ERR_CALLBACK_FAILURE;
  }
  return 0;
}

static int on_frame(nghttp2_session *session, const nghttp2_frame *frame, void *context) {
  struct kit_call *call = context;
  (void)session;
  if (frame->hd.type == NGHTTP2_PING && (frame->hd.flags & NGHTTP2_FLAG_ACK) != 0) {
    call->pinged = false;
  } else if (frame->hd.stream_id == call->stream &&
             (frame->hd.flags & NGHTTP2_FLAG_END_STREAM) != 0) {
    call->ended = true; /* the gateway has said its last word; ours is of no use any more */
  }
  return 0;
}

static int on_close(nghttp2_session *session, int32_t stream, uint32_t error, void *context) {
  struct kit_call *call = context;
  (void)session, (void)error;
  call->ended = call->ended || stream == call->stream;
  return 0;
}

/* --- the call --- */

static nghttp2_nv header(const char *name, const char *value) {
  /* nghttp2 copies both: no flag says otherwise. */
  return (nghttp2_nv){.name = (uint8_t *)(uintptr_t)name, .value = (uint8_t *)(uintptr_t)value,
                      .namelen = strlen(name), .valuelen = strlen(value),
                      .flags = NGHTTP2_NV_FLAG_NONE};
}

static bool make_session(struct kit_call *call) {
  nghttp2_session_callbacks *callbacks = NULL;
  nghttp2_option *option = NULL;
  nghttp2_mem memory = {.mem_user_data = call, .malloc = reserve, .free = release,
                        .calloc = reserve_clean, .realloc = resize};
  bool good = nghttp2_session_callbacks_new(&callbacks) == 0 && nghttp2_option_new(&option) == 0;
  if (good) {
    nghttp2_session_callbacks_set_on_header_callback(callbacks, on_header);
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks, on_data);
    nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks, on_frame);
    nghttp2_session_callbacks_set_on_stream_close_callback(callbacks, on_close);
    nghttp2_option_set_max_deflate_dynamic_table_size(option, 0);
    nghttp2_option_set_max_send_header_block_length(option, 1024);
    good = nghttp2_session_client_new3(&call->session, callbacks, call, option, &memory) == 0;
  }
  nghttp2_session_callbacks_del(callbacks);
  nghttp2_option_del(option);
  return good;
}

bool kit_call_begin(struct kit_call *call, const char *authority, bool tls, uint64_t now_ms) {
  call->ended = call->pinged = false;
  call->frame_size = call->frame_sent = 0;
  call->heap = 0;
  call->status = (struct kit_status){.code = KIT_UNAVAILABLE};
  call->heard_at_ms = now_ms;
  call->stream = -1;
  call->session = NULL;
  if (!make_session(call)) {
    kit_call_end(call);
    return false;
  }
  const nghttp2_settings_entry settings[] = {{NGHTTP2_SETTINGS_ENABLE_PUSH, 0},
                                             {NGHTTP2_SETTINGS_HEADER_TABLE_SIZE, 0},
                                             {NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, 16384},
                                             {NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE, 4096}};
  const nghttp2_nv headers[] = {header(":method", "POST"),
                                header(":scheme", tls ? "https" : "http"),
                                header(":path", "/gateway.v1.MachineService/Connect"),
                                header(":authority", authority),
                                header("content-type", "application/grpc"),
                                header("te", "trailers"),
                                header("user-agent", "vendgate-kit-c/1")};
  const nghttp2_data_provider frames = {.read_callback = next_bytes};
  if (nghttp2_submit_settings(call->session, NGHTTP2_FLAG_NONE, settings, 4) != 0) {
    kit_call_end(call);
    return false;
  }
  call->stream = nghttp2_submit_request(call->session, NULL, headers,
                                        sizeof headers / sizeof headers[0], &frames, call);
  if (call->stream < 0) {
    kit_call_end(call);
    return false;
  }
  return true;
}

bool kit_call_feed(struct kit_call *call, const uint8_t *bytes, size_t size, uint64_t now_ms) {
  call->heard_at_ms = now_ms;
  const ssize_t taken = nghttp2_session_mem_recv(call->session, bytes, size);
  return taken == (ssize_t)size && !call->ended;
}

long kit_call_drain(struct kit_call *call, const uint8_t **bytes) {
  if (call->ended) {
    return -1;
  }
  /* If frames were deferred and there are some now; else this changes nothing. */
  (void)nghttp2_session_resume_data(call->session, call->stream);
  return (long)nghttp2_session_mem_send(call->session, bytes);
}

bool kit_call_tick(struct kit_call *call, uint64_t now_ms) {
  if (call->pinged) {
    return now_ms < call->ping_at_ms + KIT_PING_WITHIN_MS;
  }
  if (now_ms >= call->heard_at_ms + KIT_PING_EVERY_MS &&
      now_ms >= call->ping_at_ms + KIT_PING_EVERY_MS) {
    call->pinged = nghttp2_submit_ping(call->session, NGHTTP2_FLAG_NONE, NULL) == 0;
    call->ping_at_ms = now_ms;
  }
  return true;
}

void kit_call_end(struct kit_call *call) {
  nghttp2_session_del(call->session);
  call->session = NULL;
}
