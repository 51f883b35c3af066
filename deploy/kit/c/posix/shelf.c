#include "shelf.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int file = -1;

bool shelf_open(const char *folder) {
  const int directory = open(folder, O_RDONLY);
  if (directory < 0) {
    return false;
  }
  file = openat(directory, "shelf.log", O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
  (void)close(directory);
  return file >= 0;
}

void shelf_note(const char *act, const char *column, const char *vend_id) {
  char line[192];
  const int size =
      snprintf(line, sizeof line, "{\"act\": \"%s\", \"column\": \"%s\", \"cause\": \"%s\", \"items\": 0}\n",
               act, column, vend_id);
  /* A shelf that forgets would make any test pass. */
  if (size < 0 || (size_t)size >= sizeof line || write(file, line, (size_t)size) != size ||
      fsync(file) != 0) {
    perror("shelf.log");
    abort();
  }
}
