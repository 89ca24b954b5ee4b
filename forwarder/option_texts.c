/* See option_texts.h. */
#include "option_texts.h"

#include "base/escape.h"
#include "base/help.h"
#include "option_table.h"

static bool wants_file(const struct option_row *row) {
    return row->argument && (strcmp(row->argument, "FILE") == 0 || strcmp(row->argument, "PATH") == 0);
}

/* ---- --help ---- */

#define COLUMN 30 /* where what an option means begins */

static void help_option(FILE *out, const struct option_row *row) {
    char name[64], letter[5] = "    ", text[512];
    if (row->letter) snprintf(letter, sizeof(letter), "-%c, ", row->letter);
    snprintf(name, sizeof(name), "  %s--%s%s%s", letter, row->name, row->argument ? " " : "",
             row->argument ? row->argument : "");
    snprintf(text, sizeof(text), "%s%s%s%s", row->help, row->variable ? " [" : "",
             row->variable ? row->variable : "", row->variable ? "]" : "");
    help_put(out, name, COLUMN, text);
}

static void help_group(FILE *out, enum option_group group) {
    fprintf(out, "\n%s: %s\n", option_headings[group].name, option_headings[group].about);
    for (size_t i = 0; i < option_rows_count; i++)
        if (option_rows[i].group == group && option_is_flag(&option_rows[i]))
            help_option(out, &option_rows[i]);
}

static void help_all(FILE *out) {
    for (int group = 0; group < OPTION_GROUPS; group++) help_group(out, (enum option_group)group);
}

static void help_usual(FILE *out) {
    fputs("\nWhat is needed most:\n", out);
    for (size_t i = 0; i < option_rows_count; i++)
        if (option_rows[i].is_usual) help_option(out, &option_rows[i]);
    fputs("\nThere is more: ttf --help GROUP\n", out);
    for (int group = 0; group < OPTION_GROUPS; group++)
        help_put_topic(out, option_headings[group].name, option_headings[group].about);
    help_put_topic(out, HELP_ALL, "everything");
}

static void help_usage(FILE *out) {
    fputs("Usage: ttf [OPTIONS] [SERVICE]\n"
          "       ttf COMMAND [OPTIONS] [WORDS]\n\n"
          "Gives a local web service, or the files of a folder, a public URL, through a tunnel gateway.\n\n"
          "SERVICE is where it listens: a port, host:port, http(s)://host:port or unix:/path (default: "
          "3000);\nor the folder, as ./public or . (a name alone is a host's).\n"
          "Without one, the tunnels of ttf.yaml run, where there is such a file.\n"
          "Example: ttf 3000 --endpoint wss://tunnel.example.com\n\n"
          "Commands:\n",
          out);
    for (size_t i = 0; i < command_rows_count; i++) {
        char name[64];
        snprintf(name, sizeof(name), "  %s %s", command_rows[i].name, command_rows[i].arguments);
        help_put(out, name, COLUMN, command_rows[i].help);
    }
}

static const char *details_of(const char *command) {
    for (size_t i = 0; command && i < command_rows_count; i++)
        if (strcmp(command, command_rows[i].name) == 0) return command_rows[i].details;
    return NULL;
}

static int find_group(struct view topic) {
    int group = 0;
    while (group < OPTION_GROUPS && !help_is_topic(option_headings[group].name, topic)) group++;
    return group;
}

void options_help(FILE *out, const char *command, const char *topic) {
    const char *details = details_of(command);
    int group = topic ? find_group(view_from_cstr(topic)) : OPTION_GROUPS;
    if (details) {
        fprintf(out, "Usage: ttf %s [OPTIONS]\n\n%s\nttf --help all lists the options.\n", command, details);
    } else if (group < OPTION_GROUPS) {
        help_group(out, (enum option_group)group);
    } else {
        help_usage(out);
        if (topic && strcmp(topic, HELP_ALL) == 0)
            help_all(out);
        else
            help_usual(out);
        fputs("\nThe variables are also read from a .env file in the working directory, but for "
              "TTF_TOKEN_FILE,\nTTF_TOKEN_COMMAND and TTF_INSPECT.\n",
              out);
    }
}

/* ---- completions ---- */

static void bash_case(FILE *out, bool is_meant(const struct option_row *row), const char *then) {
    const char *between = "    ";
    for (size_t i = 0; i < option_rows_count; i++) {
        const struct option_row *row = &option_rows[i];
        if (!option_is_flag(row) || !is_meant(row)) continue;
        fprintf(out, "%s--%s", between, row->name);
        if (row->letter) fprintf(out, " | -%c", row->letter);
        between = " | ";
    }
    fprintf(out, ")\n        %s\n        return ;;\n", then);
}

static bool wants_other(const struct option_row *row) {
    return row->argument && !wants_file(row);
}

