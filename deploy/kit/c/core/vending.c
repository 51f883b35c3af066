/* One vend from the button to the result: what must never be wrong. The motor is ordered in one
 * place, behind a synced MOTOR_ON; a known vend_id never comes there.
 */
#include <string.h>

#include "machine.h"

enum { ACCEPTED = gateway_v1_JournalStage_JOURNAL_STAGE_ACCEPTED,
       MOTOR_ON = gateway_v1_JournalStage_JOURNAL_STAGE_MOTOR_ON,
       SUCCEEDED = gateway_v1_JournalStage_JOURNAL_STAGE_SUCCEEDED,
       FAILED = gateway_v1_JournalStage_JOURNAL_STAGE_FAILED,
       NOT_RUN = gateway_v1_MotorEvidence_MOTOR_EVIDENCE_NOT_RUN,
       NOT_SEEN = gateway_v1_DropEvidence_DROP_EVIDENCE_NOT_SEEN,
       NOT_WAITING = gateway_v1_VendFailureCause_VEND_FAILURE_CAUSE_NOT_WAITING,
       NOT_STARTED = gateway_v1_VendFailureCause_VEND_FAILURE_CAUSE_NOT_STARTED,
       EMPTY = gateway_v1_VendFailureCause_VEND_FAILURE_CAUSE_EMPTY,
       JAMMED = gateway_v1_VendFailureCause_VEND_FAILURE_CAUSE_JAMMED,
       NOTHING_DROPPED = gateway_v1_VendFailureCause_VEND_FAILURE_CAUSE_NOTHING_DROPPED };

/* --- the customer's choice --- */

static const char *why_not(struct kit_machine *machine, const char *column) {
  const struct kit_column *chosen = kit_planogram_find(&machine->planogram, column);
  if (machine->active == KIT_NO_LINK) {
    return "offline";
  }
  if (!machine->in_service || machine->journal.worn) {
    return "out of service";
  }
  if (machine->door_open) {
    return "the door is open";
  }
  if (kit_machine_busy(machine)) {
    return "busy";
  }
  if (chosen == NULL) {
    return "no such column";
  }
  if (chosen->blocked) {
    return "the column is blocked";
  }
  if (machine->mode == gateway_v1_Mode_MODE_AUTHORIZATION_FIRST &&
      machine->session_id[0] == '\0') {
    return "pay first";
  }
  /* A request brings up to three frames, and its vend a line of the tail. */
  if (machine->outbox.count > 24 || machine->journal.open_count >= KIT_TAIL_MAX) {
    return "too much is not told yet";
  }
  return NULL;
}

const char *kit_machine_select(struct kit_machine *machine, const char *column) {
  const char *reason = why_not(machine, column);
  if (reason != NULL) {
    return reason;
  }
  const struct kit_column *chosen = kit_planogram_find(&machine->planogram, column);
  struct kit_request *request = &machine->request;
  *request = (struct kit_request){.open = true,
                                  .since_ms = machine->port->now_ms(machine->port->context)};
  kit_copy(request->column, sizeof request->column, column);
  kit_copy(request->request_id, sizeof request->request_id, machine->boot_id);
  kit_append(request->request_id, sizeof request->request_id, "-r");
  kit_append_number(request->request_id, sizeof request->request_id, ++machine->requests, 10);
  gateway_v1_VendRequest body = {.price_minor = chosen->price_minor,
                                 .planogram_version = machine->planogram.shown.version};
  kit_copy(body.request_id, sizeof body.request_id, request->request_id);
  kit_copy(body.column, sizeof body.column, column);
  machine->port->tell(machine->port->context, KIT_NEWS_ASKED, request->request_id,
                      chosen->price_minor);
  if (!kit_say(machine, gateway_v1_ConnectRequest_vend_request_tag, request->request_id,
               gateway_v1_VendRequest_fields, &body, false)) {
    request->open = false;
    return "too much is not told yet";
  }
  return NULL;
}

static void say_cancel(struct kit_machine *machine, const char *request_id) {
  gateway_v1_VendCancel body = {0};
  kit_copy(body.request_id, sizeof body.request_id, request_id);
  kit_say(machine, gateway_v1_ConnectRequest_vend_cancel_tag, request_id,
          gateway_v1_VendCancel_fields, &body, true);
}

void kit_machine_cancel(struct kit_machine *machine) {
  struct kit_request *request = &machine->request;
  if (request->open && !request->given_up) {
    request->given_up = true;
    request->since_ms = machine->port->now_ms(machine->port->context);
    say_cancel(machine, request->request_id);
  }
}

void kit_vend_tick(struct kit_machine *machine) {
  const struct kit_request *request = &machine->request;
  if (!request->open ||
      machine->port->now_ms(machine->port->context) < request->since_ms + KIT_RESPONSE_TIME_MS) {
    return;
  }
  if (request->given_up) {
    kit_request_over(machine, request->request_id, 0);
  } else {
    kit_machine_cancel(machine);
  }
}

