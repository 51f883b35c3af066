/* The coming and going of lines: Hello, Welcome, heartbeats, back-off, moves; and what leaves. */
#include <pb_encode.h>
#include <string.h>

#include "machine.h"

enum { SILENT_BEATS = 3 };

/* --- leaving --- */

static void fill_hello(struct kit_machine *machine, gateway_v1_Hello *hello) {
  struct kit_journal *journal = &machine->journal;
  memset(hello, 0, sizeof *hello);
  kit_copy(hello->machine_id, sizeof hello->machine_id, machine->machine_id);
  kit_copy(hello->boot_id, sizeof hello->boot_id, machine->boot_id);
  kit_copy(hello->firmware, sizeof hello->firmware, machine->firmware);
  hello->has_capabilities = true;
  hello->capabilities = (gateway_v1_Capabilities){.multivend = true, .display = true,
                                                  .drop_sensor = true, .resume_token = true,
                                                  .response_time_ms = KIT_RESPONSE_TIME_MS};
  hello->mode = machine->mode;
  hello->last_acked_seq = machine->outbox.acked_seq;
  hello->planogram_version = machine->planogram.shown.version;
  hello->journal_lost = machine->loss_was_told = journal->lost;
  kit_copy(hello->resume_token, sizeof hello->resume_token, journal->token);
  for (size_t i = 0; i < journal->open_count; i++) {
    struct kit_vend *line = &journal->open[i];
    line->told = i < KIT_TAIL_MAX;
    if (!line->told) {
      continue;
    }
    gateway_v1_JournalEntry *entry = &hello->journal_tail[hello->journal_tail_count++];
    kit_copy(entry->vend_id, sizeof entry->vend_id, line->vend_id);
    entry->stage = (gateway_v1_JournalStage)line->stage;
    entry->cause = (gateway_v1_VendFailureCause)line->cause;
    entry->has_evidence =
        line->stage != gateway_v1_JournalStage_JOURNAL_STAGE_ACCEPTED;
    entry->evidence.motor = (gateway_v1_MotorEvidence)line->motor;
    entry->evidence.drop = (gateway_v1_DropEvidence)line->drop;
  }
}

/* Finish a frame: gRPC's five bytes before what `stream` wrote behind them. */
static size_t finish(uint8_t *to, const pb_ostream_t *stream, bool good) {
  if (!good) {
    return 0;
  }
  const size_t size = stream->bytes_written;
  to[0] = 0;
  for (int i = 0; i < 4; i++) {
    to[1 + i] = (uint8_t)(size >> (24 - 8 * i));
  }
  return size + 5;
}

static size_t write_hello(struct kit_machine *machine, uint8_t *to, size_t size) {
  static gateway_v1_Hello hello; /* 3 KB, not on the stack */
  fill_hello(machine, &hello);
  pb_ostream_t stream = pb_ostream_from_buffer(to + 5, size - 5);
  const bool good = pb_encode_tag(&stream, PB_WT_STRING, gateway_v1_ConnectRequest_hello_tag) &&
                    pb_encode_submessage(&stream, gateway_v1_Hello_fields, &hello);
  return finish(to, &stream, good);
}

/* A frame of the outbox, or a heartbeat if it is NULL. */
static size_t write_frame(struct kit_machine *machine, const struct kit_frame *frame, uint8_t *to,
                          size_t size) {
  pb_ostream_t stream = pb_ostream_from_buffer(to + 5, size - 5);
  bool good = true;
  if (frame != NULL) {
    good = pb_encode_tag(&stream, PB_WT_VARINT, gateway_v1_ConnectRequest_seq_tag) &&
           pb_encode_varint(&stream, frame->seq);
  }
  good = good && pb_encode_tag(&stream, PB_WT_VARINT, gateway_v1_ConnectRequest_ack_tag) &&
         pb_encode_varint(&stream, machine->handled_seq);
  good = good && pb_encode_tag(&stream, PB_WT_STRING,
                               frame != NULL ? frame->tag
                                             : gateway_v1_ConnectRequest_heartbeat_tag);
  good = good && pb_encode_string(&stream, frame != NULL ? frame->body : (const uint8_t *)"",
                                  frame != NULL ? frame->size : 0);
  return finish(to, &stream, good);
}

