/* The rollback journal: what a file's structure was before a change, in a file of its own beside
 * it.
 *
 * HDF5 writes a change of structure (a new dataset, an attribute) as a handful of separate writes;
 * a kill among them leaves a file that cannot be read. So the bytes that may change are copied
 * first, as databases do. A journal that exists and is whole means that the change was not
 * finished, and is put back before the file is opened again; one that is not whole was not finished
 * itself, and the file is as it was.
 *
 * Format: pieces, each of the struct below and its bytes. The last has no bytes, and the file's
 * size as its place. Numbers are the machine's own: it is read where it was written. */
#include "shardsne/digest.h"
#include "shardsne/files.h"
#include "shardsne/memory.h"
#include "store_private.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define PIECE_BYTES ((int64_t)1 << 20)
#define LAST_PIECE INT64_C(-1)

typedef struct piece {
  int64_t place;   /* in the file */
  int64_t length;  /* of the bytes that follow, or LAST_PIECE */
  uint64_t digest; /* of those bytes, with `place` as their seed; of the last: of `place` alone */
} piece;

/* --- files ------------------------------------------------------------------------------- */

/* Beside the file itself, where `path` is a link to it. */
static ssne_code name_of(const char *path, char **out, ssne_error *err) {
  char *real = realpath(path, NULL);
  const char *file = real ? real : path;
  const size_t length = strlen(file);
  const ssne_code code =
      ssne_alloc(out, (int64_t)(length + sizeof ".journal"), 1, "characters", err);
  if (code == SSNE_OK) {
    memcpy(*out, file, length);
    memcpy(*out + length, ".journal", sizeof ".journal");
  }
  free(real);
  return code;
}

static ssne_code fail(const char *path, const char *what, ssne_error *err) {
  return ssne_fail(err, SSNE_FAILED, "%s: %s failed: %s", path, what, strerror(errno));
}

