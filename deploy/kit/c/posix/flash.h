/* The two areas of flash as files, with fsync. */
#ifndef POSIX_FLASH_H
#define POSIX_FLASH_H

#include "port.h"

/* Open `journal.0` and `journal.1` in a folder that exists. False, with errno. */
bool flash_open(const char *folder);
size_t flash_size(void *context, int area);
bool flash_read(void *context, int area, size_t at, void *to, size_t size);
bool flash_append(void *context, int area, const void *from, size_t size);
bool flash_sync(void *context, int area);
bool flash_erase(void *context, int area);

#endif
