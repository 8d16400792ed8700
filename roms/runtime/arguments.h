#ifndef TANDEM_ROMS_ARGUMENTS_H
#define TANDEM_ROMS_ARGUMENTS_H
/* The kernel command line (`--append "seed=7 rounds=1000"`), from /chosen/bootargs of the device
 * tree at the start of RAM. */
#include "runtime/runtime.h"

/* The number after `name` ("seed="), decimal or with 0x; `otherwise` if it is not there. */
u64 argument(const char *name, u64 otherwise);
#endif