/* So that a power cut does not lose the file's name. Not every file system knows how. */
static void sync_folder(const char *path) {
  char *copy = NULL;
  ssne_error unused;
  if (ssne_copy_text(&copy, path, &unused) != SSNE_OK) return;
  const int fd = open(dirname(copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd >= 0) {
    (void)fsync(fd);
    close(fd);
  }
  ssne_free(&copy);
}

/* --- the lock ---------------------------------------------------------------------------- */

#define LOCK_TRIES 100
#define LOCK_PAUSE_MICROSECONDS 50000

typedef enum locking { LOCKED, ABSENT, BUSY, FAILED } locking;

/* Opens the journal and locks it. Whoever held it before may have removed it, and what is open is
 * then the journal of a change that is done: what has no name any more is not taken. Where the file
 * system has no locks it goes without. */
static locking open_locked(const char *name, int flags, int *fd) {
  for (int i = 0; i < LOCK_TRIES; i++) {
    struct stat facts;
    *fd = open(name, flags | O_RDWR | O_CLOEXEC, 0666);
    if (*fd < 0) return errno == ENOENT ? ABSENT : FAILED;
    const bool busy = flock(*fd, LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK;
    if (!busy && fstat(*fd, &facts) == 0 && facts.st_nlink > 0) return LOCKED;
    close(*fd);
    *fd = -1;
    if (busy) usleep(LOCK_PAUSE_MICROSECONDS);
  }
  return BUSY;
}

static ssne_code fail_busy(const char *path, ssne_error *err) {
  return ssne_fail(err, SSNE_FAILED,
                   "%s is being changed by another process: try again when that has ended", path);
}

/* --- writing ----------------------------------------------------------------------------- */

typedef struct writer {
  const char *name;
  int file, journal;
  int64_t size; /* of the journal so far */
  char *buffer; /* PIECE_BYTES */
} writer;

static uint64_t digest_of(const piece *p, const void *bytes) {
  const uint64_t place = (uint64_t)p->place;
  const uint64_t of_bytes = p->length > 0 ? ssne_digest64(bytes, (size_t)p->length) : 0;
  return of_bytes ^ ssne_digest64(&place, sizeof place);
}

static ssne_code add_piece(writer *w, int64_t place, int64_t length, ssne_error *err) {
  piece p = {.place = place, .length = length};
  p.digest = digest_of(&p, w->buffer);
  if (ssne_bytes_write(w->journal, &p, sizeof p, w->size) != 0 ||
      (length > 0 &&
       ssne_bytes_write(w->journal, w->buffer, length, w->size + (int64_t)sizeof p) != 0))
    return fail(w->name, "writing", err);
  w->size += (int64_t)sizeof p + (length > 0 ? length : 0);
  return SSNE_OK;
}

/* Copies the bytes from `first` to `end` but for holes, which nobody has written. */
static ssne_code add_bytes(writer *w, int64_t first, int64_t end, ssne_error *err) {
  while (first < end) {
    const off_t data = lseek(w->file, (off_t)first, SEEK_DATA);
    if (data < 0 && errno == ENXIO) return SSNE_OK;
    if (data > (off_t)first) first = (int64_t)data;
    if (first >= end) return SSNE_OK;
    const int64_t length = end - first < PIECE_BYTES ? end - first : PIECE_BYTES;
    const int64_t got = ssne_bytes_read(w->file, w->buffer, length, first);
    if (got < 0) return fail(w->name, "reading what is to be kept", err);
    if (got == 0) return SSNE_OK;
    SSNE_TRY(add_piece(w, first, got, err));
    first += got;
  }
  return SSNE_OK;
}

static ssne_code write_pieces(writer *w, const ssne_extent *rows, int count, ssne_error *err) {
  struct stat facts;
  int64_t at = 0;
  SSNE_TRY(ssne_alloc(&w->buffer, PIECE_BYTES, 1, "characters", err));
  if (fstat(w->file, &facts) != 0) return fail(w->name, "asking for the file's size", err);
  for (int i = 0; i < count; i++) {
    SSNE_TRY(add_bytes(w, at, rows[i].first, err));
    at = rows[i].end;
  }
  SSNE_TRY(add_bytes(w, at, (int64_t)facts.st_size, err));
  SSNE_TRY(add_piece(w, (int64_t)facts.st_size, LAST_PIECE, err));
  if (fsync(w->journal) != 0) return fail(w->name, "writing to disk", err);
  return SSNE_OK;
}

ssne_code ssne_journal_write(const char *path, const ssne_extent *rows, int count, int *lock,
                             ssne_error *err) {
  char *name = NULL;
  *lock = -1;
  SSNE_TRY(name_of(path, &name, err));
  writer w = {.name = name, .file = open(path, O_RDONLY | O_CLOEXEC), .journal = -1};
  ssne_code code = w.file < 0 ? fail(path, "opening", err) : SSNE_OK;
  const locking got = code == SSNE_OK ? open_locked(name, O_CREAT, &w.journal) : FAILED;
  if (code == SSNE_OK && got != LOCKED)
    code = got == BUSY ? fail_busy(path, err) : fail(name, "opening", err);
  if (code == SSNE_OK) {
    if (ftruncate(w.journal, 0) != 0) code = fail(name, "emptying", err);
    if (code == SSNE_OK) code = write_pieces(&w, rows, count, err);
    if (code != SSNE_OK) (void)unlink(name);
  }
  if (code == SSNE_OK) sync_folder(name);
  if (w.file >= 0) close(w.file);
  if (code == SSNE_OK) *lock = w.journal;
  if (code != SSNE_OK && w.journal >= 0) close(w.journal);
  ssne_free(&w.buffer);
  ssne_free(&name);
  return code; /* cppcheck-suppress resourceLeak; *lock has it */
}

ssne_code ssne_journal_drop(const char *path, int lock, ssne_error *err) {
  char *name = NULL;
  ssne_code code = SSNE_OK;
  const int fd = open(path, O_RDWR | O_CLOEXEC);
  if (fd < 0 || fsync(fd) != 0) code = fail(path, "writing to disk", err);
  if (fd >= 0) close(fd);
  if (code == SSNE_OK) code = name_of(path, &name, err);
  if (code == SSNE_OK && unlink(name) != 0) code = fail(name, "removing", err);
  if (code == SSNE_OK) sync_folder(name);
  if (code == SSNE_OK && lock >= 0) close(lock);
  ssne_free(&name);
  return code;
}

ssne_code ssne_journal_forget(const char *path, ssne_error *err) {
  char *name = NULL;
  SSNE_TRY(name_of(path, &name, err));
  const ssne_code code =
      unlink(name) != 0 && errno != ENOENT ? fail(name, "removing", err) : SSNE_OK;
  ssne_free(&name);
  return code;
}

/* --- putting back ------------------------------------------------------------------------ */

/* Reads piece after piece from the journal and, where `file` is one, puts them back. *size becomes
 * what the file's was; false: the journal is not whole. */
static bool walk(int journal, int file, char *buffer, int64_t *size) {
  int64_t at = 0;
  piece p;
  while (ssne_bytes_read(journal, &p, sizeof p, at) == (int64_t)sizeof p) {
    at += (int64_t)sizeof p;
    *size = p.place;
    if (p.length == LAST_PIECE) return p.place >= 0 && p.digest == digest_of(&p, NULL);
    if (p.place < 0 || p.length <= 0 || p.length > PIECE_BYTES ||
        ssne_bytes_read(journal, buffer, p.length, at) != p.length ||
        p.digest != digest_of(&p, buffer) ||
        (file >= 0 && ssne_bytes_write(file, buffer, p.length, p.place) != 0))
      return false;
    at += p.length;
  }
  return false;
}

static ssne_code put_back(const char *path, const char *name, int journal, ssne_error *err) {
  int64_t size = 0;
  char *buffer = NULL;
  SSNE_TRY(ssne_alloc(&buffer, PIECE_BYTES, 1, "characters", err));
  ssne_code code = SSNE_OK;
  if (walk(journal, -1, buffer, &size)) {
    const int file = open(path, O_RDWR | O_CLOEXEC);
    if (file < 0 || !walk(journal, file, buffer, &size) || ftruncate(file, (off_t)size) != 0 ||
        fsync(file) != 0) {
      code = fail(path, "taking back an unfinished change", err);
      (void)ssne_fail_in(err,
                         "a run was stopped while it changed the file's structure; %s has what is "
                         "needed, keep it",
                         name);
    }
    if (file >= 0) close(file);
  }
  ssne_free(&buffer);
  if (code == SSNE_OK && unlink(name) != 0) code = fail(name, "removing", err);
  return code;
}

ssne_code ssne_journal_roll_back(const char *path, int lock, ssne_error *err) {
  char *name = NULL;
  int journal = lock;
  ssne_code code = SSNE_OK;
  SSNE_TRY(name_of(path, &name, err));
  const locking got = lock >= 0 ? LOCKED : open_locked(name, 0, &journal);
  if (got == FAILED)
    code = ssne_fail(err, SSNE_FAILED,
                     "%s: a run was stopped while it changed the file's structure, and what would "
                     "take that back, %s, cannot be opened: %s",
                     path, name, strerror(errno));
  else if (got == BUSY)
    code = fail_busy(path, err);
  else if (got == LOCKED)
    code = put_back(path, name, journal, err);
  if (journal >= 0) close(journal);
  ssne_free(&name);
  return code;
}
