/* What the portable core wants of the board, and nothing else.
 *
 * Replace these functions and the core runs: it calls no operating system, allocates nothing and
 * keeps no time of its own. All of them are called from one thread, and none may call the core.
 */
#ifndef KIT_PORT_H
#define KIT_PORT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A line to the gateway: 0 or 1. Two exist only while the machine moves to another gateway. */
enum { KIT_LINKS = 2 };

/* What the screen is told. */
enum kit_news {
  KIT_NEWS_WELCOME,       /* text: the currency */
  KIT_NEWS_OFFLINE,       /* text: why */
  KIT_NEWS_SERVICE,       /* text: the machine's code; amount: 1 if it may sell */
  KIT_NEWS_PLANOGRAM,     /* amount: how many columns */
  KIT_NEWS_SESSION,       /* text: session_id; amount: the funds */
  KIT_NEWS_SESSION_ENDED, /* text: session_id; amount: what goes back */
  KIT_NEWS_ASKED,         /* text: request_id; amount: the price */
  KIT_NEWS_PAY,           /* text: what to show as a QR code; amount: what is to be paid */
  KIT_NEWS_VENDING,       /* text: vend_id */
  KIT_NEWS_SOLD,          /* text: vend_id */
  KIT_NEWS_FAILED,        /* text: vend_id; amount: the cause */
  KIT_NEWS_DENIED,        /* text: request_id; amount: the reason */
  KIT_NEWS_REFUSED,       /* text: what the backend did not like about a frame; amount: the code */
  KIT_NEWS_CALL_A_PERSON, /* text: what a technician has to know */
};

/* Where the power may fail. A test cuts it there; a board leaves `step` empty. */
enum kit_step {
  KIT_STEP_ASKED,    /* VendRequest was handed to the stream */
  KIT_STEP_APPROVED, /* VendApproved came, nothing is written */
  KIT_STEP_ACCEPTED, /* ACCEPTED is on flash */
  KIT_STEP_MOTOR_ON, /* MOTOR_ON is on flash, the motor is off */
  KIT_STEP_TURNED,   /* the motor turns, nothing fell (said by the port) */
  KIT_STEP_DROPPED,  /* goods fell, no result is written (said by the port) */
  KIT_STEP_RESULT,   /* the result is on flash, not said */
  KIT_STEP_SAID,     /* the result was handed to the stream */
  KIT_STEPS,
};

struct kit_port {
  void *context;

  /* Milliseconds of a clock that never jumps and never stands still. */
  uint64_t (*now_ms)(void *context);
  /* 32 random bits. From a true source: they are all that a new boot_id has of its own. */
  uint32_t (*random)(void *context);

  /* Two areas of flash, 0 and 1, each at least KIT_AREA_BYTES long. `append` writes behind what is
   * there; `sync` returns when all of it would survive a power cut. False: the flash is worn. */
  size_t (*store_size)(void *context, int area);
  bool (*store_read)(void *context, int area, size_t at, void *to, size_t size);
  bool (*store_append)(void *context, int area, const void *from, size_t size);
  bool (*store_sync)(void *context, int area);
  bool (*store_erase)(void *context, int area);

  /* Begin to turn a column's motor, once; say kit_machine_motor_stopped when it is at rest. */
  void (*motor_start)(void *context, const char *column, const char *vend_id);

  /* Open a connection and a call on this line; frames are then fetched by kit_machine_pull.
   * How it ends, at once or later, is told by kit_machine_ended after this call has returned. */
  void (*dial)(void *context, int link);
  /* End it now. Nothing more is told of this line until it is dialled again. */
  void (*hang_up)(void *context, int link);

  /* Restart the firmware, under a new boot_id, after this call has returned. */
  void (*restart)(void *context, const char *why);
  void (*tell)(void *context, enum kit_news news, const char *text, int64_t amount);
  void (*step)(void *context, enum kit_step step);
};

#endif
