/* The core alone, on a board that is only memory: every cut of the power, every byte a piece.
 *
 * Run by `make check`. It prints what does not hold and ends with 1, or "all hold".
 */
#include <pb_decode.h>
#include <pb_encode.h>
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "machine.h"

/* --- the board --- */

static struct {
  uint64_t now_ms;
  uint32_t random;
  uint8_t flash[2][KIT_AREA_BYTES];
  size_t size[2];
  long writes_left; /* the power fails in the middle of the write after so many; -1: never */
  bool worn;
  unsigned turns, restarts, dials, denied, sold;
  int hung_up;
  uint64_t slow_flash_ms; /* how long a sync takes */
  char turned[KIT_ID_MAX + 1];
  jmp_buf power_cut;
} board;

static struct kit_machine machine;
static int failures, held;

static void check(bool good, const char *what, int line) {
  held++;
  if (!good) {
    failures++;
    (void)printf("tries.c:%d: does not hold: %s\n", line, what);
  }
}
#define HOLDS(condition) check(condition, #condition, __LINE__)

static uint64_t now_ms(void *context) { return (void)context, board.now_ms; }

static uint32_t random32(void *context) {
  (void)context;
  board.random = board.random * 1664525u + 1013904223u;
  return board.random ^ board.random >> 16;
}

static size_t store_size(void *context, int area) { return (void)context, board.size[area]; }

static bool store_read(void *context, int area, size_t at, void *to, size_t size) {
  (void)context;
  memcpy(to, board.flash[area] + at, size);
  return true;
}

static bool store_append(void *context, int area, const void *from, size_t size) {
  (void)context;
  if (board.worn || board.size[area] + size > KIT_AREA_BYTES) {
    return false;
  }
  const bool cut = board.writes_left == 0;
  const size_t written = cut ? random32(NULL) % (size + 1) : size;
  memcpy(board.flash[area] + board.size[area], from, written);
  board.size[area] += written;
  if (cut) {
    longjmp(board.power_cut, 1);
  }
  board.writes_left -= board.writes_left > 0;
  return true;
}

static bool store_sync(void *context, int area) {
  (void)context, (void)area;
  board.now_ms += board.slow_flash_ms;
  return !board.worn;
}

static bool store_erase(void *context, int area) {
  (void)context;
  if (board.writes_left == 0) {
    longjmp(board.power_cut, 1);
  }
  board.writes_left -= board.writes_left > 0;
  board.size[area] = 0;
  return !board.worn;
}

static void motor_start(void *context, const char *column, const char *vend_id) {
  (void)context, (void)column;
  board.turns++;
  kit_copy(board.turned, sizeof board.turned, vend_id);
}

static void dial(void *context, int link) { (void)context, (void)link, board.dials++; }
static void hang_up(void *context, int link) { (void)context, board.hung_up = link; }
static void restart(void *context, const char *why) { (void)context, (void)why, board.restarts++; }
static void step(void *context, enum kit_step at) { (void)context, (void)at; }

static void tell(void *context, enum kit_news news, const char *text, int64_t amount) {
  (void)context, (void)text, (void)amount;
  board.denied += news == KIT_NEWS_DENIED;
  board.sold += news == KIT_NEWS_SOLD;
}

static const struct kit_port port = {
    .now_ms = now_ms, .random = random32, .store_size = store_size, .store_read = store_read,
    .store_append = store_append, .store_sync = store_sync, .store_erase = store_erase,
    .motor_start = motor_start, .dial = dial, .hang_up = hang_up, .restart = restart,
    .tell = tell, .step = step};

/* --- the backend --- */

static struct {
  uint64_t seq, ack;
  size_t piece; /* bytes that come at once; 0: all */
  uint8_t said[4096];
  size_t said_size;
} backend;


