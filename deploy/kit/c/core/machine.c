/* What the machine says and hears; vending.c holds the vend, lines.c the coming and going. */
#include "machine.h"

#include <pb_encode.h>
#include <string.h>

void kit_machine_begin(struct kit_machine *machine, const struct kit_port *port,
                       const char *machine_id, const char *firmware) {
  memset(machine, 0, sizeof *machine);
  machine->port = port;
  machine->active = machine->joining = KIT_NO_LINK;
  kit_copy(machine->machine_id, sizeof machine->machine_id, machine_id);
  kit_copy(machine->firmware, sizeof machine->firmware, firmware);
  kit_backoff_begin(&machine->backoff);
  if (!kit_journal_open(&machine->journal, port)) {
    port->tell(port->context, KIT_NEWS_CALL_A_PERSON, "the flash cannot be written", 0);
  }
  /* A counter, and random bytes: a board that was replaced begins at 1 again. */
  kit_copy(machine->boot_id, sizeof machine->boot_id, "b");
  kit_append_number(machine->boot_id, sizeof machine->boot_id, machine->journal.boots, 10);
  kit_append(machine->boot_id, sizeof machine->boot_id, "-");
  for (int i = 0; i < 2; i++) {
    kit_append_number(machine->boot_id, sizeof machine->boot_id,
                      port->random(port->context) | 0x80000000u, 16);
  }
  const gateway_v1_ReaderEnable enable = {0};
  kit_say(machine, gateway_v1_ConnectRequest_reader_enable_tag, "",
          gateway_v1_ReaderEnable_fields, &enable, false);
  machine->dial_at_ms =
      port->now_ms(port->context) + kit_backoff_after_power_up(&machine->backoff, port);
  machine->move_at_ms = machine->restart_at_ms = KIT_NEVER;
}

bool kit_machine_busy(const struct kit_machine *machine) {
  return machine->request.open || machine->running.open;
}

void kit_restart(struct kit_machine *machine, const char *why) {
  machine->halted = true; /* whatever comes before the board restarts is not obeyed */
  if (machine->running.turning) {
    machine->restart_why = why; /* else nobody would know whether goods fell */
  } else {
    machine->port->restart(machine->port->context, why);
  }
}

/* --- saying --- */

bool kit_say(struct kit_machine *machine, uint32_t tag, const char *id, const pb_msgdesc_t *fields,
             const void *body, bool result) {
  struct kit_frame *frame = kit_outbox_next(&machine->outbox, result);
  if (frame == NULL) {
    machine->port->tell(machine->port->context, KIT_NEWS_CALL_A_PERSON,
                        "a frame found no room in the outbox and was not said", (int64_t)tag);
    return false;
  }
  pb_ostream_t stream = pb_ostream_from_buffer(frame->body, sizeof frame->body);
  if (!pb_encode(&stream, fields, body)) {
    machine->port->tell(machine->port->context, KIT_NEWS_CALL_A_PERSON,
                        "a frame was longer than its bound and was not said", (int64_t)tag);
    return false;
  }
  frame->tag = tag;
  frame->size = (uint16_t)stream.bytes_written;
  kit_copy(frame->id, sizeof frame->id, id);
  kit_outbox_put(&machine->outbox);
  return true;
}

void kit_fault(struct kit_machine *machine, const char *code, const char *detail,
               const char *column) {
  /* A short detail, so that every frame of the outbox has the same small size. */
  gateway_v1_Fault body = {0};
  kit_copy(body.code, sizeof body.code, code);
  kit_copy(body.detail, KIT_DETAIL_MAX + 1, detail);
  kit_copy(body.column, sizeof body.column, column);
  kit_say(machine, gateway_v1_ConnectRequest_fault_tag, "", gateway_v1_Fault_fields, &body, false);
}

void kit_machine_complete(struct kit_machine *machine) {
  if (machine->session_id[0] == '\0' || kit_machine_busy(machine)) {
    return;
  }
  gateway_v1_SessionComplete body = {0};
  kit_copy(body.session_id, sizeof body.session_id, machine->session_id);
  kit_say(machine, gateway_v1_ConnectRequest_session_complete_tag, "",
          gateway_v1_SessionComplete_fields, &body, false);
}

