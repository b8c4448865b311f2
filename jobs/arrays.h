/* Arrays of images and labels in HDF5 files, for the module that knows no HDF5. */
#ifndef SHARDSNE_JOBS_ARRAYS_H
#define SHARDSNE_JOBS_ARRAYS_H

#include "shardsne/input.h"

extern const ssne_arrays arrays_of_hdf5;

#endif
