// What a file does that keeps vectors in arrays or structs, which those of SVE and RVV cannot be in
// (their size is not known when compiling): before it includes Highway,
//
//   #define HWY_DISABLED_TARGETS TUTTI_SCALABLE_TARGETS
//
// Machines with SVE then run its NEON code, machines with RVV its scalar code; KernelChoices() says
// so.
#pragma once

#define TUTTI_SCALABLE_TARGETS (HWY_SVE | HWY_SVE_256 | HWY_SVE2 | HWY_SVE2_128 | HWY_RVV)
