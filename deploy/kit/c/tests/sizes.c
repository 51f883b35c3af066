/* How much RAM the machine takes, as the size of a symbol: `make sizes` reads it from the object
 * file, so that it is that of the board it was compiled for.
 */
#include "machine.h"

extern const char kit_size_of_machine[sizeof(struct kit_machine)];
const char kit_size_of_machine[sizeof(struct kit_machine)] = {1};