static bool send(uint32_t tag, const pb_msgdesc_t *fields, const void *body) {
  static uint8_t bytes[16384];
  pb_ostream_t stream = pb_ostream_from_buffer(bytes + 5, sizeof bytes - 5);
  bool good = pb_encode_tag(&stream, PB_WT_VARINT, 1) && pb_encode_varint(&stream, ++backend.seq) &&
              pb_encode_tag(&stream, PB_WT_VARINT, 2) && pb_encode_varint(&stream, backend.ack);
  if (tag != 0) {
    good = good && pb_encode_tag(&stream, PB_WT_STRING, tag) &&
           pb_encode_submessage(&stream, fields, body);
  }
  if (!good) {
    abort();
  }
  const size_t size = stream.bytes_written + 5;
  bytes[0] = bytes[1] = bytes[2] = 0;
  bytes[3] = (uint8_t)(stream.bytes_written >> 8);
  bytes[4] = (uint8_t)stream.bytes_written;
  const size_t piece = backend.piece == 0 ? size : backend.piece;
  const int link = machine.active != KIT_NO_LINK && machine.joining == KIT_NO_LINK
                       ? machine.active
                       : machine.joining;
  for (size_t at = 0; at < size; at += piece) {
    if (!kit_machine_received(&machine, link, bytes + at, size - at < piece ? size - at : piece)) {
      return false;
    }
  }
  return true;
}

/* Take what the machine says on its newest line; return how many frames, and keep the last one. */
static unsigned hear(void) {
  unsigned frames = 0;
  for (int link = 0; link < KIT_LINKS; link++) {
    uint8_t bytes[KIT_FRAME_BYTES_MAX];
    size_t size;
    while ((size = kit_machine_pull(&machine, link, bytes, sizeof bytes)) > 0) {
      memcpy(backend.said, bytes, size);
      backend.said_size = size;
      frames++;
    }
  }
  return frames;
}

static void power_up(void) {
  kit_machine_begin(&machine, &port, "VM-1", "tries");
  board.now_ms += 2000;
  kit_machine_tick(&machine);
}

static void welcome_with(uint64_t last_seq, const char *token) {
  gateway_v1_Welcome body = {.heartbeat_interval_ms = 20000, .in_service = true,
                             .last_seq = last_seq, .mode = gateway_v1_Mode_MODE_SELECTION_FIRST,
                             .has_reconnect = true, .reconnect = {1000, 60000}};
  kit_copy(body.resume_token, sizeof body.resume_token, token);
  backend.seq = 0;
  HOLDS(machine.joining != KIT_NO_LINK);
  HOLDS(hear() == 1); /* Hello, and nothing else */
  HOLDS(send(gateway_v1_ConnectResponse_welcome_tag, gateway_v1_Welcome_fields, &body));
}

static void welcome(uint64_t last_seq) { welcome_with(last_seq, "token"); }

static void planogram(unsigned columns) {
  static gateway_v1_PlanogramUpdate body;
  memset(&body, 0, sizeof body);
  body.planogram_version = 7;
  for (unsigned i = 0; i < columns; i++) {
    gateway_v1_PlanogramColumn *column = &body.columns[body.columns_count++];
    (void)snprintf(column->column, sizeof column->column, "C%u", i);
    memset(column->product, 'x', sizeof column->product - 1);
    column->price_minor = 500 + i;
    column->stock = i;
  }
  HOLDS(send(gateway_v1_ConnectResponse_planogram_update_tag, gateway_v1_PlanogramUpdate_fields,
             &body));
}

static void approve(const char *vend_id, const char *request_id) {
  gateway_v1_VendApproved body = {.amount_minor = 500, .valid_for_ms = 1000};
  kit_copy(body.vend_id, sizeof body.vend_id, vend_id);
  kit_copy(body.request_id, sizeof body.request_id, request_id);
  kit_copy(body.column, sizeof body.column, "C0");
  HOLDS(send(gateway_v1_ConnectResponse_vend_approved_tag, gateway_v1_VendApproved_fields, &body));
}

static void dropped(void) {
  kit_machine_motor_stopped(&machine, gateway_v1_MotorEvidence_MOTOR_EVIDENCE_RAN,
                            gateway_v1_DropEvidence_DROP_EVIDENCE_SEEN);
}

static void acknowledge(void) {
  backend.ack = machine.outbox.last_seq;
  HOLDS(send(0, NULL, NULL));
}

static void new_board(void) {
  memset(&board, 0, sizeof board);
  memset(&backend, 0, sizeof backend);
  board.writes_left = -1;
  board.random = 1;
}

/* A new board that is welcome and has three columns. */
static void ready(void) {
  new_board();
  power_up();
  welcome(0);
  planogram(3);
  hear();
  acknowledge();
}

