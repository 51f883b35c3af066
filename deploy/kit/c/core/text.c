#include "text.h"

#include <string.h>

void kit_copy(char *to, size_t size, const char *from) {
  size_t length = 0;
  while (length + 1 < size && from[length] != '\0') {
    to[length] = from[length];
    length++;
  }
  to[length] = '\0';
}

bool kit_same(const char *one, const char *other) { return strcmp(one, other) == 0; }

void kit_append(char *to, size_t size, const char *from) {
  size_t length = strlen(to);
  if (length < size) {
    kit_copy(to + length, size - length, from);
  }
}

void kit_append_number(char *to, size_t size, uint32_t number, unsigned base) {
  char digits[11];
  size_t at = sizeof digits - 1;
  digits[at] = '\0';
  do {
    digits[--at] = "0123456789abcdef"[number % base];
    number /= base;
  } while (number != 0 && at > 0);
  kit_append(to, size, digits + at);
}

uint32_t kit_hash(const char *text) {
  uint32_t hash = 2166136261u;
  for (; *text != '\0'; text++) {
    hash = (hash ^ (uint8_t)*text) * 16777619u;
  }
  return hash == 0 ? 1 : hash;
}
