// Where tests find the oracles that are not part of the repository.
#pragma once
#include <gtest/gtest.h>

#include <cstdio>
#include <filesystem>
#include <string>

namespace tutti::testing {

// Path below the shared fixtures ("quants/Q4_K.safetensors").
inline std::filesystem::path SharedFixture(const std::string& name) {
  return std::filesystem::path(TUTTI_SHARED_DIR) / "fixtures" / name;
}

}  // namespace tutti::testing

// First line of a test that needs a shared fixture: skips loudly where it is not there.
#define TUTTI_NEEDS_SHARED(name)                                               \
  if (!std::filesystem::exists(::tutti::testing::SharedFixture(name))) {       \
    std::fprintf(stderr, "SKIPPED: %s is not there; this check did not run\n", \
                 ::tutti::testing::SharedFixture(name).c_str());               \
    GTEST_SKIP() << "needs shared fixture " << name;                           \
  }