void kit_request_over(struct kit_machine *machine, const char *request_id, int64_t reason) {
  if (machine->request.open && kit_same(machine->request.request_id, request_id)) {
    machine->request.open = false;
    machine->port->tell(machine->port->context, KIT_NEWS_DENIED, machine->request.request_id,
                        reason);
  }
}

void kit_show_qr(struct kit_machine *machine, const gateway_v1_ShowQr *show) {
  const struct kit_request *request = &machine->request;
  if (!request->open || !kit_same(request->request_id, show->request_id)) {
    /* Of an earlier boot, or denied meanwhile: so the machine becomes free at once. */
    if (!kit_outbox_has(&machine->outbox, gateway_v1_ConnectRequest_vend_cancel_tag,
                        show->request_id)) {
      say_cancel(machine, show->request_id);
    }
  } else if (!request->given_up) {
    machine->port->tell(machine->port->context, KIT_NEWS_PAY, show->qr_payload,
                        show->amount_minor);
  }
}

/* --- results --- */

static bool result_waits(struct kit_machine *machine, const char *vend_id) {
  return kit_outbox_has(&machine->outbox, gateway_v1_ConnectRequest_vend_success_tag, vend_id) ||
         kit_outbox_has(&machine->outbox, gateway_v1_ConnectRequest_vend_failure_tag, vend_id);
}

static void report(struct kit_machine *machine, const struct kit_vend *line) {
  const gateway_v1_Evidence evidence = {.motor = (gateway_v1_MotorEvidence)line->motor,
                                        .drop = (gateway_v1_DropEvidence)line->drop};
  if (line->stage == SUCCEEDED) {
    gateway_v1_VendSuccess body = {.has_evidence = true, .evidence = evidence};
    kit_copy(body.vend_id, sizeof body.vend_id, line->vend_id);
    kit_say(machine, gateway_v1_ConnectRequest_vend_success_tag, line->vend_id,
            gateway_v1_VendSuccess_fields, &body, true);
  } else {
    gateway_v1_VendFailure body = {.cause = (gateway_v1_VendFailureCause)line->cause,
                                   .has_evidence = true, .evidence = evidence};
    kit_copy(body.vend_id, sizeof body.vend_id, line->vend_id);
    kit_say(machine, gateway_v1_ConnectRequest_vend_failure_tag, line->vend_id,
            gateway_v1_VendFailure_fields, &body, true);
  }
}

static struct kit_vend line_of(const struct kit_machine *machine, const char *vend_id,
                               uint32_t request_hash, uint8_t stage) {
  struct kit_vend line = {.request_hash = request_hash, .boot = machine->journal.boots,
                          .stage = stage};
  kit_copy(line.vend_id, sizeof line.vend_id, vend_id);
  return line;
}

static struct kit_vend not_run(const struct kit_machine *machine, const char *vend_id,
                               uint32_t request_hash, uint8_t cause) {
  struct kit_vend line = line_of(machine, vend_id, request_hash, FAILED);
  line.cause = cause;
  line.motor = NOT_RUN;
  line.drop = NOT_SEEN;
  return line;
}

/* Nothing turned and nothing will. A line that the flash did not take says nothing else than none:
 * "was never begun", so the failure may be told all the same. */
static void fail(struct kit_machine *machine, const struct kit_vend *line) {
  (void)kit_journal_vend(&machine->journal, *line);
  report(machine, line);
}

static void fail_running(struct kit_machine *machine) {
  const struct kit_vend line = not_run(machine, machine->running.vend_id,
                                       machine->running.request_hash, NOT_WAITING);
  machine->running.open = false;
  fail(machine, &line);
  machine->port->tell(machine->port->context, KIT_NEWS_FAILED, line.vend_id, line.cause);
}

/* --- approvals --- */

/* A known vend is approved again, for the request that it was approved for. Never turn the motor. */
static void repeat(struct kit_machine *machine, const struct kit_vend *known) {
  if (result_waits(machine, known->vend_id)) {
    return; /* it is sent from the outbox */
  }
  if (known->stage == SUCCEEDED || known->stage == FAILED) {
    report(machine, known);
  } else if (known->stage == ACCEPTED) {
    const struct kit_vend line = not_run(machine, known->vend_id, known->request_hash, NOT_STARTED);
    fail(machine, &line);
  } else {
    char detail[KIT_DETAIL_MAX + 1] = "power failed with the motor on: ";
    kit_append(detail, sizeof detail, known->vend_id);
    kit_fault(machine, "EJM", detail, "");
  }
}

