/* The command line. */
#ifndef POSIX_OPTIONS_H
#define POSIX_OPTIONS_H

#include "port.h"

struct options {
  const char *machine_id, *folder, *ca, *certificate, *key;
  char authority[128], host[112];
  const char *port;
  int die_at;           /* a step of enum kit_step, or -1 */
  unsigned die_one_in;  /* at each step the power fails once in so many; 0: never */
  unsigned seed;        /* of that chance */
};

/* NULL, or a sentence that says what is wrong. */
const char *options_read(struct options *options, int count, char **arguments);
/* Whether the power fails at this step. */
bool options_die_now(struct options *options, enum kit_step step);

#endif
