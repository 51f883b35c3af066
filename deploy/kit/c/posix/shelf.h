/* A pretend shelf: what really turned and dropped, in a file of its own beside the machine's flash,
 * in the form that the reference machine's shelf has.
 */
#ifndef POSIX_SHELF_H
#define POSIX_SHELF_H

#include <stdbool.h>

/* Open `shelf.log` in a folder. False, with errno. */
bool shelf_open(const char *folder);
/* A motor turns, or an item falls, because of this vend. Synced. */
void shelf_note(const char *act, const char *column, const char *vend_id);

#endif