/* The motor is ordered here and nowhere else. */
static void begin(struct kit_machine *machine) {
  const struct kit_port *port = machine->port;
  struct kit_running *vend = &machine->running;
  struct kit_vend line = line_of(machine, vend->vend_id, vend->request_hash, ACCEPTED);
  if (!kit_journal_vend(&machine->journal, line)) {
    fail_running(machine);
    return;
  }
  port->step(port->context, KIT_STEP_ACCEPTED);
  if (port->now_ms(port->context) >= vend->void_from_ms) {
    fail_running(machine);
    return;
  }
  line.stage = MOTOR_ON;
  if (!kit_journal_vend(&machine->journal, line) ||
      port->now_ms(port->context) >= vend->void_from_ms) {
    fail_running(machine);
    return;
  }
  port->step(port->context, KIT_STEP_MOTOR_ON);
  vend->turning = true;
  port->tell(port->context, KIT_NEWS_VENDING, vend->vend_id, 0);
  port->motor_start(port->context, vend->column, vend->vend_id);
}

void kit_vend_approved(struct kit_machine *machine, const gateway_v1_VendApproved *approved) {
  const struct kit_port *port = machine->port;
  const uint64_t now_ms = port->now_ms(port->context);
  const uint32_t hash = kit_hash(approved->request_id);
  const struct kit_vend *known = kit_journal_find(&machine->journal, approved->vend_id);
  struct kit_running *running = &machine->running;
  const bool runs = running->open && kit_same(running->vend_id, approved->vend_id);
  port->step(port->context, KIT_STEP_APPROVED);
  if (known != NULL && known->request_hash != 0 && known->request_hash != hash) {
    /* The backend forgot that it gave this id away: the old result answers nothing. */
    const struct kit_vend line = not_run(machine, approved->vend_id, hash, NOT_WAITING);
    if (runs) {
      report(machine, &line); /* only said: the line of the one whose motor turns must stay */
    } else {
      fail(machine, &line);
    }
    kit_request_over(machine, approved->request_id, 0);
    return;
  }
  if (runs) {
    return;
  }
  if (known != NULL) {
    repeat(machine, known);
    return;
  }
  const struct kit_request *request = &machine->request;
  if (running->open || !request->open || request->given_up ||
      !kit_same(request->request_id, approved->request_id) ||
      !kit_same(request->column, approved->column)) {
    const struct kit_vend line = not_run(machine, approved->vend_id, hash, NOT_WAITING);
    fail(machine, &line);
    return;
  }
  machine->request.open = false;
  *running = (struct kit_running){.open = true, .request_hash = hash,
                                  .void_from_ms = now_ms + approved->valid_for_ms};
  kit_copy(running->vend_id, sizeof running->vend_id, approved->vend_id);
  kit_copy(running->column, sizeof running->column, approved->column);
  begin(machine);
}

/* --- the sensors have spoken --- */

static uint8_t judge(gateway_v1_MotorEvidence motor, gateway_v1_DropEvidence drop) {
  if (drop == gateway_v1_DropEvidence_DROP_EVIDENCE_SEEN) {
    return 0;
  }
  if (motor == gateway_v1_MotorEvidence_MOTOR_EVIDENCE_RAN) {
    return drop == gateway_v1_DropEvidence_DROP_EVIDENCE_NOT_SEEN ? NOTHING_DROPPED : 0;
  }
  return motor == gateway_v1_MotorEvidence_MOTOR_EVIDENCE_NOT_RUN ? EMPTY : JAMMED;
}

static void tell_broken(struct kit_machine *machine, const char *column,
                        gateway_v1_MotorEvidence motor, uint8_t cause) {
  struct kit_column *broken = kit_planogram_find(&machine->planogram, column);
  const bool jammed = motor == gateway_v1_MotorEvidence_MOTOR_EVIDENCE_JAMMED;
  if (broken != NULL && (jammed || cause == EMPTY)) {
    broken->blocked = true;
  }
  if (jammed) {
    kit_fault(machine, "EJB", "motor jammed", column);
  } else if (cause == EMPTY) {
    kit_fault(machine, "ELB", "empty", column);
  } else if (cause == NOTHING_DROPPED) {
    kit_fault(machine, "ELA", "nothing dropped", column);
  }
}

void kit_machine_motor_stopped(struct kit_machine *machine, gateway_v1_MotorEvidence motor,
                               gateway_v1_DropEvidence drop) {
  const struct kit_port *port = machine->port;
  struct kit_running *vend = &machine->running;
  if (!vend->open || !vend->turning) {
    return;
  }
  struct kit_vend line = line_of(machine, vend->vend_id, vend->request_hash, SUCCEEDED);
  line.cause = judge(motor, drop);
  line.motor = (uint8_t)motor;
  line.drop = (uint8_t)drop;
  if (line.cause != 0) {
    line.stage = FAILED;
  }
  vend->open = vend->turning = false;
  /* What really happened is told even if the flash did not take it; nothing more is sold then. */
  (void)kit_journal_vend(&machine->journal, line);
  port->step(port->context, KIT_STEP_RESULT);
  report(machine, &line);
  tell_broken(machine, vend->column, motor, line.cause);
  port->tell(port->context, line.cause == 0 ? KIT_NEWS_SOLD : KIT_NEWS_FAILED, line.vend_id,
             line.cause);
  if (machine->restart_why != NULL) {
    port->restart(port->context, machine->restart_why); /* the next Hello tells the result */
  }
}