static uint8_t stage_of(const char *vend_id) {
  const struct kit_vend *line = kit_journal_find(&machine.journal, vend_id);
  return line == NULL ? 0 : line->stage;
}

static bool last_said_has(uint32_t tag) {
  return kit_outbox_has(&machine.outbox, tag, "v1");
}

enum { SUCCESS = gateway_v1_ConnectRequest_vend_success_tag,
       FAILURE = gateway_v1_ConnectRequest_vend_failure_tag };

/* --- a vend --- */

static void a_vend_turns_once(void) {
  ready();
  HOLDS(kit_machine_select(&machine, "C0") == NULL);
  HOLDS(kit_machine_select(&machine, "C1") != NULL); /* one at a time */
  approve("v1", machine.request.request_id);
  HOLDS(board.turns == 1 && stage_of("v1") == 2);
  approve("v1", machine.request.request_id); /* repeated while it runs */
  dropped();
  HOLDS(board.turns == 1 && board.sold == 1 && stage_of("v1") == 3);
  HOLDS(last_said_has(SUCCESS));
  approve("v1", machine.request.request_id); /* repeated before it is acknowledged */
  HOLDS(machine.outbox.last_seq == 3);
  acknowledge();
  HOLDS(machine.journal.open_count == 0);
  approve("v1", machine.request.request_id); /* and afterwards: said again, not done again */
  HOLDS(board.turns == 1 && last_said_has(SUCCESS));
}

static void nobody_waiting_nothing_moving(void) {
  ready();
  approve("v1", "never-asked");
  HOLDS(board.turns == 0 && stage_of("v1") == 4 && last_said_has(FAILURE));
  HOLDS(kit_machine_select(&machine, "C0") == NULL);
  kit_machine_cancel(&machine);
  approve("v2", machine.request.request_id); /* crossed with the cancel */
  HOLDS(board.turns == 0 && stage_of("v2") == 4);
}

static void an_id_of_another_request_is_no_answer(void) {
  ready();
  HOLDS(kit_machine_select(&machine, "C0") == NULL);
  approve("v1", machine.request.request_id);
  dropped();
  acknowledge();
  HOLDS(kit_machine_select(&machine, "C0") == NULL);
  approve("v1", machine.request.request_id);
  HOLDS(board.turns == 1 && last_said_has(FAILURE) && !last_said_has(SUCCESS));
  HOLDS(!machine.request.open);
}

static void an_approval_that_waited_for_the_flash_is_void(void) {
  ready();
  HOLDS(kit_machine_select(&machine, "C0") == NULL);
  board.slow_flash_ms = 600; /* twice is more than a second */
  approve("v1", machine.request.request_id);
  HOLDS(board.turns == 0 && stage_of("v1") == 4 && last_said_has(FAILURE));
}

static void worn_flash_turns_nothing(void) {
  ready();
  HOLDS(kit_machine_select(&machine, "C0") == NULL);
  board.worn = true;
  approve("v1", machine.request.request_id);
  HOLDS(board.turns == 0 && last_said_has(FAILURE));
  HOLDS(kit_machine_select(&machine, "C0") != NULL);
}

static void worn_flash_is_known_until_the_power_fails(void) {
  ready();
  board.worn = true;
  for (int stream = 0; stream < 2; stream++) {
    const char *const token = stream == 0 ? "second" : "third";
    kit_machine_ended(&machine, machine.active, KIT_UNAVAILABLE, 0, "");
    board.now_ms += 2000;
    kit_machine_tick(&machine);
    welcome_with(0, token);
    HOLDS(kit_same(machine.journal.token, token)); /* what the next Hello returns */
  }
}

static void patience_ends(void) {
  ready();
  HOLDS(kit_machine_select(&machine, "C0") == NULL);
  board.now_ms += KIT_RESPONSE_TIME_MS;
  kit_vend_tick(&machine);
  HOLDS(machine.request.given_up && board.denied == 0);
  board.now_ms += KIT_RESPONSE_TIME_MS;
  kit_vend_tick(&machine);
  HOLDS(!machine.request.open && board.denied == 1);
}

/* --- power cuts: at every write, torn anywhere --- */

