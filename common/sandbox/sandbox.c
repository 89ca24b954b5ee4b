/* See sandbox.h. */
#include "sandbox/sandbox.h"

#include <stdio.h>
#include <string.h>

bool sandbox_parse(const char *how, bool *ret_wanted) {
    *ret_wanted = !how || strcmp(how, "auto") == 0;
    return *ret_wanted || strcmp(how, "off") == 0;
}

void sandbox_print(const struct sandbox *sandbox, char text[SANDBOX_TEXT_MAX]) {
    bool any = sandbox->calls || sandbox->files || sandbox->memory;
    snprintf(text, SANDBOX_TEXT_MAX, "%s%s%s%s", any ? "given up:" : "nothing given up",
             sandbox->calls ? " system calls it does not need;" : "",
             sandbox->files ? " writing files outside its own folders;" : "",
             sandbox->memory ? " core dumps;" : "");
    size_t len = strlen(text);
    if (text[len - 1] == ';') text[len - 1] = '\0';
}
