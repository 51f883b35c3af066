/* The machine on a POSIX computer: a pretend shelf, files for flash, buttons from stdin.
 *
 * Every line that it prints is one thing that the customer or the technician sees. What it is told:
 * select COLUMN, cancel, complete, cash COLUMN PRICE, door open, door closed, repair COLUMN, jam,
 * cut (the network), status, quit. The end of stdin is quit, too.
 */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "call.h"
#include "flash.h"
#include "machine.h"
#include "net.h"
#include "options.h"
#include "shelf.h"

enum { TICK_MS = 100, INPUT_MAX = 256, READ_BYTES = 1024, READS_MAX = 16, TURN_MS = 20 };

struct line {
  struct kit_call call;
  struct net net;
  bool open, failed;
  bool more; /* something stands to be read still */
  const uint8_t *unsent; /* what nghttp2 wants written, and how much of it is left */
  size_t unsent_size;
};

static struct kit_machine machine;
static struct line lines[KIT_LINKS];
static struct options options;
static bool doomed;      /* the power fails once what was said has left */
static bool jammed, over;
static int restarts;     /* wanted: 0 or 1 */
static uint64_t motor_until_ms;
static char motor_column[KIT_COLUMN_MAX + 1], motor_vend[KIT_ID_MAX + 1];

/* --- the port --- */