/* Sell until the power fails; how far the motor went is on the board, and nowhere else. */
static void sell_for_ever(void) {
  for (unsigned i = 0;; i++) {
    char vend_id[16];
    (void)snprintf(vend_id, sizeof vend_id, "v%u", i);
    if (kit_machine_select(&machine, "C0") != NULL) {
      abort();
    }
    approve(vend_id, machine.request.request_id);
    dropped();
    hear();
    acknowledge();
  }
}

static void sell_until_the_cut(void) {
  if (setjmp(board.power_cut) == 0) {
    sell_for_ever();
  }
}

static void every_cut_leaves_an_honest_journal(void) {
  for (long cut = 0; cut < 3000; cut += cut < 60 ? 1 : 37) {
    ready();
    board.writes_left = cut;
    board.random = (uint32_t)cut * 7919u;
    char vend_id[KIT_ID_MAX + 1] = "";
    sell_until_the_cut();
    board.writes_left = -1;
    kit_copy(vend_id, sizeof vend_id, board.turned);
    const unsigned turns = board.turns;
    power_up();
    HOLDS(!machine.journal.lost);
    HOLDS(machine.journal.open_count <= 2);
    /* A motor that turned is known, whatever came after; and it never turns again. */
    HOLDS(turns == 0 || stage_of(vend_id) == 2 || stage_of(vend_id) == 3);
    welcome(0);
    approve(turns == 0 ? "v0" : vend_id, "whatever");
    HOLDS(board.turns == turns);
    /* And once more: what was torn does no harm later. */
    power_up();
    HOLDS(!machine.journal.lost && machine.journal.boots == 3);
  }
}

static void damage_is_a_loss_that_is_told_until_it_is_heard(void) {
  ready();
  HOLDS(kit_machine_select(&machine, "C0") == NULL);
  approve("v1", machine.request.request_id);
  dropped();
  const int area = machine.journal.area;
  board.flash[area][3] ^= 1;
  power_up();
  HOLDS(machine.journal.lost && stage_of("v1") == 3); /* what can be read still counts */
  power_up();
  HOLDS(machine.journal.lost);
  welcome(0);
  HOLDS(!machine.journal.lost && machine.journal.open_count == 0);
  power_up();
  HOLDS(!machine.journal.lost && stage_of("v1") == 3);
}

static void the_last_settled_outlive_the_turn_of_areas(void) {
  ready();
  const uint32_t generation = machine.journal.generation;
  for (unsigned i = 0; i < 600; i++) {
    char vend_id[16];
    (void)snprintf(vend_id, sizeof vend_id, "v%u", i);
    HOLDS(kit_machine_select(&machine, "C0") == NULL);
    approve(vend_id, machine.request.request_id);
    dropped();
    hear();
    acknowledge();
  }
  HOLDS(machine.journal.generation > generation + 1);
  power_up();
  HOLDS(machine.journal.settled_count == KIT_SETTLED_MAX && machine.journal.open_count == 0);
  HOLDS(stage_of("v599") == 3 && stage_of("v344") == 3 && stage_of("v343") == 0);
  HOLDS(kit_same(machine.journal.token, "token"));
}

static const gateway_v1_Hello *last_hello(void) {
  static gateway_v1_Hello hello;
  pb_istream_t stream = pb_istream_from_buffer(backend.said + 5, backend.said_size - 5);
  pb_istream_t body;
  pb_wire_type_t wire;
  uint32_t field = 0;
  bool over = false;
  HOLDS(pb_decode_tag(&stream, &wire, &field, &over) &&
        field == gateway_v1_ConnectRequest_hello_tag &&
        pb_make_string_substream(&stream, &body) &&
        pb_decode(&body, gateway_v1_Hello_fields, &hello));
  return &hello;
}

/* The line is cut while the motor turns: the vend is told, and stays open until its result is. */
static void a_vend_under_way_is_told_and_waited_for(void) {
  ready();
  HOLDS(kit_machine_select(&machine, "C0") == NULL);
  approve("v1", machine.request.request_id);
  hear();
  kit_machine_ended(&machine, machine.active, KIT_UNAVAILABLE, 0, "");
  board.now_ms += 60000;
  kit_machine_tick(&machine);
  welcome(2);
  HOLDS(last_hello()->journal_tail_count == 1 && !last_hello()->journal_lost);
  HOLDS(last_hello()->journal_tail[0].stage == 2 && last_hello()->last_acked_seq == 1);
  HOLDS(kit_same(last_hello()->resume_token, "token"));
  HOLDS(machine.journal.open_count == 1 && machine.running.open);
  dropped();
  HOLDS(hear() == 1 && last_said_has(SUCCESS));
}

