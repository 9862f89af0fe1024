// Include before Highway in a file that keeps vectors in arrays: SVE and RVV have none, since their
// vectors' size is not known when compiling. Such a file is compiled for the other targets only:
// machines with SVE run its NEON code, machines with RVV its scalar code. KernelChoices() says so.
#pragma once

#define HWY_DISABLED_TARGETS (HWY_SVE | HWY_SVE_256 | HWY_SVE2 | HWY_SVE2_128 | HWY_RVV)