size_t kit_machine_pull(struct kit_machine *machine, int link, uint8_t *to, size_t size) {
  const struct kit_port *port = machine->port;
  if (machine->halted) {
    return 0;
  }
  if (link == machine->joining && machine->hello_due) {
    machine->hello_due = false;
    return write_hello(machine, to, size);
  }
  if (link != machine->active) {
    return 0;
  }
  const struct kit_frame *frame = kit_outbox_numbered(&machine->outbox, machine->next_seq);
  if (frame == NULL && !machine->heartbeat_due) {
    return 0;
  }
  const size_t written = write_frame(machine, frame, to, size);
  machine->heartbeat_due = false;
  machine->told_ack = machine->handled_seq;
  machine->sent_at_ms = port->now_ms(port->context);
  if (frame == NULL) {
    return written;
  }
  machine->next_seq = frame->seq + 1;
  if (frame->tag == gateway_v1_ConnectRequest_vend_request_tag) {
    port->step(port->context, KIT_STEP_ASKED);
  } else if (frame->tag == gateway_v1_ConnectRequest_vend_success_tag ||
             frame->tag == gateway_v1_ConnectRequest_vend_failure_tag) {
    port->step(port->context, KIT_STEP_SAID);
  }
  return written;
}

/* --- Welcome --- */

/* What Hello told of earlier boots is saved: there is nothing more to say about it. */
static void settle_what_was_told(struct kit_machine *machine) {
  struct kit_journal *journal = &machine->journal;
  size_t i = 0;
  while (i < journal->open_count) {
    const struct kit_vend *line = &journal->open[i];
    if (line->told && line->boot != journal->boots) {
      char vend_id[KIT_ID_MAX + 1];
      kit_copy(vend_id, sizeof vend_id, line->vend_id);
      kit_journal_settled(journal, vend_id); /* takes it out of the list */
    } else {
      i++;
    }
  }
  if (machine->loss_was_told) {
    machine->loss_was_told = false;
    kit_journal_loss_told(journal);
  }
}

static void take_session(struct kit_machine *machine, const gateway_v1_Welcome *welcome) {
  const char *session_id = welcome->has_session ? welcome->session.session_id : "";
  const struct kit_request *request = &machine->request;
  if (session_id[0] == '\0' && request->open &&
      !kit_outbox_has(&machine->outbox, gateway_v1_ConnectRequest_vend_request_tag,
                      request->request_id)) {
    kit_request_over(machine, request->request_id, 0); /* its answer was lost with the old line */
  }
  kit_copy(machine->session_id, sizeof machine->session_id, session_id);
  machine->funds_minor = welcome->has_session ? welcome->session.funds_minor : 0;
  if (session_id[0] != '\0') {
    machine->port->tell(machine->port->context, KIT_NEWS_SESSION, session_id,
                        machine->funds_minor);
  }
}

void kit_welcomed(struct kit_machine *machine, int link) {
  const struct kit_port *port = machine->port;
  const struct kit_heard *heard = &machine->readers[link].heard;
  const gateway_v1_Welcome *welcome = &heard->is.welcome;
  if (welcome->last_seq > machine->outbox.last_seq) {
    kit_restart(machine, "the backend has a number that this boot never gave");
    return;
  }
  if (link == machine->joining) {
    const int before = machine->active;
    machine->active = link;
    machine->joining = KIT_NO_LINK;
    if (before != KIT_NO_LINK) {
      port->hang_up(port->context, before);
    }
  }
  machine->handled_seq = heard->seq;
  machine->told_ack = 0;
  machine->heard_at_ms = machine->sent_at_ms = port->now_ms(port->context);
  machine->heartbeat_ms = welcome->heartbeat_interval_ms;
  machine->again_from = machine->again_through = 0;
  machine->move_at_ms = KIT_NEVER;
  kit_backoff_welcomed(&machine->backoff, welcome->has_reconnect ? welcome->reconnect.initial_ms : 0,
                       welcome->reconnect.max_ms);
  machine->in_service = welcome->in_service;
  machine->mode = welcome->mode;
  /* On flash before any numbered frame of this stream shows the backend that we are here. */
  if (welcome->resume_token[0] != '\0' &&
      !kit_journal_token(&machine->journal, welcome->resume_token)) {
    port->tell(port->context, KIT_NEWS_CALL_A_PERSON, "the flash cannot be written", 0);
  }
  kit_acknowledge(machine, welcome->last_seq > heard->ack ? welcome->last_seq : heard->ack);
  settle_what_was_told(machine);
  machine->next_seq = machine->outbox.acked_seq + 1;
  port->tell(port->context, KIT_NEWS_WELCOME, welcome->currency, 0);
  port->tell(port->context, KIT_NEWS_SERVICE, welcome->qr_payload, welcome->in_service);
  take_session(machine, welcome);
}