static void nothing_is_obeyed_before_welcome(void) {
  new_board();
  power_up();
  approve("v1", "whatever");
  HOLDS(stage_of("v1") == 0 && machine.outbox.count == 1);
}

/* --- frames --- */

static void a_long_planogram_comes_in_pieces(void) {
  for (size_t piece = 1; piece < 4096; piece = piece * 2 + 1) {
    ready();
    backend.piece = piece;
    planogram(128);
    HOLDS(machine.planogram.shown.count == 128 && machine.planogram.shown.version == 7);
    HOLDS(machine.planogram.shown.columns[127].price_minor == 627);
    HOLDS(strlen(machine.planogram.shown.columns[5].product) == KIT_PRODUCT_SHOWN);
    HOLDS(kit_machine_select(&machine, "C127") == NULL);
  }
}

static void what_is_not_known_is_acknowledged(void) {
  ready();
  static uint8_t bytes[5 + 60000] = {0, 0, (60000 >> 8) & 0xff, 60000 & 0xff, 0};
  const uint8_t head[] = {0x08, 0x63, 0x10, 0x01, 0xfa, 0x3f, 0xd7, 0xd4, 0x03};
  bytes[1] = 0;
  bytes[2] = 0;
  bytes[3] = (uint8_t)(60000 >> 8);
  bytes[4] = (uint8_t)(60000 & 0xff);
  memcpy(bytes + 5, head, sizeof head); /* seq 99, ack 1, field 1023 with 59 991 bytes */
  HOLDS(kit_machine_received(&machine, machine.active, bytes, sizeof bytes));
  HOLDS(machine.handled_seq == 99 && machine.heartbeat_due);
  HOLDS(hear() == 1);
}

static void nonsense_hangs_up(void) {
  for (uint32_t seed = 1; seed < 4000; seed++) {
    ready();
    board.random = seed;
    uint8_t bytes[64];
    for (size_t i = 0; i < sizeof bytes; i++) {
      bytes[i] = (uint8_t)random32(NULL);
    }
    if (seed % 2 == 0) { /* a good prefix, and then anything */
      memcpy(bytes, (const uint8_t[]){0, 0, 0, 0, 59}, 5);
    }
    board.hung_up = KIT_NO_LINK;
    const bool good = kit_machine_received(&machine, machine.active, bytes, sizeof bytes);
    HOLDS(good == (board.hung_up == KIT_NO_LINK));
    HOLDS(board.turns == 0);
  }
}

/* --- numbers --- */

static void coins_without_a_line_all_arrive(void) {
  ready();
  kit_machine_ended(&machine, machine.active, KIT_UNAVAILABLE, 0, "");
  unsigned taken = 0;
  while (kit_machine_cash_sold(&machine, "C0", 500)) {
    taken++;
  }
  HOLDS(taken == KIT_FRAMES_MAX - KIT_FRAMES_KEPT_FREE);
  board.now_ms += 60000;
  kit_machine_tick(&machine);
  backend.ack = 1;
  welcome(1);
  HOLDS(hear() == KIT_NUMBERED_MAX);
  acknowledge();
  HOLDS(hear() == taken - KIT_NUMBERED_MAX);
  acknowledge();
  HOLDS(machine.outbox.count == 0 && machine.outbox.acked_seq == 1 + taken);
}

static void a_door_that_flaps_is_told_as_it_is(void) {
  ready();
  kit_machine_ended(&machine, machine.active, KIT_UNAVAILABLE, 0, "");
  for (int i = 0; i < 101; i++) {
    kit_machine_door(&machine, i % 2 == 0);
  }
  HOLDS(machine.outbox.count == KIT_FRAMES_MAX - KIT_FRAMES_KEPT_FREE);
  board.now_ms += 60000;
  kit_machine_tick(&machine);
  welcome(1);
  hear();
  acknowledge();
  kit_machine_tick(&machine);
  HOLDS(hear() > 0 && backend.said[5 + 4] == 0x6a); /* its last word is ReaderDisable */
  HOLDS(kit_machine_select(&machine, "C0") != NULL);
}

