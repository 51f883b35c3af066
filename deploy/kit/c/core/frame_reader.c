#include "frame_reader.h"

#include <pb_decode.h>
#include <string.h>

enum { VARINT = 0, FIXED64 = 1, LENGTH = 2, FIXED32 = 5 };
enum { COLUMNS = gateway_v1_PlanogramUpdate_columns_tag };

/* The fields of ConnectResponse that are decoded from the buffer. */
static const pb_msgdesc_t *known(uint32_t field) {
  switch (field) {
  case gateway_v1_ConnectResponse_welcome_tag:
    return gateway_v1_Welcome_fields;
  case gateway_v1_ConnectResponse_service_update_tag:
    return gateway_v1_ServiceUpdate_fields;
  case gateway_v1_ConnectResponse_begin_session_tag:
    return gateway_v1_BeginSession_fields;
  case gateway_v1_ConnectResponse_funds_update_tag:
    return gateway_v1_FundsUpdate_fields;
  case gateway_v1_ConnectResponse_show_qr_tag:
    return gateway_v1_ShowQr_fields;
  case gateway_v1_ConnectResponse_vend_approved_tag:
    return gateway_v1_VendApproved_fields;
  case gateway_v1_ConnectResponse_vend_denied_tag:
    return gateway_v1_VendDenied_fields;
  case gateway_v1_ConnectResponse_end_session_tag:
    return gateway_v1_EndSession_fields;
  case gateway_v1_ConnectResponse_move_request_tag:
    return gateway_v1_MoveRequest_fields;
  case gateway_v1_ConnectResponse_protocol_error_tag:
    return gateway_v1_ProtocolError_fields;
  default:
    return NULL;
  }
}

static void begin_message(struct kit_frame_reader *reader) {
  reader->payload_left = 0;
  reader->field = reader->field_left = reader->number_of = 0;
  reader->passing_over = reader->in_planogram = reader->length_of = false;
  reader->varint = 0;
  reader->varint_size = 0;
  reader->heard.seq = reader->heard.ack = 0;
  reader->heard.payload = 0;
}

void kit_frame_reader_begin(struct kit_frame_reader *reader, struct kit_planogram *planogram) {
  memset(reader, 0, sizeof *reader);
  reader->planogram = planogram;
}

static bool decode(const uint8_t *bytes, size_t size, const pb_msgdesc_t *fields, void *into) {
  pb_istream_t stream = pb_istream_from_buffer(bytes, size);
  return pb_decode(&stream, fields, into);
}

/* A field with a length is complete. */
static bool collected(struct kit_frame_reader *reader) {
  const uint32_t field = reader->field;
  reader->field = 0;
  if (reader->passing_over) {
    reader->passing_over = false;
    return true;
  }
  if (!reader->in_planogram) {
    reader->heard.payload = field;
    return decode(reader->buffer, reader->size, known(field), &reader->heard.is);
  }
  gateway_v1_PlanogramColumn wire;
  if (!decode(reader->buffer, reader->size, gateway_v1_PlanogramColumn_fields, &wire)) {
    return false;
  }
  struct kit_column column = {.price_minor = wire.price_minor, .stock = wire.stock};
  kit_copy(column.column, sizeof column.column, wire.column);
  kit_copy(column.product, sizeof column.product, wire.product);
  kit_planogram_add(reader->planogram, &column);
  return true;
}

/* A field with a length begins. */
static bool begin_field(struct kit_frame_reader *reader, uint32_t field, uint64_t length) {
  if (length > (reader->in_planogram ? reader->payload_left : reader->message_left)) {
    return false;
  }
  if (!reader->in_planogram && field == gateway_v1_ConnectResponse_planogram_update_tag) {
    reader->in_planogram = true;
    reader->payload_left = (uint32_t)length;
    reader->heard.payload = field;
    reader->heard.is.planogram_version = 0;
    kit_planogram_begin(reader->planogram);
    return true;
  }
  reader->field = field;
  reader->field_left = (uint32_t)length;
  reader->size = 0;
  const bool wanted = reader->in_planogram ? field == COLUMNS : known(field) != NULL;
  reader->passing_over = !wanted;
  if (wanted && length > sizeof reader->buffer) {
    return false;
  }
  return length > 0 || collected(reader);
}