static uint64_t now_ms(void *context) {
  struct timespec now;
  (void)context;
  (void)clock_gettime(CLOCK_MONOTONIC, &now);
  return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

static uint32_t random32(void *context) {
  uint32_t number = 0;
  (void)context;
  FILE *source = fopen("/dev/urandom", "rb");
  if (source == NULL || fread(&number, sizeof number, 1, source) != 1) {
    perror("/dev/urandom");
    abort(); /* without it a boot_id might come back */
  }
  (void)fclose(source);
  return number;
}

static void power_cut(void) { (void)raise(SIGKILL); }

static void step(void *context, enum kit_step step) {
  (void)context;
  if (options_die_now(&options, step)) {
    if (step == KIT_STEP_ASKED || step == KIT_STEP_SAID) {
      doomed = true; /* the frame leaves first */
    } else {
      power_cut();
    }
  }
}

static void motor_start(void *context, const char *column, const char *vend_id) {
  (void)context;
  kit_copy(motor_column, sizeof motor_column, column);
  kit_copy(motor_vend, sizeof motor_vend, vend_id);
  motor_until_ms = now_ms(NULL) + TURN_MS;
  shelf_note("turn", column, vend_id);
  step(NULL, KIT_STEP_TURNED);
}

static void motor_tick(void) {
  if (motor_until_ms == 0 || now_ms(NULL) < motor_until_ms) {
    return;
  }
  motor_until_ms = 0;
  if (jammed) {
    kit_machine_motor_stopped(&machine, gateway_v1_MotorEvidence_MOTOR_EVIDENCE_JAMMED,
                              gateway_v1_DropEvidence_DROP_EVIDENCE_NOT_SEEN);
    return;
  }
  shelf_note("drop", motor_column, motor_vend);
  step(NULL, KIT_STEP_DROPPED);
  kit_machine_motor_stopped(&machine, gateway_v1_MotorEvidence_MOTOR_EVIDENCE_RAN,
                            gateway_v1_DropEvidence_DROP_EVIDENCE_SEEN);
}

static void tell(void *context, enum kit_news news, const char *text, int64_t amount) {
  static const char *const names[] = {"WELCOME", "OFFLINE",       "SERVICE", "PLANOGRAM", "SESSION",
                                      "SESSION_ENDED", "ASKED",   "PAY",     "VENDING",   "SOLD",
                                      "FAILED",  "DENIED",        "REFUSED", "CALL_A_PERSON"};
  (void)context;
  (void)printf("%s %lld %s\n", names[news], (long long)amount, text);
}

static void close_line(struct line *line) {
  if (line->call.session != NULL) {
    kit_call_end(&line->call);
  }
  if (line->net.socket >= 0) {
    net_close(&line->net);
  }
}

static void dial(void *context, int link) {
  struct line *line = &lines[link];
  (void)context;
  close_line(line);
  line->call.status = (struct kit_status){.code = KIT_UNAVAILABLE};
  line->open = true;
  line->more = false;
  line->unsent_size = 0;
  line->failed = !net_open(&line->net, options.host, options.port);
  if (!line->failed) {
    line->failed = !kit_call_begin(&line->call, options.authority, net_has_tls(), now_ms(NULL));
  }
}

static void hang_up(void *context, int link) {
  struct line *line = &lines[link];
  (void)context;
  line->open = false; /* closed by the loop: nghttp2 may be on the stack */
}

static void restart(void *context, const char *why) {
  (void)context;
  tell(NULL, KIT_NEWS_CALL_A_PERSON, why, 0);
  restarts = 1;
}

static const struct kit_port port = {
    .now_ms = now_ms, .random = random32, .store_size = flash_size, .store_read = flash_read,
    .store_append = flash_append, .store_sync = flash_sync, .store_erase = flash_erase,
    .motor_start = motor_start, .dial = dial, .hang_up = hang_up, .restart = restart,
    .tell = tell, .step = step};

/* --- the lines --- */

static size_t pull(void *context, uint8_t *to, size_t size) {
  const struct line *line = context;
  return line->open ? kit_machine_pull(&machine, (int)(line - lines), to, size) : 0;
}

static bool received(void *context, const uint8_t *bytes, size_t size) {
  const struct line *line = context;
  return line->open && kit_machine_received(&machine, (int)(line - lines), bytes, size);
}

/* Write what is to be written. False: the connection is gone. */
static bool flush(struct line *line) {
  for (;;) {
    if (line->unsent_size == 0) {
      const long size = kit_call_drain(&line->call, &line->unsent);
      if (size <= 0) {
        return size == 0;
      }
      line->unsent_size = (size_t)size;
    }
    const long written = net_write(&line->net, line->unsent, line->unsent_size);
    if (written <= 0) {
      return written == 0;
    }
    line->unsent += written;
    line->unsent_size -= (size_t)written;
  }
}

/* Read what stands there, but not for ever: a gateway that floods does not stop the motor. */
static bool read_some(struct line *line) {
  uint8_t bytes[READ_BYTES];
  line->more = false;
  for (int reads = 0; reads < READS_MAX; reads++) {
    const long size = net_read(&line->net, bytes, sizeof bytes);
    if (size <= 0) {
      return size == 0;
    }
    if (!kit_call_feed(&line->call, bytes, (size_t)size, now_ms(NULL)) || !line->open) {
      return false;
    }
  }
  line->more = true; /* TLS may hold some of it, of which poll knows nothing */
  return true;
}

static void serve(struct line *line) {
  if (line->open && !line->failed) {
    line->failed = !flush(line) || !read_some(line) || !flush(line) ||
                   !kit_call_tick(&line->call, now_ms(NULL));
  }
  if (doomed && line->unsent_size == 0) {
    power_cut();
  }
  if (line->open && line->failed) {
    const struct kit_status status = line->call.status;
    const char *why = status.reason[0] != '\0' ? status.reason : status.message;
    close_line(line);
    line->open = false;
    kit_machine_ended(&machine, (int)(line - lines), status.code, status.retry_after_ms,
                      why[0] != '\0' ? why : "the connection is gone");
  } else if (!line->open) {
    close_line(line);
  }
}

/* --- buttons --- */

static void say_status(void) {
  const size_t heaps[] = {lines[0].call.heap_most, lines[1].call.heap_most};
  (void)printf("STATUS boot=%s online=%d service=%d busy=%d session=%s open=%zu outbox=%zu "
               "heap=%zu machine=%zu line=%zu\n",
               machine.boot_id, machine.active != KIT_NO_LINK, machine.in_service,
               kit_machine_busy(&machine), machine.session_id, machine.journal.open_count,
               machine.outbox.count, heaps[0] > heaps[1] ? heaps[0] : heaps[1], sizeof machine,
               sizeof lines[0]);
}

static void press(char *text) {
  const char *word = strtok(text, " ");
  const char *first = strtok(NULL, " ");
  const char *second = strtok(NULL, " ");
  if (word == NULL) {
    return;
  }
  if (strcmp(word, "select") == 0 && first != NULL) {
    const char *reason = kit_machine_select(&machine, first);
    if (reason != NULL) {
      (void)printf("NOT_NOW 0 %s\n", reason);
    }
  } else if (strcmp(word, "cancel") == 0) {
    kit_machine_cancel(&machine);
  } else if (strcmp(word, "complete") == 0) {
    kit_machine_complete(&machine);
  } else if (strcmp(word, "cash") == 0 && second != NULL) {
    if (!kit_machine_cash_sold(&machine, first, strtoll(second, NULL, 10))) {
      (void)printf("NOT_NOW 0 too much is not told yet\n");
    }
  } else if (strcmp(word, "door") == 0 && first != NULL) {
    kit_machine_door(&machine, strcmp(first, "open") == 0);
  } else if (strcmp(word, "repair") == 0 && first != NULL) {
    jammed = false;
    kit_machine_repaired(&machine, first);
  } else if (strcmp(word, "jam") == 0) {
    jammed = true;
  } else if (strcmp(word, "cut") == 0) {
    for (int link = 0; link < KIT_LINKS; link++) {
      lines[link].failed = lines[link].open;
    }
  } else if (strcmp(word, "status") == 0) {
    say_status();
  } else if (strcmp(word, "quit") == 0) {
    over = true;
  } else {
    (void)printf("NOT_NOW 0 select, cancel, complete, cash, door, repair, jam, cut, status, quit\n");
  }
}

/* Take what stands on stdin, line by line. What is longer than a line may be is passed over. */
static void read_buttons(void) {
  static char text[INPUT_MAX];
  static size_t size;
  char bytes[INPUT_MAX];
  const ssize_t got = read(STDIN_FILENO, bytes, sizeof bytes);
  if (got == 0) {
    over = true;
  }
  for (ssize_t i = 0; i < got; i++) {
    if (bytes[i] == '\n') {
      text[size] = '\0';
      size = 0;
      press(text);
    } else if (size < sizeof text - 1) {
      text[size++] = bytes[i];
    }
  }
}

/* --- the loop --- */

static void wait_for_something(void) {
  struct pollfd wanted[KIT_LINKS + 1] = {{.fd = STDIN_FILENO, .events = POLLIN}};
  for (int link = 0; link < KIT_LINKS; link++) {
    struct line *line = &lines[link];
    wanted[link + 1].fd = line->open ? line->net.socket : -1;
    wanted[link + 1].events = POLLIN;
    if (line->net.connecting || line->net.wants_write || line->unsent_size > 0) {
      wanted[link + 1].events |= POLLOUT;
    }
    line->net.wants_write = false;
  }
  int timeout_ms = motor_until_ms != 0 ? TURN_MS : TICK_MS;
  for (int link = 0; link < KIT_LINKS; link++) {
    timeout_ms = lines[link].open && lines[link].more ? 0 : timeout_ms;
  }
  if (poll(wanted, KIT_LINKS + 1, timeout_ms) > 0 && wanted[0].revents != 0) {
    read_buttons();
  }
}

int main(int count, char **arguments) {
  const char *wrong = options_read(&options, count, arguments);
  if (wrong == NULL && options.ca != NULL) {
    wrong = net_use_tls(options.ca, options.certificate, options.key);
  }
  if (wrong != NULL) {
    (void)fprintf(stderr, "%s: %s\n", arguments[0], wrong);
    return 2;
  }
  if ((mkdir(options.folder, 0755) != 0 && errno != EEXIST) || !flash_open(options.folder) ||
      !shelf_open(options.folder)) {
    (void)fprintf(stderr, "%s: %s: %s\n", arguments[0], options.folder, strerror(errno));
    return 2;
  }
  (void)signal(SIGPIPE, SIG_IGN); /* a connection that is gone is told by write, also inside TLS */
  (void)setvbuf(stdout, NULL, _IOLBF, 0);
  for (int link = 0; link < KIT_LINKS; link++) {
    lines[link].net.socket = -1;
    lines[link].call = (struct kit_call){.context = &lines[link], .pull = pull,
                                         .received = received};
  }
  kit_machine_begin(&machine, &port, options.machine_id, "vendgate-kit-c 1.0");
  while (!over && restarts == 0) {
    wait_for_something();
    motor_tick();
    for (int link = 0; link < KIT_LINKS; link++) {
      serve(&lines[link]);
    }
    kit_machine_tick(&machine); /* behind what came: a fact counts before its deadline */
  }
  for (int link = 0; link < KIT_LINKS; link++) {
    close_line(&lines[link]);
  }
  if (restarts > 0 && !over) {
    (void)execv("/proc/self/exe", arguments);
    perror("restart");
    return 1;
  }
  return 0;
}