static void print_bash(FILE *out) {
    fputs("# bash completion for ttf\n"
          "_ttf() {\n"
          "    local word=${COMP_WORDS[COMP_CWORD]}\n"
          "    COMPREPLY=()\n"
          "    case ${COMP_WORDS[COMP_CWORD - 1]} in\n",
          out);
    bash_case(out, wants_file, "mapfile -t COMPREPLY < <(compgen -f -- \"$word\")");
    bash_case(out, wants_other, ":");
    fputs("    esac\n    if [[ $word == [./]* ]]; then\n        compopt -o filenames 2>/dev/null\n"
          "        mapfile -t COMPREPLY < <(compgen -d -- \"$word\")\n        return\n    fi\n    local "
          "words='",
          out);
    for (size_t i = 0; i < command_rows_count; i++) fprintf(out, "%s ", command_rows[i].name);
    fputs("'\n    [[ $word == -* ]] && words='", out);
    for (size_t i = 0; i < option_rows_count; i++)
        if (option_is_flag(&option_rows[i])) fprintf(out, "--%s ", option_rows[i].name);
    fputs("'\n    mapfile -t COMPREPLY < <(compgen -W \"$words\" -- \"$word\")\n}\ncomplete -F _ttf ttf\n",
          out);
}

static void print_zsh(FILE *out) {
    fputs("#compdef ttf\n_ttf_first() {\n    _alternative 'commands:command:((", out);
    for (size_t i = 0; i < command_rows_count; i++) {
        fprintf(out, "%s%s\\:\"", i ? " " : "", command_rows[i].name);
        escape_put_zsh(out, command_rows[i].help);
        fputs("\"", out);
    }
    fputs("))' 'folders:folder:_files -/'\n}\n_arguments -s \\\n", out);
    for (size_t i = 0; i < option_rows_count; i++) {
        const struct option_row *row = &option_rows[i];
        if (!option_is_flag(row)) continue;
        if (row->letter)
            fprintf(out, "    '(-%c --%s)'{-%c,--%s}'[", row->letter, row->name, row->letter, row->name);
        else
            fprintf(out, "    '--%s[", row->name);
        escape_put_zsh(out, row->help);
        fputs("]", out);
        if (row->argument) fprintf(out, ":%s:%s", row->argument, wants_file(row) ? "_files" : "");
        fputs("' \\\n", out);
    }
    fputs("    '1:command, service or folder:_ttf_first' \\\n    '*:word:'\n", out);
}

static void print_fish(FILE *out) {
    fputs("# fish completion for ttf\ncomplete -c ttf -f\n"
          "complete -c ttf -n __fish_use_subcommand -a '(__fish_complete_directories)'\n",
          out);
    for (size_t i = 0; i < command_rows_count; i++) {
        fprintf(out, "complete -c ttf -n __fish_use_subcommand -a %s -d ", command_rows[i].name);
        escape_put_fish(out, command_rows[i].help);
        fputc('\n', out);
    }
    for (size_t i = 0; i < option_rows_count; i++) {
        const struct option_row *row = &option_rows[i];
        if (!option_is_flag(row)) continue;
        fprintf(out, "complete -c ttf -l %s", row->name);
        if (row->letter) fprintf(out, " -s %c", row->letter);
        if (row->argument) fputs(wants_file(row) ? " -r -F -d " : " -x -d ", out);
        if (!row->argument) fputs(" -d ", out);
        escape_put_fish(out, row->help);
        fputc('\n', out);
    }
}

/* ---- man pages ---- */

static void man_setting(FILE *out, const struct option_row *row, bool as_flag) {
    fputs(".TP\n", out);
    if (as_flag && row->letter) fprintf(out, "\\fB\\-%c\\fR, ", row->letter);
    fputs(as_flag ? "\\fB\\-\\-" : "\\fB", out);
    escape_put_man(out, row->name);
    fprintf(out, "%s\\fR", as_flag ? "" : ":");
    if (row->argument) fprintf(out, " \\fI%s\\fR", row->argument);
    if (!row->argument && !as_flag) fputs(" \\fItrue\\fR|\\fIfalse\\fR", out);
    fputc('\n', out);
    escape_put_man(out, row->help);
    if (as_flag && row->variable) fprintf(out, " [\\fB%s\\fR]", row->variable);
    fputc('\n', out);
}

static void man_group(FILE *out, enum option_group group) {
    fprintf(out, ".SS %s\n", option_headings[group].name);
    for (size_t i = 0; i < option_rows_count; i++)
        if (option_rows[i].group == group && option_is_flag(&option_rows[i]))
            man_setting(out, &option_rows[i], true);
}

