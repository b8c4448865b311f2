/* How the library reports failure.
 *
 * Every function that can fail returns an ssne_code and describes the failure in the ssne_error its
 * caller passed: one line that says what went wrong, where (file, row, rank) and what to do.
 * Nothing in the library prints, exits or aborts; only the programs in jobs/ decide that. */
#ifndef SHARDSNE_STATUS_H
#define SHARDSNE_STATUS_H

#ifdef __cplusplus
extern "C" {
#endif

/* The values are the program's exit codes. */
typedef enum ssne_code {
  SSNE_OK = 0,
  SSNE_FAILED = 1,  /* the work could not be done */
  SSNE_USAGE = 2,   /* what the user asked for makes no sense */
  SSNE_STOPPED = 75 /* stopped in order; the same command goes on from here */
} ssne_code;

#define SSNE_ERROR_LENGTH 2048

typedef struct ssne_error {
  ssne_code code;
  char text[SSNE_ERROR_LENGTH]; /* one line, UTF-8 or the user's own bytes, zero-terminated */
} ssne_error;

/* Fills `err` with `code` and the formatted text and returns `code`, so that a failing function can
 * end in `return ssne_fail(err, SSNE_FAILED, "...")`. Control characters in the text (a newline in
 * a file name, say) are replaced by '?', so that an error stays one line. */
ssne_code ssne_fail(ssne_error *err, ssne_code code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Puts "context: " before the text already in `err` and returns its code. */
ssne_code ssne_fail_in(ssne_error *err, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Returns from the calling function with the code of `call` unless that is SSNE_OK. */
#define SSNE_TRY(call)                                                                             \
  do {                                                                                             \
    const ssne_code ssne_try_code = (call);                                                        \
    if (ssne_try_code != SSNE_OK) return ssne_try_code;                                            \
  } while (0)

#ifdef __cplusplus
}
#endif
#endif