static void scold(gateway_v1_ProtocolErrorCode code, uint64_t seq, uint64_t expected) {
  const gateway_v1_ProtocolError body = {.code = code, .seq = seq, .expected_seq = expected};
  HOLDS(send(gateway_v1_ConnectResponse_protocol_error_tag, gateway_v1_ProtocolError_fields,
             &body));
}

static void gaps_are_sent_again_once(void) {
  ready();
  for (int i = 0; i < 4; i++) {
    HOLDS(kit_machine_cash_sold(&machine, "C0", 500));
  }
  HOLDS(hear() == 4); /* 2 to 5 */
  scold(gateway_v1_ProtocolErrorCode_PROTOCOL_ERROR_CODE_OUT_OF_ORDER, 4, 3);
  HOLDS(hear() == 3);
  scold(gateway_v1_ProtocolErrorCode_PROTOCOL_ERROR_CODE_OUT_OF_ORDER, 5, 3);
  HOLDS(hear() == 0); /* that one was on its way */
  scold(gateway_v1_ProtocolErrorCode_PROTOCOL_ERROR_CODE_BAD_FIELD, 4, 4); /* not used up */
  HOLDS(hear() == 1 && machine.outbox.last_seq == 4);
  scold(gateway_v1_ProtocolErrorCode_PROTOCOL_ERROR_CODE_OUT_OF_ORDER, 5, 1);
  HOLDS(board.restarts == 1);
}

static void a_refused_choice_is_over(void) {
  ready();
  HOLDS(kit_machine_select(&machine, "C0") == NULL);
  hear();
  backend.ack = 2; /* moves over the refused frame */
  scold(gateway_v1_ProtocolErrorCode_PROTOCOL_ERROR_CODE_BAD_FIELD, 2, 3);
  HOLDS(!machine.request.open && board.denied == 1 && machine.outbox.count == 0);
}

static void a_boot_that_is_known_restarts(void) {
  new_board();
  power_up();
  welcome(9);
  HOLDS(board.restarts == 1 && hear() == 0);
}

/* The motor turns when the boot turns out to be beyond repair: what fell is written down first. */
static void a_restart_waits_for_the_motor(void) {
  ready();
  HOLDS(kit_machine_select(&machine, "C0") == NULL);
  approve("v1", machine.request.request_id);
  scold(gateway_v1_ProtocolErrorCode_PROTOCOL_ERROR_CODE_SEQ_REUSED, 2, 2);
  HOLDS(board.turns == 1 && board.restarts == 0 && hear() == 0);
  dropped();
  HOLDS(board.restarts == 1 && stage_of("v1") == 3);
}

/* Nobody knows whether goods fell: the fault says of which vend, however long its name is. */
static void a_doubt_is_told_by_name(void) {
  static const char *const name =
      "v-sixty-four-bytes-are-the-bound-of-a-vend-id-0123456789-0123456";
  gateway_v1_Fault fault = gateway_v1_Fault_init_zero;
  char request_id[KIT_ID_MAX + 1];
  ready();
  HOLDS(strlen(name) == KIT_ID_MAX && kit_machine_select(&machine, "C0") == NULL);
  kit_copy(request_id, sizeof request_id, machine.request.request_id);
  approve(name, request_id);
  power_up();
  welcome(0);
  approve(name, request_id);
  const struct kit_outbox *outbox = &machine.outbox;
  const struct kit_frame *last =
      &outbox->frames[(outbox->first + outbox->count - 1) % KIT_FRAMES_MAX];
  pb_istream_t stream = pb_istream_from_buffer(last->body, last->size);
  HOLDS(last->tag == gateway_v1_ConnectRequest_fault_tag);
  HOLDS(pb_decode(&stream, gateway_v1_Fault_fields, &fault) && kit_same(fault.code, "EJM"));
  HOLDS(strstr(fault.detail, name) != NULL && board.turns == 1);
}

/* --- lines --- */

