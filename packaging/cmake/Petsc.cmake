# SLEPc, and the PETSc that it is built on: real, in double precision, and of the MPI in use.
#
# Sets SHARDSNE_HAS_PETSC. With SHARDSNE_PETSC=AUTO what does not fit is told and left out; with ON it is an error.
set(SHARDSNE_HAS_PETSC OFF)
function(ssne_look_for_petsc)
  if(SHARDSNE_PETSC STREQUAL "OFF")
    return()
  endif()
  set(why "")
  pkg_search_module(SLEPC IMPORTED_TARGET slepc SLEPc) # so called by SLEPc itself, and by Debian 12
  pkg_search_module(PETSC petsc PETSc) # for its version
  if(NOT SHARDSNE_MPI)
    set(why "they need MPI (SHARDSNE_MPI=ON)")
  elseif(NOT SLEPC_FOUND)
    set(why "pkg-config finds no slepc (Debian: petsc-dev, slepc-dev; else PKG_CONFIG_PATH)")
  else()
    ssne_mpi_names(ours SONAME ${MPI_C_LIBRARIES})
    ssne_mpi_names(wanted NEEDED ${SLEPC_LINK_LIBRARIES})
    if(ours AND wanted AND NOT ours IN_LIST wanted) # which has MPI's Fortran library as well
      set(why "they want ${wanted}, but the MPI found is ${ours}")
    endif()
  endif()
  if(NOT why)
    set(CMAKE_REQUIRED_LIBRARIES PkgConfig::SLEPC MPI::MPI_C)
    check_c_source_compiles("#include <slepceps.h>
      #if defined(PETSC_USE_COMPLEX) || !defined(PETSC_USE_REAL_DOUBLE)
      #error not real and double
      #endif
      int main(void) { return SlepcFinalize(); }" SHARDSNE_SLEPC_BUILDS)
    if(NOT SHARDSNE_SLEPC_BUILDS)
      set(why "no program builds with SLEPc ${SLEPC_VERSION}, or its numbers are not real and double")
    endif()
  endif()
  if(NOT why)
    message(STATUS "Found SLEPc ${SLEPC_VERSION}, PETSc ${PETSC_VERSION}")
    set(SHARDSNE_HAS_PETSC ON PARENT_SCOPE)
    set(SHARDSNE_PETSC_VERSION ${PETSC_VERSION} PARENT_SCOPE)
  elseif(SHARDSNE_PETSC STREQUAL "ON")
    message(FATAL_ERROR "SHARDSNE_PETSC=ON, but without PETSc and SLEPc: ${why}")
  else()
    message(STATUS "Without PETSc and SLEPc: ${why}")
  endif()
endfunction()
include(CheckCSourceCompiles)
ssne_look_for_petsc()
