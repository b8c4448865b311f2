"""shardsne for Spack: see packaging/README.md for how to use it, and for what of it was tried."""

from spack.package import *

try:  # since Spack 1.0 the build systems live with the packages
    from spack_repo.builtin.build_systems.cmake import CMakePackage
except ImportError:
    pass


class Shardsne(CMakePackage):
    """Maps of large image sets: CNN features and t-SNE over MPI."""

    license("BSD-3-Clause")

    version("main")  # from a source tree: spack dev-build shardsne@main

    variant("torch", default=True, description="Extract features, by libtorch; without it: embed and render")

    variant("petsc", default=False, description="Spectral starts and TAO's optimisers, by SLEPc and PETSc")

    depends_on("c", type="build")
    depends_on("cxx", type="build", when="+torch")
    depends_on("cmake@3.21:", type="build")
    depends_on("ninja", type="build")
    depends_on("pkgconfig", type="build")
    depends_on("mpi@3:")
    depends_on("hdf5@1.10:")
    depends_on("openblas")  # with cblas.h and lapacke.h
    depends_on("py-torch@1.13:", when="+torch")
    depends_on("slepc@3.18: ^petsc~complex precision=double", when="+petsc")
    depends_on("libjpeg-turbo")
    depends_on("libpng")
    depends_on("libwebp")
    depends_on("libarchive")
    depends_on("zlib-api")
    depends_on("jansson")
    depends_on("xxhash")
    depends_on("inih")
    depends_on("gnuplot +cairo", type="run")

    generator("ninja")

    def cmake_args(self):
        """libtorch is found by itself, for py-torch names its CMake files to whatever builds on it. The tests
        run from the source tree, ./run-tests: they want Python's libraries for images and arrays."""
        return [self.define_from_variant("SHARDSNE_TORCH", "torch"), self.define_from_variant("SHARDSNE_PETSC", "petsc"),
                self.define("SHARDSNE_TESTS", False)]

    @run_after("install")
    @on_package_attributes(run_tests=True)
    def check_version(self):
        Executable(self.prefix.bin.shardsne)("--version")