static void a_move_keeps_the_first_line_until_the_second_is_welcome(void) {
  ready();
  const int first = machine.active;
  const gateway_v1_MoveRequest move = {.not_before_ms = 100, .not_after_ms = 1000};
  HOLDS(send(gateway_v1_ConnectResponse_move_request_tag, gateway_v1_MoveRequest_fields, &move));
  HOLDS(kit_machine_select(&machine, "C0") == NULL);
  board.now_ms += 600;
  kit_machine_tick(&machine);
  HOLDS(machine.joining == KIT_NO_LINK); /* never while a request is open */
  kit_request_over(&machine, machine.request.request_id, 0);
  kit_machine_tick(&machine);
  HOLDS(machine.joining != KIT_NO_LINK && machine.active == first);
  kit_machine_ended(&machine, machine.joining, KIT_UNAVAILABLE, 0, "");
  HOLDS(machine.active == first && machine.move_at_ms != KIT_NEVER);
  board.now_ms += 60000;
  machine.heard_at_ms = board.now_ms;
  kit_machine_tick(&machine);
  board.hung_up = KIT_NO_LINK;
  hear();
  machine.hello_due = true;
  welcome(1);
  HOLDS(machine.active == 1 - first && board.hung_up == first);
}

static void waits_grow_and_are_reset_by_welcome_only(void) {
  new_board();
  power_up();
  uint64_t most = 0;
  for (int i = 0; i < 200; i++) {
    kit_machine_ended(&machine, machine.joining, KIT_UNAVAILABLE, 0, "");
    const uint64_t wait = machine.dial_at_ms - board.now_ms;
    most = wait > most ? wait : most;
    HOLDS(wait <= 60000);
    board.now_ms = machine.dial_at_ms;
    kit_machine_tick(&machine);
  }
  HOLDS(most > 30000 && machine.backoff.failures == 200);
  for (int i = 0; i < 4; i++) {
    kit_machine_ended(&machine, machine.joining, KIT_NOT_FOUND, 0, "");
    board.now_ms = machine.dial_at_ms;
    kit_machine_tick(&machine);
  }
  kit_machine_ended(&machine, machine.joining, KIT_NOT_FOUND, 0, "");
  HOLDS(machine.dial_at_ms == KIT_NEVER); /* a person's turn */
}

static void a_silent_line_is_left(void) {
  ready();
  board.now_ms += 20000;
  kit_machine_tick(&machine);
  HOLDS(hear() == 1);
  board.now_ms += 40000;
  kit_machine_tick(&machine);
  HOLDS(machine.active == KIT_NO_LINK);
}

static void a_boot_whose_place_was_taken_does_not_come_back(void) {
  ready();
  kit_machine_ended(&machine, machine.active, KIT_ABORTED, 0, "BOOT_SUPERSEDED");
  HOLDS(machine.dial_at_ms == KIT_NEVER);
  board.now_ms += 60001;
  kit_machine_tick(&machine);
  HOLDS(board.restarts == 1);
}

int main(void) {
  a_vend_turns_once();
  nobody_waiting_nothing_moving();
  an_id_of_another_request_is_no_answer();
  an_approval_that_waited_for_the_flash_is_void();
  worn_flash_turns_nothing();
  worn_flash_is_known_until_the_power_fails();
  patience_ends();
  every_cut_leaves_an_honest_journal();
  the_last_settled_outlive_the_turn_of_areas();
  a_vend_under_way_is_told_and_waited_for();
  nothing_is_obeyed_before_welcome();
  damage_is_a_loss_that_is_told_until_it_is_heard();
  a_long_planogram_comes_in_pieces();
  what_is_not_known_is_acknowledged();
  nonsense_hangs_up();
  coins_without_a_line_all_arrive();
  a_door_that_flaps_is_told_as_it_is();
  gaps_are_sent_again_once();
  a_refused_choice_is_over();
  a_boot_that_is_known_restarts();
  a_restart_waits_for_the_motor();
  a_doubt_is_told_by_name();
  a_move_keeps_the_first_line_until_the_second_is_welcome();
  waits_grow_and_are_reset_by_welcome_only();
  a_silent_line_is_left();
  a_boot_whose_place_was_taken_does_not_come_back();
  (void)printf(failures == 0 ? "%d checks: all hold\n" : "%d checks\n", held);
  return failures == 0 ? 0 : 1;
}
