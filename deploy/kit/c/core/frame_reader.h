/* Reads a stream of gRPC messages as it comes, a few bytes or many at once.
 *
 * A payload that the machine obeys is decoded from a buffer of 2 KB. A planogram, which may have
 * 13 KB, is taken column by column. What the machine does not know, up to the 64 KB of a frame, is
 * passed over, and counts as handled.
 */
#ifndef KIT_FRAME_READER_H
#define KIT_FRAME_READER_H

#include "gateway/v1/machine_service.pb.h"
#include "planogram.h"

enum { KIT_PAYLOAD_MAX = 2048 };

/* What the backend said. `payload`: the field of ConnectResponse, 0 if it only acknowledges or if
 * the machine does not know it. */
struct kit_heard {
  uint64_t seq, ack;
  uint32_t payload;
  union {
    gateway_v1_Welcome welcome;
    gateway_v1_ServiceUpdate service_update;
    gateway_v1_BeginSession begin_session;
    gateway_v1_FundsUpdate funds_update;
    gateway_v1_ShowQr show_qr;
    gateway_v1_VendApproved vend_approved;
    gateway_v1_VendDenied vend_denied;
    gateway_v1_EndSession end_session;
    gateway_v1_MoveRequest move_request;
    gateway_v1_ProtocolError protocol_error;
    uint64_t planogram_version;
  } is;
};

struct kit_frame_reader {
  struct kit_planogram *planogram;
  uint8_t prefix[5];
  size_t prefix_size;
  uint32_t message_left; /* bytes of the message that have not come */
  uint32_t payload_left; /* of the planogram, while it comes */
  uint32_t field;        /* what is collected in `buffer`; 0: a tag or a number */
  uint32_t field_left;
  bool passing_over;
  bool in_planogram;
  uint8_t varint_size;
  uint64_t varint;
  uint32_t number_of; /* the field whose number comes; 0: a tag comes */
  bool length_of;     /* that number is the field's length */
  size_t size;
  uint8_t buffer[KIT_PAYLOAD_MAX];
  struct kit_heard heard;
};

void kit_frame_reader_begin(struct kit_frame_reader *reader, struct kit_planogram *planogram);
/* Take bytes until a frame is complete or all are taken; return how many were. `complete`: `heard`
 * has a frame. -1: this is not what a gateway says; hang up. */
long kit_frame_reader_take(struct kit_frame_reader *reader, const uint8_t *bytes, size_t size,
                           bool *complete);

#endif
