/* The rollback journal, on a file of plain bytes: a change that was not finished is taken back to
 * the last byte, one that was finished never is, whoever comes in between. */
#include "check.h"
#include "store_private.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define SIZE 3000000 /* more than two pieces */

static char folder[64], path[128], journal[160];
static char before[SIZE], after[2 * SIZE];
static const ssne_extent rows[] = {{1000, 500000}, {700000, 2100000}};

static void write_file(const char *bytes, size_t size) {
  FILE *file = fopen(path, "wb");
  CHECK(file && fwrite(bytes, 1, size, file) == size && fclose(file) == 0);
}

static size_t read_file(void) {
  FILE *file = fopen(path, "rb");
  CHECK(file != NULL);
  if (!file) return 0;
  const size_t size = fread(after, 1, sizeof after, file);
  fclose(file);
  return size;
}

static bool exists(const char *name) {
  struct stat facts;
  return stat(name, &facts) == 0;
}

/* All bytes of the file but the rows, which a change leaves alone, become others; and it grows. */
static void change(size_t size) {
  memcpy(after, before, SIZE);
  for (size_t i = 0; i < size; i++)
    if (i >= SIZE || ((i < 1000 || i >= 500000) && (i < 700000 || i >= 2100000)))
      after[i] = (char)(i % 7);
  write_file(after, size);
}

static void test_taken_back(size_t size) {
  ssne_error err;
  int lock = -1;
  write_file(before, SIZE);
  CHECK_OK(ssne_journal_write(path, rows, 2, &lock, &err), &err);
  change(size);
  close(lock); /* as a kill does */
  CHECK(exists(journal));
  CHECK_OK(ssne_journal_roll_back(path, -1, &err), &err);
  CHECK(read_file() == SIZE && memcmp(after, before, SIZE) == 0);
  CHECK(!exists(journal));
}

/* Killed while the journal was written: the file had not been touched, and is not. */
static void test_not_whole(off_t missing) {
  ssne_error err;
  struct stat facts;
  int lock = -1;
  write_file(before, SIZE);
  CHECK_OK(ssne_journal_write(path, rows, 2, &lock, &err), &err);
  close(lock);
  CHECK(stat(journal, &facts) == 0 && facts.st_size > missing);
  CHECK(truncate(journal, facts.st_size - missing) == 0);
  change(SIZE);
  static char changed[SIZE];
  memcpy(changed, after, SIZE);
  CHECK_OK(ssne_journal_roll_back(path, -1, &err), &err);
  CHECK(read_file() == SIZE && memcmp(after, changed, SIZE) == 0 && !exists(journal));
}

/* A change under way, ended a while after another process has begun to wait for it. */
static void *finish(void *argument) {
  ssne_error err;
  usleep(300000);
  CHECK_OK(ssne_journal_drop(path, *(int *)argument, &err), &err);
  return NULL;
}

static void test_waits(void) {
  ssne_error err;
  pthread_t job;
  int lock = -1;
  write_file(before, SIZE);
  CHECK_OK(ssne_journal_write(path, rows, 2, &lock, &err), &err);
  change(SIZE + 5000);
  CHECK(pthread_create(&job, NULL, finish, &lock) == 0);
  CHECK_OK(ssne_journal_roll_back(path, -1, &err), &err);
  pthread_join(job, NULL);
  CHECK(!exists(journal) && read_file() == SIZE + 5000 && after[0] == 0 && after[1] == 1);
}

int main(void) {
  ssne_error err;
  snprintf(folder, sizeof folder, "journal-test-XXXXXX");
  CHECK(mkdtemp(folder) != NULL);
  snprintf(path, sizeof path, "%s/file", folder);
  snprintf(journal, sizeof journal, "%s.journal", path);
  for (size_t i = 0; i < SIZE; i++) before[i] = (char)(i * 31 >> 3);
  test_taken_back(SIZE);
  test_taken_back(SIZE + 100000);
  test_not_whole(1);
  test_not_whole(24);
  test_not_whole(900000);
  test_waits();
  write_file(before, SIZE);
  CHECK_OK(ssne_journal_roll_back(path, -1, &err), &err); /* there is none */
  CHECK(unlink(path) == 0 && rmdir(folder) == 0);
  return check_result();
}
