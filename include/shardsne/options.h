/* Options: one table describes each, and everything else follows from the table: the command line,
 * the configuration file, --help, the record in the run file, and the comparison of a command with
 * the file it is to go on with. */
#ifndef SHARDSNE_OPTIONS_H
#define SHARDSNE_OPTIONS_H

#include "shardsne/status.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef enum ssne_option_kind {
  SSNE_OPTION_FLAG,    /* bool: --name, or name = yes|no in a configuration file */
  SSNE_OPTION_INTEGER, /* int64_t within [low, high] */
  SSNE_OPTION_REAL,    /* double within [low, high]; NAN stands for "auto" where `automatic` */
  SSNE_OPTION_TEXT,    /* char *, owned by the table's struct; NULL where not given */
  SSNE_OPTION_CHOICE,  /* char *, one of `choices` */
  SSNE_OPTION_TRIPLE,  /* double[3]: a,b,c */
  SSNE_OPTION_REALS    /* ssne_option_reals: a,b,..., each within [low, high] */
} ssne_option_kind;

#define SSNE_OPTION_REALS_MOST 16

typedef struct ssne_option_reals {
  int count; /* at least 1 */
  double value[SSNE_OPTION_REALS_MOST];
} ssne_option_reals;

typedef struct ssne_option {
  const char *name; /* without the dashes */
  ssne_option_kind kind;
  size_t offset;       /* of the value within the struct the table describes */
  const char *value;   /* what --help calls the value: "FILE", "N"; NULL for a flag */
  const char *help;    /* one line of any length; --help breaks it */
  const char *choices; /* "a|b|c" for a CHOICE */
  double low, high;    /* bounds of an INTEGER, REAL or REALS, both included */
  bool automatic;      /* a REAL that may be "auto" (stored as NAN) */
  bool recorded;       /* part of what was computed: kept in the run file and compared */
} ssne_option;

/* A struct of options, its table, and the heading --help gives it. */
typedef struct ssne_option_group {
  const char *title;
  const ssne_option *table; /* `count` entries */
  int count;
  void *values; /* the struct; holds the defaults before parsing */
} ssne_option_group;

/* Sets one option from its text, as given in `where` ("--name", "FILE:12: name"). Unknown names are
 * refused with the nearest known one, values out of range with the range. */
ssne_code ssne_options_set(const ssne_option_group *groups, int count, const char *name,
                           const char *value, const char *where, ssne_error *err);

/* Reads `name = value` lines from the file at `path`. Comments are lines that begin with # or ;.
 * Section headings are allowed and mean nothing. The first bad line is the error, with its number.
 */
ssne_code ssne_options_read(const ssne_option_group *groups, int count, const char *path,
                            ssne_error *err);

/* Reads argv[1...]: --name VALUE or --name=VALUE, flags as --name. Words that are no option are
 * moved to words[0 ... max_words - 1] and counted in *word_count; one too many is an error. */
ssne_code ssne_options_parse(const ssne_option_group *groups, int count, int argc, char **argv,
                             const char **words, int max_words, int *word_count, ssne_error *err);

/* Prints every option with its help and present value, 80 columns wide, to standard output. */
void ssne_options_help(const ssne_option_group *groups, int count);

/* The recorded options of the groups as one JSON object, keys in table order; the caller frees
 * *json with ssne_free. `only_recorded` false gives all of them. */
ssne_code ssne_options_to_json(const ssne_option_group *groups, int count, bool only_recorded,
                               char **json, ssne_error *err);

/* Compares the recorded options with `json`, as ssne_options_to_json made it for an earlier
 * command. The first that differs is an error (SSNE_USAGE) that names it, both values and `path`,
 * and ends in `advice` ("... or ADVICE").
 */
ssne_code ssne_options_compare(const ssne_option_group *groups, int count, const char *json,
                               const char *path, const char *advice, ssne_error *err);

/* Gives the recorded options of the groups the values they have in `json`, as ssne_options_to_json
 * made it; those that are not in it keep theirs. SSNE_FAILED where it is no such record, of `path`.
 */
ssne_code ssne_options_restore(const ssne_option_group *groups, int count, const char *json,
                               const char *path, ssne_error *err);

/* Frees what the groups' TEXT and CHOICE options own. */
void ssne_options_free(const ssne_option_group *groups, int count);

#endif
