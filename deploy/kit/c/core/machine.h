/* The machine: facts in, calls of the port out. It holds every rule of docs/firmware.md.
 *
 * Facts are the functions below; call them from one thread, then kit_machine_pull for each line
 * until it gives nothing, and kit_machine_tick at least four times a second. About 100 KB, static.
 */
#ifndef KIT_MACHINE_H
#define KIT_MACHINE_H

#include "backoff.h"
#include "frame_reader.h"
#include "journal.h"
#include "outbox.h"

enum {
  KIT_RESPONSE_TIME_MS = 40000,
  KIT_WELCOME_WITHIN_MS = 40000,
  KIT_FRAME_BYTES_MAX = 2900, /* the longest frame that a machine says: a Hello with 32 lines */
  KIT_DETAIL_MAX = 96, /* of a Fault: some words and a vend_id, within KIT_BODY_MAX */
  KIT_NO_LINK = -1
};

/* The choice that waits for an answer. */
struct kit_request {
  bool open, given_up;
  char request_id[KIT_ID_MAX + 1];
  char column[KIT_COLUMN_MAX + 1];
  uint64_t since_ms; /* of asking, then of giving up */
};

/* The vend that is carried out. */
struct kit_running {
  bool open, turning;
  char vend_id[KIT_ID_MAX + 1];
  char column[KIT_COLUMN_MAX + 1];
  uint32_t request_hash;
  uint64_t void_from_ms;
};

struct kit_machine {
  const struct kit_port *port;
  char machine_id[KIT_MACHINE_MAX + 1];
  char boot_id[KIT_ID_MAX + 1];
  char firmware[KIT_ID_MAX + 1];
  struct kit_journal journal;
  struct kit_outbox outbox;
  struct kit_backoff backoff;
  struct kit_planogram planogram;
  struct kit_frame_reader readers[KIT_LINKS];

  /* The lines: the one that is welcome, and the one that is not yet. */
  int active, joining;
  bool hello_due, loss_was_told;
  uint64_t dial_at_ms, welcome_by_ms, move_at_ms, restart_at_ms;
  uint64_t sent_at_ms, heard_at_ms, heartbeat_ms;
  uint64_t handled_seq, told_ack, next_seq;
  uint64_t again_from, again_through; /* what was sent again by the backend's wish */
  bool heartbeat_due, halted;
  const char *restart_why; /* halted, and the motor turns: the board restarts when it is at rest */

  /* What the customer sees. */
  bool in_service, door_open, door_told;
  gateway_v1_Mode mode;
  char session_id[KIT_ID_MAX + 1]; /* empty: the machine is free */
  int64_t funds_minor;
  uint32_t requests;
  struct kit_request request;
  struct kit_running running;
};

/* Power-up: read the flash, begin a boot. `port` must outlive the machine. */
void kit_machine_begin(struct kit_machine *machine, const struct kit_port *port,
                       const char *machine_id, const char *firmware);

/* --- the front --- */

/* The customer chose a column. NULL, or why not, for the screen. */
const char *kit_machine_select(struct kit_machine *machine, const char *column);
/* The customer changed their mind, is finished, paid in coins; somebody moved the door. */
void kit_machine_cancel(struct kit_machine *machine);
void kit_machine_complete(struct kit_machine *machine);
bool kit_machine_cash_sold(struct kit_machine *machine, const char *column, int64_t price_minor);
void kit_machine_door(struct kit_machine *machine, bool open);
/* Somebody freed or refilled the column. */
void kit_machine_repaired(struct kit_machine *machine, const char *column);

/* --- the inside --- */

void kit_machine_motor_stopped(struct kit_machine *machine, gateway_v1_MotorEvidence motor,
                               gateway_v1_DropEvidence drop);
/* Whether a customer waits for an answer or for goods. */
bool kit_machine_busy(const struct kit_machine *machine);

/* --- the lines --- */

/* Write the next frame of a line into `to`, gRPC's five bytes before it. 0: nothing is to be said. */
size_t kit_machine_pull(struct kit_machine *machine, int link, uint8_t *to, size_t size);
/* Bytes came. False: they make no sense; the line was hung up. */
bool kit_machine_received(struct kit_machine *machine, int link, const uint8_t *bytes, size_t size);
/* A line ended by itself, with a status of gRPC, what RetryInfo asked for, and the reason that
 * ErrorInfo gave, or an own one. */
void kit_machine_ended(struct kit_machine *machine, int link, int status, uint32_t retry_after_ms,
                       const char *reason);
void kit_machine_tick(struct kit_machine *machine);

/* --- between the files of the core --- */

bool kit_say(struct kit_machine *machine, uint32_t tag, const char *id, const pb_msgdesc_t *fields,
             const void *body, bool result);
void kit_welcomed(struct kit_machine *machine, int link);
void kit_vend_approved(struct kit_machine *machine, const gateway_v1_VendApproved *approved);
void kit_vend_tick(struct kit_machine *machine);
void kit_tell_door(struct kit_machine *machine);
void kit_request_over(struct kit_machine *machine, const char *request_id, int64_t reason);
void kit_show_qr(struct kit_machine *machine, const gateway_v1_ShowQr *show);
void kit_restart(struct kit_machine *machine, const char *why);
void kit_acknowledge(struct kit_machine *machine, uint64_t seq);
void kit_fault(struct kit_machine *machine, const char *code, const char *detail,
               const char *column);

#endif
