#include "worker/exit_codes.h"

enum exit_code exit_codes_of(const struct error *err)
{
    switch (err->class) {
    case ERROR_NONE:
    case ERROR_STOPPED:
        return EXIT_CODE_OK;
    case ERROR_CONFIG:
        return EXIT_CODE_CONFIG;
    case ERROR_BUG:
        return EXIT_CODE_BUG;
    case ERROR_RETRY:
    case ERROR_RECONNECT:
    case ERROR_WAIT:
    case ERROR_STEP_DOWN:
    case ERROR_HALT:
        break;
    }
    return EXIT_CODE_HALTED;
}
