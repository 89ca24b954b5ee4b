/* What people are told of a tunnel (tunnel_state.h). */
#include <stdarg.h>
#include <stdio.h>

#include "tunnel_state.h"

typedef void console_fn(struct console *console, const char *format, ...);

/* Where there are several tunnels, with the label in front. */
static void tell(const struct tunnel *tunnel, console_fn *say_to, const char *format, va_list arguments) {
    char text[4096];
    const char *label = tunnel->settings.label;
    vsnprintf(text, sizeof(text), format, arguments);
    say_to(tunnel->settings.console, "%s%s%s", label ? label : "", label ? ": " : "", text);
}

void tunnel_say(const struct tunnel *tunnel, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    tell(tunnel, console_line, format, arguments);
    va_end(arguments);
}

void tunnel_complain(const struct tunnel *tunnel, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    tell(tunnel, console_error, format, arguments);
    va_end(arguments);
}

void tunnel_show_state(const struct tunnel *tunnel, enum board_state state, const char *why) {
    const struct console_tunnel shown = {.key = tunnel,
                                         .label = tunnel->settings.label,
                                         .state = state,
                                         .service = tunnel->settings.service,
                                         .gateway = tunnel->settings.endpoint->authority,
                                         .url = tunnel->url,
                                         .path_url = tunnel->path_url,
                                         .share_url = tunnel->share.url,
                                         .share_until_s = tunnel->share.expires_s,
                                         .why = why,
                                         .is_new_url = tunnel->is_new_url,
                                         .latency_ms = tunnel->latency_ms};
    console_tunnel(tunnel->settings.console, &shown);
}
