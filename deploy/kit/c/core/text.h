/* Bounded texts: what does not fit is cut, and every text ends in a zero. */
#ifndef KIT_TEXT_H
#define KIT_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Longest texts of the protocol, without the ending zero. */
enum { KIT_ID_MAX = 64, KIT_COLUMN_MAX = 16, KIT_TOKEN_MAX = 32, KIT_MACHINE_MAX = 32 };

/* Copy `from` into `to`, which has room for `size` bytes. */
void kit_copy(char *to, size_t size, const char *from);
bool kit_same(const char *one, const char *other);
/* Append a number in decimal or hexadecimal digits. */
void kit_append_number(char *to, size_t size, uint32_t number, unsigned base);
void kit_append(char *to, size_t size, const char *from);
/* Four bytes that stand for a text (FNV-1a); never 0. */
uint32_t kit_hash(const char *text);

#endif
