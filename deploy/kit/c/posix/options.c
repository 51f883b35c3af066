#include "options.h"

#include <stdlib.h>
#include <string.h>

#include "text.h"

static const char *const STEPS[KIT_STEPS] = {"asked",  "approved", "accepted", "motor_on",
                                             "turned", "dropped",  "result",   "said"};
static const char USAGE[] =
    "--machine ID --state-dir FOLDER [--gateway HOST:PORT] [--ca FILE [--cert FILE --key FILE]] "
    "[--die-at asked|approved|accepted|motor_on|turned|dropped|result|said] "
    "[--die-one-in NUMBER --seed NUMBER]";

static bool take(struct options *options, const char *name, const char *value) {
  if (strcmp(name, "--machine") == 0) {
    options->machine_id = value;
  } else if (strcmp(name, "--state-dir") == 0) {
    options->folder = value;
  } else if (strcmp(name, "--gateway") == 0) {
    kit_copy(options->authority, sizeof options->authority, value);
  } else if (strcmp(name, "--ca") == 0) {
    options->ca = value;
  } else if (strcmp(name, "--cert") == 0) {
    options->certificate = value;
  } else if (strcmp(name, "--key") == 0) {
    options->key = value;
  } else if (strcmp(name, "--die-one-in") == 0) {
    options->die_one_in = (unsigned)strtoul(value, NULL, 10);
  } else if (strcmp(name, "--seed") == 0) {
    options->seed = (unsigned)strtoul(value, NULL, 10);
  } else if (strcmp(name, "--die-at") == 0) {
    for (int step = 0; step < KIT_STEPS; step++) {
      if (strcmp(value, STEPS[step]) == 0) {
        options->die_at = step;
      }
    }
    return options->die_at >= 0;
  } else {
    return false;
  }
  return true;
}

const char *options_read(struct options *options, int count, char **arguments) {
  *options = (struct options){.die_at = -1};
  kit_copy(options->authority, sizeof options->authority, "127.0.0.1:7443");
  for (int i = 1; i < count; i += 2) {
    if (i + 1 == count || !take(options, arguments[i], arguments[i + 1])) {
      return USAGE;
    }
  }
  if (options->machine_id == NULL || options->folder == NULL ||
      strlen(options->machine_id) > KIT_MACHINE_MAX) {
    return USAGE;
  }
  kit_copy(options->host, sizeof options->host, options->authority);
  char *colon = strrchr(options->host, ':');
  if (colon == NULL) {
    return "--gateway: HOST:PORT is wanted";
  }
  *colon = '\0';
  options->port = colon + 1;
  return NULL;
}

bool options_die_now(struct options *options, enum kit_step step) {
  if ((int)step == options->die_at) {
    return true;
  }
  if (options->die_one_in == 0) {
    return false;
  }
  options->seed = options->seed * 1664525u + 1013904223u;
  return (options->seed >> 8) % options->die_one_in == 0;
}
