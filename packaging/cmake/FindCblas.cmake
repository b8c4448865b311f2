# The C interfaces of BLAS and LAPACK, whichever library has them: sets up Cblas::Cblas.
#
# BLA_VENDOR chooses the implementation (see CMake's FindBLAS); Cblas_INCLUDE_DIR and
# Lapacke_INCLUDE_DIR the headers, where they lie in no usual place.
find_package(BLAS REQUIRED)
find_package(LAPACK REQUIRED)
find_path(Cblas_INCLUDE_DIR cblas.h PATH_SUFFIXES openblas ${CMAKE_LIBRARY_ARCHITECTURE})
find_path(Lapacke_INCLUDE_DIR lapacke.h PATH_SUFFIXES lapacke)
find_library(Lapacke_LIBRARY NAMES lapacke)

include(FindPackageHandleStandardArgs)
find_package_handle_standard_args(Cblas REQUIRED_VARS Cblas_INCLUDE_DIR Lapacke_INCLUDE_DIR)
if(Cblas_FOUND AND NOT TARGET Cblas::Cblas)
  add_library(Cblas::Cblas INTERFACE IMPORTED)
  target_include_directories(Cblas::Cblas INTERFACE ${Cblas_INCLUDE_DIR} ${Lapacke_INCLUDE_DIR})
  # Some libraries (OpenBLAS from source, MKL) hold LAPACKE themselves.
  if(Lapacke_LIBRARY)
    target_link_libraries(Cblas::Cblas INTERFACE ${Lapacke_LIBRARY})
  endif()
  target_link_libraries(Cblas::Cblas INTERFACE LAPACK::LAPACK BLAS::BLAS)
endif()
