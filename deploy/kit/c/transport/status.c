#include "status.h"

#include <pb_decode.h>
#include <stdbool.h>
#include <string.h>

#include "text.h"

enum { DETAILS_MAX = 768, RETRY_MAX_MS = 3600000 };

static int digit64(char letter) {
  static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  const char *at = letter == '\0' ? NULL : strchr(letters, letter);
  return at == NULL ? -1 : (int)(at - letters);
}

/* Decode base64, with or without its padding; return how many bytes, 0 if it does not fit. */
static size_t decode64(const char *from, size_t size, uint8_t *to, size_t room) {
  uint32_t bits = 0;
  unsigned count = 0;
  size_t made = 0;
  for (size_t i = 0; i < size && from[i] != '='; i++) {
    const int digit = digit64(from[i]);
    if (digit < 0) {
      return 0;
    }
    bits = (bits << 6 | (uint32_t)digit) & 0xffffffu;
    count += 6;
    if (count >= 8) {
      count -= 8;
      if (made == room) {
        return 0;
      }
      to[made++] = (uint8_t)(bits >> count);
    }
  }
  return made;
}

/* Go to the next field; false at the end, or if the bytes make no sense. */
static bool next(pb_istream_t *stream, uint32_t *field, pb_wire_type_t *wire) {
  bool over = false;
  return pb_decode_tag(stream, wire, field, &over) && !over;
}

static bool read_text(pb_istream_t *stream, char *to, size_t size) {
  pb_istream_t text;
  if (!pb_make_string_substream(stream, &text)) {
    return false;
  }
  const size_t length = text.bytes_left < size - 1 ? text.bytes_left : size - 1;
  const bool good = pb_read(&text, (pb_byte_t *)to, length);
  to[good ? length : 0] = '\0';
  return pb_close_string_substream(stream, &text) && good;
}

/* google.rpc.RetryInfo: 1 is a Duration of 1 seconds and 2 nanoseconds. */
static void read_retry(struct kit_status *status, pb_istream_t *stream) {
  uint32_t field = 0;
  pb_wire_type_t wire;
  while (next(stream, &field, &wire)) {
    pb_istream_t duration;
    if (field != 1 || wire != PB_WT_STRING || !pb_make_string_substream(stream, &duration)) {
      (void)pb_skip_field(stream, wire);
      continue;
    }
    uint64_t parts[3] = {0, 0, 0};
    uint32_t part = 0;
    while (next(&duration, &part, &wire)) {
      uint64_t value = 0;
      if (wire != PB_WT_VARINT || !pb_decode_varint(&duration, &value)) {
        return;
      }
      if (part <= 2) {
        parts[part] = value;
      }
    }
    if (parts[1] > RETRY_MAX_MS / 1000 || parts[2] > 999999999u) {
      parts[1] = RETRY_MAX_MS / 1000;
      parts[2] = 0;
    }
    status->retry_after_ms = (uint32_t)(parts[1] * 1000 + parts[2] / 1000000);
    if (!pb_close_string_substream(stream, &duration)) {
      return;
    }
  }
}

/* google.rpc.ErrorInfo: 1 is the reason. */
static void read_reason(struct kit_status *status, pb_istream_t *stream) {
  uint32_t field = 0;
  pb_wire_type_t wire;
  while (next(stream, &field, &wire)) {
    if (field == 1 && wire == PB_WT_STRING) {
      if (!read_text(stream, status->reason, sizeof status->reason)) {
        return;
      }
    } else if (!pb_skip_field(stream, wire)) {
      return;
    }
  }
}

/* google.protobuf.Any: 1 is the type's name, 2 its bytes; the name comes first. */
static void read_detail(struct kit_status *status, pb_istream_t *stream) {
  char type[64] = "";
  uint32_t field = 0;
  pb_wire_type_t wire;
  while (next(stream, &field, &wire)) {
    pb_istream_t value;
    if (field == 1 && wire == PB_WT_STRING) {
      if (!read_text(stream, type, sizeof type)) {
        return;
      }
    } else if (field == 2 && wire == PB_WT_STRING && pb_make_string_substream(stream, &value)) {
      if (strstr(type, "google.rpc.RetryInfo") != NULL) {
        read_retry(status, &value);
      } else if (strstr(type, "google.rpc.ErrorInfo") != NULL) {
        read_reason(status, &value);
      }
      if (!pb_close_string_substream(stream, &value)) {
        return;
      }
    } else if (!pb_skip_field(stream, wire)) {
      return;
    }
  }
}

/* google.rpc.Status: 3 are its details. */
static void read_details(struct kit_status *status, const char *value, size_t size) {
  uint8_t bytes[DETAILS_MAX];
  pb_istream_t stream = pb_istream_from_buffer(bytes, decode64(value, size, bytes, sizeof bytes));
  uint32_t field = 0;
  pb_wire_type_t wire;
  while (next(&stream, &field, &wire)) {
    pb_istream_t detail;
    if (field == 3 && wire == PB_WT_STRING && pb_make_string_substream(&stream, &detail)) {
      read_detail(status, &detail);
      if (!pb_close_string_substream(&stream, &detail)) {
        return;
      }
    } else if (!pb_skip_field(&stream, wire)) {
      return;
    }
  }
}

static bool is(const char *name, size_t size, const char *wanted) {
  return size == strlen(wanted) && memcmp(name, wanted, size) == 0;
}

static int code_of_http(int http) {
  switch (http) {
  case 401:
    return 16;
  case 403:
    return 7;
  case 404:
    return 12;
  case 429:
  case 502:
  case 503:
  case 504:
    return 14;
  default:
    return 2;
  }
}

static int number_of(const char *value, size_t size) {
  int number = 0;
  for (size_t i = 0; i < size && i < 4 && value[i] >= '0' && value[i] <= '9'; i++) {
    number = number * 10 + (value[i] - '0');
  }
  return number;
}

void kit_status_header(struct kit_status *status, const char *name, size_t name_size,
                       const char *value, size_t size) {
  if (is(name, name_size, ":status")) {
    const int http = number_of(value, size);
    if (http != 200) {
      status->code = code_of_http(http);
    }
  } else if (is(name, name_size, "grpc-status")) {
    status->code = number_of(value, size);
  } else if (is(name, name_size, "grpc-message")) {
    const size_t length = size < sizeof status->message - 1 ? size : sizeof status->message - 1;
    memcpy(status->message, value, length);
    status->message[length] = '\0';
  } else if (is(name, name_size, "grpc-status-details-bin")) {
    read_details(status, value, size);
  }
}
