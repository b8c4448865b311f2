/* Opening a file that is damaged, to bring back what is whole. */
#include "shardsne/agree.h"
#include "shardsne/memory.h"
#include "store_private.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Where version 2 of HDF5's superblock, at the begin of a run file, has the file's length (HDF5
 * File Format Specification, II.A). */
#define SUPERBLOCK_BYTES 48
#define VERSION_AT 8
#define OFFSET_SIZE_AT 9
#define LENGTH_AT 28

/* The length that the file should have; 0 where its begin does not say. */
static int64_t noted_length(int fd) {
  static const unsigned char signature[8] = {0x89, 'H', 'D', 'F', '\r', '\n', 0x1a, '\n'};
  unsigned char block[SUPERBLOCK_BYTES];
  uint64_t length = 0;
  if (pread(fd, block, sizeof block, 0) != (ssize_t)sizeof block ||
      memcmp(block, signature, sizeof signature) != 0 || block[VERSION_AT] < 2 ||
      block[OFFSET_SIZE_AT] != sizeof length)
    return 0;
  for (size_t i = 0; i < sizeof length; i++) length |= (uint64_t)block[LENGTH_AT + i] << 8 * i;
  return length > INT64_MAX ? 0 : (int64_t)length;
}

/* A file that is too short gets zeros at its end, which need no space, so that HDF5 opens it. */
static ssne_code lengthen(const char *path, ssne_error *err) {
  struct stat facts;
  char *found = NULL;
  bool partial = false;
  SSNE_TRY(ssne_store_find(path, &partial, &found, err));
  ssne_code code = SSNE_OK;
  const int fd = open(found, O_RDWR | O_CLOEXEC); /* read-only: let opening say what is wrong */
  const int64_t length = fd < 0 ? 0 : noted_length(fd);
  if (length > 0 && fstat(fd, &facts) == 0 && length > (int64_t)facts.st_size &&
      ftruncate(fd, (off_t)length) != 0)
    code = ssne_fail(err, SSNE_FAILED, "%s is truncated, and cannot be lengthened to be read: %s",
                     found, strerror(errno));
  if (fd >= 0) close(fd);
  ssne_free(&found);
  return code;
}

ssne_code ssne_store_open_damaged(const char *path, MPI_Comm comm, ssne_store **out,
                                  bool lost[SSNE_SET_COUNT], ssne_error *err) {
  int rank = 0;
  *out = NULL;
  MPI_Comm_rank(comm, &rank);
  SSNE_TRY_ALL(comm, rank == 0 ? lengthen(path, err) : SSNE_OK, err);
  return ssne_store_open_lenient(path, false, comm, lost, out, NULL, err);
}