/* A number is complete: a tag, a length or a value. */
static bool counted(struct kit_frame_reader *reader, uint64_t number) {
  const uint32_t field = reader->number_of;
  if (field != 0) {
    reader->number_of = 0;
    if (reader->length_of) {
      return begin_field(reader, field, number);
    }
    if (reader->in_planogram) {
      if (field == gateway_v1_PlanogramUpdate_planogram_version_tag) {
        reader->heard.is.planogram_version = number;
      }
    } else if (field == gateway_v1_ConnectResponse_seq_tag) {
      reader->heard.seq = number;
    } else if (field == gateway_v1_ConnectResponse_ack_tag) {
      reader->heard.ack = number;
    }
    return true;
  }
  const unsigned wire = (unsigned)(number & 7u);
  if (number >> 3 == 0 || number >> 3 > UINT32_MAX >> 3) {
    return false;
  }
  const uint32_t tag = (uint32_t)(number >> 3);
  if (wire == VARINT || wire == LENGTH) {
    reader->number_of = tag;
    reader->length_of = wire == LENGTH;
    return true;
  }
  if (wire == FIXED64 || wire == FIXED32) { /* of a later backend */
    reader->field = tag;
    reader->field_left = wire == FIXED64 ? 8 : 4;
    reader->passing_over = true;
    return reader->field_left <= reader->message_left;
  }
  return false;
}

static bool take_digit(struct kit_frame_reader *reader, uint8_t byte) {
  if (reader->varint_size == 10) {
    return false;
  }
  if (reader->varint_size < 9 || (byte & 0x7f) <= 1) {
    reader->varint |= (uint64_t)(byte & 0x7f) << (7 * reader->varint_size);
  }
  reader->varint_size++;
  if ((byte & 0x80) != 0) {
    return true;
  }
  const uint64_t number = reader->varint;
  reader->varint = 0;
  reader->varint_size = 0;
  return counted(reader, number);
}

/* Take some bytes of the message that comes; return how many, 0 if they make no sense. */
static size_t take_some(struct kit_frame_reader *reader, const uint8_t *bytes, size_t size) {
  size_t taken = 1;
  const bool inside = reader->in_planogram; /* and not only now */
  reader->message_left -= 1;
  if (reader->field == 0) {
    if (inside) {
      reader->payload_left -= 1;
    }
    if (!take_digit(reader, bytes[0])) {
      return 0;
    }
  } else {
    reader->message_left += 1;
    taken = size < reader->field_left ? size : reader->field_left;
    if (!reader->passing_over) {
      memcpy(reader->buffer + reader->size, bytes, taken);
      reader->size += taken;
    }
    reader->field_left -= (uint32_t)taken;
    reader->message_left -= (uint32_t)taken;
    if (inside) {
      reader->payload_left -= (uint32_t)taken;
    }
    if (reader->field_left == 0 && !collected(reader)) {
      return 0;
    }
  }
  if (reader->in_planogram && reader->payload_left == 0) {
    if (reader->field != 0 || reader->number_of != 0 || reader->varint_size != 0) {
      return 0;
    }
    reader->in_planogram = false;
  }
  return taken;
}

static bool ended_whole(const struct kit_frame_reader *reader) {
  return reader->field == 0 && reader->number_of == 0 && reader->varint_size == 0 &&
         !reader->in_planogram;
}

long kit_frame_reader_take(struct kit_frame_reader *reader, const uint8_t *bytes, size_t size,
                           bool *complete) {
  size_t taken = 0;
  *complete = false;
  while (taken < size) {
    if (reader->prefix_size < sizeof reader->prefix) {
      reader->prefix[reader->prefix_size++] = bytes[taken++];
      if (reader->prefix_size < sizeof reader->prefix) {
        continue;
      }
      const uint8_t *length = reader->prefix + 1;
      reader->message_left = (uint32_t)length[0] << 24 | (uint32_t)length[1] << 16 |
                             (uint32_t)length[2] << 8 | (uint32_t)length[3];
      if (reader->prefix[0] != 0) { /* compressed, which we did not offer */
        return -1;
      }
      begin_message(reader);
    } else {
      size_t some = size - taken;
      some = some < reader->message_left ? some : reader->message_left;
      some = take_some(reader, bytes + taken, some);
      if (some == 0) {
        return -1;
      }
      taken += some;
    }
    if (reader->message_left == 0) {
      reader->prefix_size = 0;
      if (!ended_whole(reader)) {
        return -1;
      }
      *complete = true;
      return (long)taken;
    }
  }
  return (long)taken;
}
