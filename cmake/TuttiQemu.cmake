# Tests again on emulated processors, label "qemu": instruction sets that this machine has not, and
# old processors, on which nothing may be illegal. qemu takes the processor from QEMU_CPU.
#
#   tutti_qemu(NAME neon CPU cortex-a53 QUANTISED neon FLOAT NEON [ALL_ATTENTION])
#
# registers qemu.neon.<test> for every test in TUTTI_QEMU_TESTS, and qemu.neon.answer: the program
# must choose these instruction sets and give the answer that it gives everywhere. The two
# longest tests of attention, which take minutes, run where ALL_ATTENTION says so: once for all SVE
# machines, whose attention is NEON's, and natively on x86-64.
if(CMAKE_CROSSCOMPILING_EMULATOR)
  set(TUTTI_QEMU ${CMAKE_CROSSCOMPILING_EMULATOR})
elseif(CMAKE_SYSTEM_PROCESSOR STREQUAL x86_64)
  find_program(TUTTI_QEMU qemu-x86_64)
endif()
if(NOT TUTTI_QEMU OR NOT TUTTI_BUILD_TESTS OR TUTTI_SANITIZE)
  return()
endif()

# Small models of every kind of layer; the whole golden test takes an hour under qemu.
set(golden_filter "*/GoldenTest.*/qwen3_moe_wide_Q4_K_M_gguf:*/GoldenTest.*/gpt_oss_mxfp4:\
*/GoldenTest.*/deepseek_v3:*/GoldenTest.*/llama3_rope_gguf:*/BatchTest.*/qwen3_moe_wide_Q4_K_M_gguf_*")
set(answer "14 274 262 419 795 400 375 1535 4 37 397 14 403 1192 14 303 500 464 281 262 598 1007 1778 423")

set(TUTTI_QEMU_TESTS golden.golden_test golden.story_test)
get_property(kernel_tests DIRECTORY ${CMAKE_SOURCE_DIR}/src/tutti/kernels PROPERTY TESTS)
list(APPEND TUTTI_QEMU_TESTS ${kernel_tests})
# ./test builds this.
add_custom_target(qemu_tests)
add_dependencies(qemu_tests ${TUTTI_QEMU_TESTS})
if(TUTTI_CLI)
  add_dependencies(qemu_tests tutti)
endif()

function(tutti_qemu)
  cmake_parse_arguments(ARG "ALL_ATTENTION" "NAME;CPU;QUANTISED;FLOAT;WARNING" "" ${ARGN})
  foreach(test ${TUTTI_QEMU_TESTS})
    add_test(NAME qemu.${ARG_NAME}.${test} COMMAND ${TUTTI_QEMU} $<TARGET_FILE:${test}>)
    set_tests_properties(qemu.${ARG_NAME}.${test} PROPERTIES LABELS qemu TIMEOUT 1200
      ENVIRONMENT "QEMU_CPU=${ARG_CPU}")
  endforeach()
  set_property(TEST qemu.${ARG_NAME}.golden.golden_test APPEND PROPERTY
    ENVIRONMENT "GTEST_FILTER=${golden_filter}")
  if(NOT ARG_ALL_ATTENTION)
    set_property(TEST qemu.${ARG_NAME}.kernels.attention_test APPEND PROPERTY
      ENVIRONMENT "GTEST_FILTER=-*MatchesReference*:*ARowHasTheSameBits*")
  endif()
  if(NOT TUTTI_CLI)
    return()
  endif()
  add_test(NAME qemu.${ARG_NAME}.answer
    COMMAND ${TUTTI_QEMU} $<TARGET_FILE:tutti> run story --ids 0,49,80,359,540,261,574
      --temperature 0 --ignore-eos --max-tokens 24 --print-ids --verbose)
  set_tests_properties(qemu.${ARG_NAME}.answer PROPERTIES LABELS qemu TIMEOUT 600
    ENVIRONMENT "QEMU_CPU=${ARG_CPU}"
    PASS_REGULAR_EXPRESSION
      "^(qemu[^\n]*\n)*${ARG_WARNING}${answer}\n.*kernels: ${ARG_QUANTISED} for quantised.*; ${ARG_FLOAT} for float")
endfunction()

if(CMAKE_SYSTEM_PROCESSOR STREQUAL x86_64)
  set(warning "tutti: slow, in plain C[^\n]*\n")
  tutti_qemu(NAME sse2 CPU qemu64 QUANTISED portable FLOAT SCALAR WARNING ${warning})
  tutti_qemu(NAME ssse3 CPU Nehalem QUANTISED portable FLOAT SSSE3 WARNING ${warning})
  tutti_qemu(NAME sse4 CPU Westmere QUANTISED portable FLOAT SSE4 WARNING ${warning})
  tutti_qemu(NAME avx2 CPU Haswell QUANTISED avx2 FLOAT AVX2)
elseif(CMAKE_SYSTEM_PROCESSOR STREQUAL aarch64)
  tutti_qemu(NAME neon CPU cortex-a53 QUANTISED neon FLOAT NEON ALL_ATTENTION)
  tutti_qemu(NAME dotprod CPU neoverse-n1 QUANTISED neon-dotprod FLOAT NEON)
  tutti_qemu(NAME i8mm CPU max,sve=off QUANTISED neon-i8mm FLOAT NEON)
  tutti_qemu(NAME sve_512 CPU a64fx QUANTISED neon FLOAT SVE)
  tutti_qemu(NAME sve2_128 CPU max,sve128=on QUANTISED neon-i8mm FLOAT SVE2_128)
  tutti_qemu(NAME sve2_256 CPU max,sve256=on QUANTISED neon-i8mm FLOAT SVE_256)
  tutti_qemu(NAME sve2_512 CPU max,sve512=on QUANTISED neon-i8mm FLOAT SVE2)
elseif(CMAKE_SYSTEM_PROCESSOR STREQUAL riscv64)
  tutti_qemu(NAME rv64 CPU rv64 QUANTISED portable FLOAT SCALAR ALL_ATTENTION)
endif()
