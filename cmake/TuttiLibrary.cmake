# One function per folder:
#
#   tutti_library(NAME memory DEPS base os spec tensor [LIBS fmt::fmt])
#
# builds tutti_memory from the folder's *.cc and one test program from every *_test.cc beside
# them, registered in CTest as memory.<file> under the label of the folder. DEPS are folders of
# Tutti, LIBS are libraries from outside. A test file named *_slow_test.cc also gets the label
# "slow".
function(tutti_library)
  cmake_parse_arguments(ARG "" "NAME" "DEPS;LIBS" ${ARGN})
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
  get_filename_component(stem ${source} NAME_WE)
  set(name ${ARG_LABEL}.${stem})
  add_executable(${name} ${source})
  target_include_directories(${name} PRIVATE ${CMAKE_SOURCE_DIR})
  target_link_libraries(${name} PRIVATE ${ARG_DEPS} GTest::gtest GTest::gmock GTest::gtest_main)
  target_compile_definitions(${name} PRIVATE
    TUTTI_SHARED_DIR="${TUTTI_SHARED_DIR}" TUTTI_SOURCE_DIR="${CMAKE_SOURCE_DIR}")
  add_test(NAME ${name} COMMAND ${name})
  set(labels ${ARG_LABEL})
  if(stem MATCHES "_slow_test$")
    list(APPEND labels slow)
  endif()
  set_tests_properties(${name} PROPERTIES LABELS "${labels}" TIMEOUT 600)
endfunction()

# tutti_fuzzer(path/foo_fuzz.cc DEPS tutti_format): one libFuzzer target; only in the fuzz preset.
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
endfunction()