/* --- coming back --- */

static void dial(struct kit_machine *machine) {
  const struct kit_port *port = machine->port;
  const int link = machine->active == 0 ? 1 : 0;
  machine->joining = link;
  machine->hello_due = true;
  machine->dial_at_ms = KIT_NEVER;
  machine->welcome_by_ms = port->now_ms(port->context) + KIT_WELCOME_WITHIN_MS;
  kit_frame_reader_begin(&machine->readers[link], &machine->planogram);
  port->dial(port->context, link);
}

void kit_machine_ended(struct kit_machine *machine, int link, int status, uint32_t retry_after_ms,
                       const char *reason) {
  const struct kit_port *port = machine->port;
  if (link != machine->active && link != machine->joining) {
    return;
  }
  const bool was_active = link == machine->active;
  if (was_active) {
    machine->active = KIT_NO_LINK;
    machine->heartbeat_due = false;
    machine->move_at_ms = KIT_NEVER;
    port->tell(port->context, KIT_NEWS_OFFLINE, reason, status);
    if (machine->joining != KIT_NO_LINK) {
      return; /* the second line is on its way */
    }
  } else {
    machine->joining = KIT_NO_LINK;
    machine->hello_due = false;
  }
  uint64_t wait_ms = kit_backoff_after(&machine->backoff, port, status);
  if (wait_ms == KIT_NEVER) {
    port->tell(port->context, KIT_NEWS_CALL_A_PERSON, reason, status);
    return;
  }
  if (status == KIT_ABORTED || machine->backoff.refusals > 0) {
    port->tell(port->context, KIT_NEWS_CALL_A_PERSON, reason, status);
  }
  wait_ms += port->now_ms(port->context) + retry_after_ms;
  if (kit_same(reason, "BOOT_SUPERSEDED")) {
    machine->restart_at_ms = wait_ms; /* another one has this boot's place: it does not come back */
  } else if (machine->active == KIT_NO_LINK) {
    machine->dial_at_ms = wait_ms;
  } else {
    machine->move_at_ms = wait_ms; /* the move failed: keep the first line, try again later */
  }
}

void kit_machine_tick(struct kit_machine *machine) {
  const struct kit_port *port = machine->port;
  const uint64_t now_ms = port->now_ms(port->context);
  if (machine->halted) {
    return;
  }
  kit_vend_tick(machine);
  kit_tell_door(machine);
  if (now_ms >= machine->restart_at_ms && !machine->running.open) {
    kit_restart(machine, "another device has this boot's place");
    return;
  }
  if (machine->joining != KIT_NO_LINK && now_ms >= machine->welcome_by_ms) {
    const int link = machine->joining;
    port->hang_up(port->context, link);
    kit_machine_ended(machine, link, KIT_UNAVAILABLE, 0, "no Welcome came");
  }
  if (machine->active != KIT_NO_LINK && machine->heartbeat_ms > 0) {
    if (now_ms >= machine->heard_at_ms + SILENT_BEATS * machine->heartbeat_ms) {
      const int link = machine->active;
      port->hang_up(port->context, link);
      kit_machine_ended(machine, link, KIT_UNAVAILABLE, 0, "nothing was heard");
    } else if (now_ms >= machine->sent_at_ms + machine->heartbeat_ms) {
      machine->heartbeat_due = true;
    }
  }
  if (machine->joining != KIT_NO_LINK) {
    return;
  }
  if (machine->active == KIT_NO_LINK) {
    if (now_ms >= machine->dial_at_ms) {
      dial(machine);
    }
  } else if (now_ms >= machine->move_at_ms && !kit_machine_busy(machine)) {
    machine->move_at_ms = KIT_NEVER;
    dial(machine);
  }
}
