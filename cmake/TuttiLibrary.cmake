# What most sources include, compiled once (precompiled headers). Sources include what they use all
# the same and build without it too; ccache does better without.
set(TUTTI_HEADERS <algorithm> <array> <chrono> <cmath> <filesystem> <fstream> <functional> <map>
  <memory> <mutex> <optional> <set> <span> <string> <string_view> <thread> <unordered_map> <utility>
  <vector> <fmt/format.h> <boost/json.hpp>)
if(CMAKE_CXX_COMPILER_LAUNCHER MATCHES ccache)
  set(CMAKE_DISABLE_PRECOMPILE_HEADERS ON)
elseif(CMAKE_CXX_COMPILER_ID STREQUAL GNU)
  # GCC 12 sees writes behind the ends of its own strings that are none (its bug 105651), with
  # precompiled headers in other places than without.
  add_compile_options(-Wno-error=array-bounds -Wno-error=restrict -Wno-error=stringop-overflow
    -Wno-error=stringop-overread -Wno-error=maybe-uninitialized)
endif()

# One function per folder:
#
#   tutti_library(NAME memory DEPS base os spec tensor [LIBS fmt::fmt] [HEADERS <vector>])
#
# builds tutti_memory from the folder's *.cc and one test program from every *_test.cc beside
# them, registered in CTest as memory.<file> under the label of the folder. DEPS are folders of
# Tutti, LIBS are libraries from outside. HEADERS are compiled once for the folder (else those of
# base/ serve). A test file named *_slow_test.cc also gets the label "slow".
function(tutti_library)
  cmake_parse_arguments(ARG "" "NAME" "DEPS;LIBS;HEADERS" ${ARGN})
  file(GLOB sources CONFIGURE_DEPENDS *.cc)
  set(tests ${sources})
  list(FILTER tests INCLUDE REGEX "_test\\.cc$")
  list(FILTER sources EXCLUDE REGEX "(_test|_main)\\.cc$")
  set(target tutti_${ARG_NAME})
  list(TRANSFORM ARG_DEPS PREPEND tutti_)
  if(sources)
    add_library(${target} STATIC ${sources})
    target_include_directories(${target} PUBLIC ${CMAKE_SOURCE_DIR}/src)
    target_link_libraries(${target} PUBLIC ${ARG_DEPS} ${ARG_LIBS})
    if(ARG_HEADERS)
      target_precompile_headers(${target} PRIVATE ${ARG_HEADERS})
    else()
      target_precompile_headers(${target} REUSE_FROM tutti_base)
    endif()
  else()
    add_library(${target} INTERFACE)
    target_include_directories(${target} INTERFACE ${CMAKE_SOURCE_DIR}/src)
    target_link_libraries(${target} INTERFACE ${ARG_DEPS} ${ARG_LIBS})
  endif()
  foreach(test ${tests})
    tutti_test(${test} LABEL ${ARG_NAME} DEPS ${target})
  endforeach()
endfunction()

# tutti_test(path/foo_test.cc LABEL memory DEPS tutti_memory): one test program, one CTest entry.
function(tutti_test source)
  if(NOT TUTTI_BUILD_TESTS)
    return()
  endif()
  cmake_parse_arguments(ARG "" "LABEL" "DEPS" ${ARGN})
  if(NOT TARGET tutti_test_headers)  # the first test makes what all share
    file(CONFIGURE OUTPUT ${CMAKE_BINARY_DIR}/test_headers.cc CONTENT "int main() {}\n")
    add_executable(tutti_test_headers ${CMAKE_BINARY_DIR}/test_headers.cc)
    target_link_libraries(tutti_test_headers PRIVATE tutti_base GTest::gtest GTest::gmock)
    target_precompile_headers(tutti_test_headers PRIVATE ${TUTTI_HEADERS} <gmock/gmock.h>
      <gtest/gtest.h>)
  endif()
  get_filename_component(stem ${source} NAME_WE)
  set(name ${ARG_LABEL}.${stem})
  add_executable(${name} ${source})
  target_include_directories(${name} PRIVATE ${CMAKE_SOURCE_DIR})
  target_link_libraries(${name} PRIVATE ${ARG_DEPS} GTest::gtest GTest::gmock GTest::gtest_main)
  target_precompile_headers(${name} REUSE_FROM tutti_test_headers)
  target_compile_definitions(${name} PRIVATE
    TUTTI_SHARED_DIR="${TUTTI_SHARED_DIR}" TUTTI_SOURCE_DIR="${CMAKE_SOURCE_DIR}")
  if(TUTTI_SANITIZE)
    target_compile_definitions(${name} PRIVATE TUTTI_SANITIZED)
  endif()
  add_test(NAME ${name} COMMAND ${name})
  set(labels ${ARG_LABEL})
  if(stem MATCHES "_slow_test$")
    list(APPEND labels slow)
  endif()
  set_tests_properties(${name} PROPERTIES LABELS "${labels}" TIMEOUT 600)
endfunction()

# tutti_fuzzer(path/foo_fuzz.cc DEPS tutti_format): one libFuzzer target, in the target fuzz_targets;
# only with TUTTI_FUZZ (the preset fuzz).
function(tutti_fuzzer source)
  if(NOT TUTTI_FUZZ)
    return()
  endif()
  cmake_parse_arguments(ARG "" "" "DEPS" ${ARGN})
  get_filename_component(name ${source} NAME_WE)
  add_executable(${name} ${source})
  target_include_directories(${name} PRIVATE ${CMAKE_SOURCE_DIR})
  target_link_libraries(${name} PRIVATE ${ARG_DEPS})
  target_link_options(${name} PRIVATE -fsanitize=fuzzer)
  add_dependencies(fuzz_targets ${name})
endfunction()