bool kit_machine_cash_sold(struct kit_machine *machine, const char *column, int64_t price_minor) {
  gateway_v1_CashSale body = {.price_minor = price_minor};
  kit_copy(body.column, sizeof body.column, column);
  return kit_say(machine, gateway_v1_ConnectRequest_cash_sale_tag, "", gateway_v1_CashSale_fields,
                 &body, false);
}

void kit_machine_door(struct kit_machine *machine, bool open) {
  machine->door_open = open;
  kit_tell_door(machine);
}

/* A door that flaps while nobody hears takes no room from results: it is told as it is then. */
void kit_tell_door(struct kit_machine *machine) {
  if (machine->door_open == machine->door_told || !kit_outbox_has_room(&machine->outbox)) {
    return;
  }
  machine->door_told = machine->door_open;
  if (machine->door_open) {
    gateway_v1_ReaderDisable body = {0};
    kit_copy(body.reason, sizeof body.reason, "door open");
    kit_say(machine, gateway_v1_ConnectRequest_reader_disable_tag, "",
            gateway_v1_ReaderDisable_fields, &body, false);
  } else {
    const gateway_v1_ReaderEnable body = {0};
    kit_say(machine, gateway_v1_ConnectRequest_reader_enable_tag, "",
            gateway_v1_ReaderEnable_fields, &body, false);
  }
}

void kit_machine_repaired(struct kit_machine *machine, const char *column) {
  struct kit_column *repaired = kit_planogram_find(&machine->planogram, column);
  if (repaired != NULL) {
    repaired->blocked = false;
  }
}

/* --- hearing --- */

/* All frames up to this number are saved. */
void kit_acknowledge(struct kit_machine *machine, uint64_t seq) {
  struct kit_frame *frame = kit_outbox_oldest(&machine->outbox);
  while (frame != NULL && frame->seq != 0 && frame->seq <= seq) {
    if (frame->tag == gateway_v1_ConnectRequest_vend_success_tag ||
        frame->tag == gateway_v1_ConnectRequest_vend_failure_tag) {
      kit_journal_settled(&machine->journal, frame->id);
    }
    kit_outbox_drop(&machine->outbox);
    frame = kit_outbox_oldest(&machine->outbox);
  }
}

static void refused(struct kit_machine *machine, const gateway_v1_ProtocolError *error) {
  struct kit_frame *frame = kit_outbox_numbered(&machine->outbox, error->seq);
  machine->port->tell(machine->port->context, KIT_NEWS_REFUSED, error->detail,
                      (int64_t)error->code);
  if (error->code == gateway_v1_ProtocolErrorCode_PROTOCOL_ERROR_CODE_SEQ_REUSED) {
    kit_restart(machine, "a number of this boot was used for another frame");
  } else if (error->code == gateway_v1_ProtocolErrorCode_PROTOCOL_ERROR_CODE_OUT_OF_ORDER) {
    if (error->expected_seq == machine->again_from && error->seq <= machine->again_through) {
      return; /* that frame was on its way before we sent again */
    }
    if (error->expected_seq <= machine->outbox.acked_seq) {
      kit_restart(machine, "the backend wants a frame again that it had acknowledged");
      return;
    }
    machine->again_from = error->expected_seq;
    machine->again_through = machine->outbox.last_seq;
    machine->next_seq = error->expected_seq;
  } else if (frame != NULL) {
    if (frame->tag == gateway_v1_ConnectRequest_vend_request_tag) {
      kit_request_over(machine, frame->id, 0);
    }
    if (error->expected_seq == error->seq) { /* a backend of before: the number is still free */
      if (frame->tag == gateway_v1_ConnectRequest_vend_success_tag ||
          frame->tag == gateway_v1_ConnectRequest_vend_failure_tag) {
        kit_journal_settled(&machine->journal, frame->id);
      }
      kit_outbox_take_back(&machine->outbox, error->seq);
      machine->next_seq = error->seq;
    }
  }
}

static void session(struct kit_machine *machine, const char *session_id, int64_t funds_minor) {
  kit_copy(machine->session_id, sizeof machine->session_id, session_id);
  machine->funds_minor = funds_minor;
  machine->port->tell(machine->port->context, KIT_NEWS_SESSION, session_id, funds_minor);
}

