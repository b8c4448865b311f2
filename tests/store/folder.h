/* A temporary folder that all ranks know. */
#ifndef SHARDSNE_TESTS_STORE_FOLDER_H
#define SHARDSNE_TESTS_STORE_FOLDER_H

#include <mpi.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

typedef struct folder {
  char path[64];
  int rank, ranks;
} folder;

static folder folder_make(void) {
  folder f = {.path = "store-test-XXXXXX"};
  MPI_Comm_rank(MPI_COMM_WORLD, &f.rank);
  MPI_Comm_size(MPI_COMM_WORLD, &f.ranks);
  if (f.rank == 0 && !mkdtemp(f.path)) {
    perror("mkdtemp");
    MPI_Abort(MPI_COMM_WORLD, 1);
  }
  MPI_Bcast(f.path, sizeof f.path, MPI_CHAR, 0, MPI_COMM_WORLD);
  return f;
}

static const char *folder_file(const folder *f, const char *name, char path[128]) {
  snprintf(path, 128, "%s/%s", f->path, name);
  return path;
}

static void folder_remove(const folder *f) {
  char command[128];
  MPI_Barrier(MPI_COMM_WORLD);
  if (f->rank > 0) return;
  snprintf(command, sizeof command, "rm -rf '%s'", f->path);
  if (system(command) != 0) fprintf(stderr, "%s failed\n", command);
}

#endif