static void print_man(FILE *out) {
    fputs(
        ".TH TTF 1 \"\" \"ttf " TTF_VERSION
        "\"\n.ad l\n.SH NAME\nttf \\- gives a local web service, or a folder, a public URL\n"
        ".SH SYNOPSIS\n\\fBttf\\fR [\\fIOPTIONS\\fR] [\\fISERVICE\\fR]\n.br\n"
        "\\fBttf\\fR \\fICOMMAND\\fR [\\fIOPTIONS\\fR] [\\fIWORDS\\fR]\n.SH DESCRIPTION\n"
        "\\fISERVICE\\fR is where the service listens: a port, host:port, http(s)://host:port or unix:/path, "
        "or a folder whose files are to be served, as ./public; 3000 where none is said. Without one, the "
        "tunnels of \\fBttf.yaml\\fR(5) run, where there is such a "
        "file.\n.SH COMMANDS\n",
        out);
    for (size_t i = 0; i < command_rows_count; i++) {
        fprintf(out, ".TP\n\\fB%s\\fR %s\n", command_rows[i].name, command_rows[i].arguments);
        escape_put_man(out, command_rows[i].help);
        fputc('\n', out);
    }
    fputs(".SH OPTIONS\n", out);
    for (int group = 0; group < OPTION_GROUPS; group++) man_group(out, (enum option_group)group);
    fputs(".SH EXIT STATUS\n0: ended by a signal; or what was asked for is well. 1: no tunnel could be had, "
          "or it was "
          "lost for good. 2: what was said makes no sense.\n.SH SEE ALSO\n\\fBttf.yaml\\fR(5), "
          "\\fBttf\\-gateway\\fR(8)\n",
          out);
}

static void print_man_yaml(FILE *out) {
    fputs(".TH TTF.YAML 5 \"\" \"ttf " TTF_VERSION
          "\"\n.ad l\n.SH NAME\nttf.yaml \\- tunnels of ttf\n.SH DESCRIPTION\n"
          "One YAML mapping. \\fBttf\\fR(1) reads it in the working directory, or else in "
          "$XDG_CONFIG_HOME/ttf (~/.config/ttf). Below \\fBtunnels\\fR stands a section for each tunnel, "
          "under a name "
          "of your choice; or a service alone. Saved, it is read again.\n.SH AT THE TOP\n",
          out);
    for (size_t i = 0; i < option_rows_count; i++)
        if (option_rows[i].place == PLACE_FILE) man_setting(out, &option_rows[i], false);
    fputs(".SH IN THE SECTION OF A TUNNEL\n", out);
    for (size_t i = 0; i < option_rows_count; i++)
        if (option_is_of_tunnel(&option_rows[i])) man_setting(out, &option_rows[i], false);
    fputs(".SH EXAMPLE\n.nf\nendpoint: wss://tunnel.example.com\ntunnels:\n  web:\n    service: 3000\n"
          "    name: demo\n  api: https://localhost:8443\n.fi\n.SH SEE ALSO\n\\fBttf\\fR(1)\n",
          out);
}

/* ---- the schema ---- */

static void schema_setting(FILE *out, const char *indent, const struct option_row *row, bool is_first) {
    fprintf(out, "%s\n%s\"%s\": { \"description\": \"", is_first ? "" : ",", indent, row->name);
    escape_put(out, row->help, "\"\\", "\\");
    fputs("\", ", out);
    switch (row->kind) {
    case OPTION_FLAG: fputs("\"type\": \"boolean\" }", out); break;
    case OPTION_TEXT: fputs("\"type\": \"string\", \"minLength\": 1 }", out); break;
    case OPTION_SERVICE: fputs("\"type\": [\"string\", \"integer\"] }", out); break;
    case OPTION_NUMBER:
        fprintf(out, "\"type\": \"integer\", \"minimum\": %ld, \"maximum\": %ld }", row->min, row->max);
        break;
    }
}

static void print_schema(FILE *out) {
    fputs("{\n  \"$schema\": \"http://json-schema.org/draft-07/schema#\",\n  \"title\": \"ttf.yaml\",\n"
          "  \"type\": \"object\",\n  \"additionalProperties\": false,\n  \"properties\": {",
          out);
    bool is_first = true;
    for (size_t i = 0; i < option_rows_count; i++)
        if (option_rows[i].place == PLACE_FILE) {
            schema_setting(out, "    ", &option_rows[i], is_first);
            is_first = false;
        }
    fputs(",\n    \"tunnels\": { \"type\": \"object\", \"additionalProperties\": false, "
          "\"patternProperties\": {\n"
          "      \"^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$\": { \"anyOf\": [\n"
          "        { \"type\": [\"string\", \"integer\"] },\n"
          "        { \"type\": \"object\", \"additionalProperties\": false, \"properties\": {",
          out);
    is_first = true;
    for (size_t i = 0; i < option_rows_count; i++)
        if (option_is_of_tunnel(&option_rows[i])) {
            schema_setting(out, "          ", &option_rows[i], is_first);
            is_first = false;
        }
    fputs("\n        } }\n      ] }\n    } }\n  }\n}\n", out);
}

bool option_text_print(const char *what, FILE *out) {
    static const struct {
        const char *name;
        void (*print)(FILE *out);
    } texts[] = {
        {"bash", print_bash}, {"zsh", print_zsh},           {"fish", print_fish},
        {"man", print_man},   {"man-yaml", print_man_yaml}, {"schema", print_schema},
    };
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        if (strcmp(what, texts[i].name) != 0) continue;
        texts[i].print(out);
        return true;
    }
    return false;
}
