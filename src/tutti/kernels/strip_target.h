// Compiles a part of a file for an instruction set that the rest of the program must not use.
//
//   TUTTI_BEGIN_TARGET("avx2,fma") ... TUTTI_END_TARGET
//
// Only functions defined between the two may use its instructions; include every header before, so
// that no inline function of others is compiled for it. The caller makes sure the machine has it.
#pragma once

#define TUTTI_PRAGMA(text) _Pragma(#text)

#if defined(__clang__)
#define TUTTI_BEGIN_TARGET(isa) \
  TUTTI_PRAGMA(clang attribute push(__attribute__((target(isa))), apply_to = function))
#define TUTTI_END_TARGET _Pragma("clang attribute pop")
// Unrolls the next loop completely; accumulators in arrays become registers.
#define TUTTI_UNROLL _Pragma("unroll")
#else
#define TUTTI_BEGIN_TARGET(isa) _Pragma("GCC push_options") TUTTI_PRAGMA(GCC target(isa))
#define TUTTI_END_TARGET _Pragma("GCC pop_options")
#define TUTTI_UNROLL _Pragma("GCC unroll 16")
#endif
// For small functions of registers: a call would put them all into memory.
#define TUTTI_INLINE inline __attribute__((always_inline))

// clang 14 declares the newer intrinsics of arm_neon.h only where the whole file may use them:
// there CMakeLists.txt gives the file its target.
#if defined(__clang__)
#define TUTTI_BEGIN_NEON_TARGET(isa)
#define TUTTI_END_NEON_TARGET
#else
#define TUTTI_BEGIN_NEON_TARGET(isa) TUTTI_BEGIN_TARGET(isa)
#define TUTTI_END_NEON_TARGET TUTTI_END_TARGET
#endif
