/* cmocka wants these four in front of it. */
#ifndef CMOCKA_SETUP_H
#define CMOCKA_SETUP_H
/* clang-format off */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
/* clang-format on */
#endif
