# Debian packages only. Which folder may use which library is checked by tools/check_layers.py.
find_package(PkgConfig REQUIRED)
find_package(Threads REQUIRED)
find_package(fmt REQUIRED)
find_package(Boost 1.81 REQUIRED COMPONENTS json)
pkg_check_modules(HWY REQUIRED IMPORTED_TARGET libhwy)
if(TUTTI_CLI)
  find_package(CLI11 REQUIRED)
  find_package(OpenSSL 3.0 REQUIRED)
endif()
if(TUTTI_BUILD_TESTS)
  find_package(GTest REQUIRED)
endif()
find_package(benchmark QUIET)  # optional: bench/micro
