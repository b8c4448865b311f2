# The MPI, and HDF5 of the same one.
#
# Where several are installed, Debian tells their commands apart by an ending (mpicc.mpich, h5pcc.mpich).
# FindMPI heeds MPI_EXECUTABLE_SUFFIX; here MPI_C_COMPILER also tells it, and HDF5's compiler, by which
# FindHDF5 finds the rest, is looked for under the same ending.
include(CheckSymbolExists)
if(NOT DEFINED MPI_EXECUTABLE_SUFFIX AND MPI_C_COMPILER MATCHES "mpicc(\\.[a-z]+)$")
  set(MPI_EXECUTABLE_SUFFIX ${CMAKE_MATCH_1})
endif()
find_package(MPI REQUIRED COMPONENTS C)
set(CMAKE_REQUIRED_LIBRARIES MPI::MPI_C)
check_symbol_exists(MPICH_VERSION mpi.h SHARDSNE_MPI_IS_MPICH) # or one of its kind: Intel's, Cray's
unset(CMAKE_REQUIRED_LIBRARIES)
if(MPI_EXECUTABLE_SUFFIX)
  find_program(HDF5_C_COMPILER_EXECUTABLE NAMES h5pcc${MPI_EXECUTABLE_SUFFIX}
               HINTS ${HDF5_ROOT} ENV HDF5_ROOT PATH_SUFFIXES bin)
endif()

# ssne_mpi_names(OUT FIELD LIBRARY...): the MPI that shared libraries are (FIELD SONAME) or want (NEEDED),
# as the loader knows it: libmpi.so.40, libmpich.so.12.
function(ssne_mpi_names out field)
  set(names "")
  foreach(library ${ARGN})
    if(CMAKE_READELF AND library MATCHES "\\.so[.0-9]*$")
      execute_process(COMMAND ${CMAKE_READELF} -d ${library} OUTPUT_VARIABLE header ERROR_QUIET)
      string(REGEX MATCHALL "\\(${field}\\)[^\n]*\\[libmpi[^\n]*\\]" lines "${header}")
      list(TRANSFORM lines REPLACE ".*\\[(.*)\\]" "\\1")
      list(APPEND names ${lines})
    endif()
  endforeach()
  set(${out} ${names} PARENT_SCOPE)
endfunction()

# ssne_check_one_mpi(LIBRARY...): warns where HDF5's libraries want another MPI than the one found. A
# program with two of them builds, and crashes when it opens a file.
function(ssne_check_one_mpi)
  ssne_mpi_names(ours SONAME ${MPI_C_LIBRARIES})
  ssne_mpi_names(wanted NEEDED ${ARGN})
  foreach(name ${wanted})
    if(ours AND NOT name IN_LIST ours)
      message(WARNING "HDF5 (${ARGV0}) wants ${name}, but the MPI found is ${ours}: set MPI_C_COMPILER, "
                      "or HDF5_ROOT, so that both are of one kind")
    endif()
  endforeach()
endfunction()