static void session_ended(struct kit_machine *machine, const gateway_v1_EndSession *end) {
  if (kit_same(machine->session_id, end->session_id)) {
    machine->session_id[0] = '\0';
    machine->funds_minor = 0;
  }
  machine->port->tell(machine->port->context, KIT_NEWS_SESSION_ENDED, end->session_id,
                      end->refund_minor);
}

static void asked_to_move(struct kit_machine *machine, const gateway_v1_MoveRequest *move) {
  /* In the first half, so that a second try still fits. */
  const uint32_t half = move->not_before_ms / 2 + move->not_after_ms / 2;
  const struct kit_port *port = machine->port;
  machine->move_at_ms = port->now_ms(port->context) + kit_between(port, move->not_before_ms, half);
}

static void obey(struct kit_machine *machine, const struct kit_heard *heard) {
  const struct kit_port *port = machine->port;
  switch (heard->payload) {
  case gateway_v1_ConnectResponse_planogram_update_tag:
    kit_planogram_end(&machine->planogram, heard->is.planogram_version);
    port->tell(port->context, KIT_NEWS_PLANOGRAM, "", (int64_t)machine->planogram.shown.count);
    break;
  case gateway_v1_ConnectResponse_service_update_tag:
    machine->in_service = heard->is.service_update.in_service;
    machine->mode = heard->is.service_update.mode;
    port->tell(port->context, KIT_NEWS_SERVICE, heard->is.service_update.qr_payload,
               machine->in_service);
    break;
  case gateway_v1_ConnectResponse_begin_session_tag:
    session(machine, heard->is.begin_session.session_id, heard->is.begin_session.funds_minor);
    break;
  case gateway_v1_ConnectResponse_funds_update_tag:
    session(machine, heard->is.funds_update.session_id, heard->is.funds_update.funds_minor);
    break;
  case gateway_v1_ConnectResponse_show_qr_tag:
    kit_show_qr(machine, &heard->is.show_qr);
    break;
  case gateway_v1_ConnectResponse_vend_approved_tag:
    kit_vend_approved(machine, &heard->is.vend_approved);
    break;
  case gateway_v1_ConnectResponse_vend_denied_tag:
    kit_request_over(machine, heard->is.vend_denied.request_id, heard->is.vend_denied.reason);
    break;
  case gateway_v1_ConnectResponse_end_session_tag:
    session_ended(machine, &heard->is.end_session);
    break;
  case gateway_v1_ConnectResponse_move_request_tag:
    asked_to_move(machine, &heard->is.move_request);
    break;
  default: /* only an acknowledgement, a ProtocolError, which was heard before,
            * or of a later backend: handled by acknowledging it */
    break;
  }
}

static void heard_frame(struct kit_machine *machine, int link) {
  const struct kit_heard *heard = &machine->readers[link].heard;
  if (heard->payload == gateway_v1_ConnectResponse_welcome_tag) {
    kit_welcomed(machine, link);
    return;
  }
  if (link != machine->active) {
    return; /* nothing may come before Welcome */
  }
  machine->handled_seq = heard->seq;
  machine->heard_at_ms = machine->port->now_ms(machine->port->context);
  if (heard->payload == gateway_v1_ConnectResponse_protocol_error_tag) {
    refused(machine, &heard->is.protocol_error); /* its ack takes the refused frame with it */
  }
  kit_acknowledge(machine, heard->ack);
  obey(machine, heard);
  if (machine->handled_seq - machine->told_ack >= 16) {
    machine->heartbeat_due = true;
  }
}

bool kit_machine_received(struct kit_machine *machine, int link, const uint8_t *bytes,
                          size_t size) {
  while (size > 0 && !machine->halted && (link == machine->active || link == machine->joining)) {
    bool complete = false;
    const long taken = kit_frame_reader_take(&machine->readers[link], bytes, size, &complete);
    if (taken < 0) {
      machine->port->hang_up(machine->port->context, link);
      kit_machine_ended(machine, link, KIT_UNAVAILABLE, 0, "the gateway's bytes make no sense");
      return false;
    }
    bytes += taken;
    size -= (size_t)taken;
    if (complete) {
      heard_frame(machine, link);
    }
  }
  return true;
}
