# 64-bit RISC-V with Debian's cross compiler; libraries from tools/make_riscv64_sysroot.sh, tests
# run under qemu. Without vectors: Highway 1.0.3 decides about RVV when compiling, not at run time.
set(CMAKE_SYSTEM_NAME Linux)
set(CMAKE_SYSTEM_PROCESSOR riscv64)
set(CMAKE_C_COMPILER riscv64-linux-gnu-gcc)
set(CMAKE_CXX_COMPILER riscv64-linux-gnu-g++)
set(CMAKE_CROSSCOMPILING_EMULATOR qemu-riscv64 -L /usr/riscv64-linux-gnu)
get_filename_component(libraries ${CMAKE_CURRENT_LIST_DIR}/../../build/sysroot-riscv64 ABSOLUTE)
set(CMAKE_FIND_ROOT_PATH ${libraries} /usr/riscv64-linux-gnu)
set(CMAKE_FIND_ROOT_PATH_MODE_PROGRAM NEVER)
set(CMAKE_FIND_ROOT_PATH_MODE_LIBRARY ONLY)
set(CMAKE_FIND_ROOT_PATH_MODE_INCLUDE ONLY)
set(CMAKE_FIND_ROOT_PATH_MODE_PACKAGE ONLY)
set(ENV{PKG_CONFIG_LIBDIR} ${libraries}/usr/lib/pkgconfig)
