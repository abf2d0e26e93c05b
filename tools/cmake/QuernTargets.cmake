# Functions that every folder uses to declare its libraries, tools and tests.

set(QUERN_WARNINGS -Wall -Wextra -Wno-unused-parameter -Werror)
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
  # GCC 12 warns falsely about "literal" + std::string (GCC bug 105651).
  list(APPEND QUERN_WARNINGS -Wno-restrict)
elseif(CMAKE_CXX_COMPILER_ID MATCHES "Clang")
  # libstdc++ 12 calls what it deprecates in std::stable_sort.
  list(APPEND QUERN_WARNINGS -Wno-deprecated-declarations)
endif()

# Applies the include root, warnings and sanitizers to a target of ours.
function(quern_configure_target name)
  target_include_directories(${name} PUBLIC ${CMAKE_SOURCE_DIR}
                                            ${CMAKE_BINARY_DIR})
  target_compile_options(${name} PRIVATE ${QUERN_WARNINGS})
  if(QUERN_SANITIZE)
    target_compile_options(${name} PRIVATE -fsanitize=${QUERN_SANITIZE}
                                           -fno-omit-frame-pointer)
    target_link_options(${name} PUBLIC -fsanitize=${QUERN_SANITIZE})
  endif()
  if(QUERN_BUILD_FUZZERS)
    # Coverage for libFuzzer; only the harnesses link its main function.
    target_compile_options(${name} PRIVATE -fsanitize=fuzzer-no-link)
    target_link_options(${name} PUBLIC -fsanitize=fuzzer-no-link)
  endif()
endfunction()

# quern_add_library(NAME SOURCES a.cpp ... LINK lib ... [UNITY])
# A static library without MLIR. UNITY compiles its small files as one unit.
function(quern_add_library name)
  cmake_parse_arguments(ARG "UNITY" "" "SOURCES;LINK" ${ARGN})
  add_library(${name} STATIC ${ARG_SOURCES})
  quern_configure_target(${name})
  target_link_libraries(${name} PUBLIC ${ARG_LINK})
  if(ARG_UNITY)
    set_target_properties(${name} PROPERTIES UNITY_BUILD ON
                                             UNITY_BUILD_BATCH_SIZE 8)
  endif()
endfunction()

# quern_add_executable(NAME SOURCES a.cpp ... LINK lib ...)
function(quern_add_executable name)
  cmake_parse_arguments(ARG "" "" "SOURCES;LINK" ${ARGN})
  add_executable(${name} ${ARG_SOURCES})
  quern_configure_target(${name})
  target_link_libraries(${name} PRIVATE ${ARG_LINK})
endfunction()

# quern_add_test(NAME SOURCES a.cpp ... LINK lib ...)
# A GoogleTest binary registered with ctest. Tests find their data through the
# macro QUERN_SOURCE_DIR and the optional ../shared through QUERN_SHARED_DIR.
function(quern_add_test name)
  cmake_parse_arguments(ARG "" "" "SOURCES;LINK" ${ARGN})
  add_executable(${name} ${ARG_SOURCES})
  quern_configure_target(${name})
  # Tests run for seconds; compiling them is what takes time.
  target_compile_options(${name} PRIVATE -O1)
  target_compile_definitions(${name} PRIVATE
    QUERN_SOURCE_DIR="${CMAKE_SOURCE_DIR}"
    QUERN_SHARED_DIR="${CMAKE_SOURCE_DIR}/../shared"
    QUERN_BINARY_DIR="${CMAKE_BINARY_DIR}")
  target_link_libraries(${name} PRIVATE ${ARG_LINK} GTest::gtest_main)
  add_test(NAME ${name} COMMAND ${name})
endfunction()

# quern_add_fuzzer(NAME SOURCES a.cpp ... LINK lib ... [DICTIONARY file]
#                  [MUTATIONS n])
# A harness (test/fuzz/Fuzz.h) named quern-fuzz-<NAME> with its corpus in
# test/fuzz/corpus/<NAME>. Ordinarily it replays the corpus and n fixed
# mutations of it as the test fuzz-<NAME>; with QUERN_BUILD_FUZZERS (clang) it
# is a libFuzzer binary, and the test only replays the corpus.
function(quern_add_fuzzer name)
  cmake_parse_arguments(ARG "" "DICTIONARY;MUTATIONS" "SOURCES;LINK" ${ARGN})
  set(target quern-fuzz-${name})
  set(corpus ${CMAKE_SOURCE_DIR}/test/fuzz/corpus/${name})
  if(QUERN_BUILD_FUZZERS)
    quern_add_executable(${target} SOURCES ${ARG_SOURCES} LINK ${ARG_LINK})
    target_link_options(${target} PRIVATE -fsanitize=fuzzer)
    add_test(NAME fuzz-${name} COMMAND ${target} -runs=0 ${corpus})
    return()
  endif()
  if(NOT ARG_MUTATIONS)
    set(ARG_MUTATIONS 2000)
  endif()
  set(arguments --mutations ${ARG_MUTATIONS})
  if(ARG_DICTIONARY)
    list(APPEND arguments --dictionary
         ${CMAKE_CURRENT_SOURCE_DIR}/${ARG_DICTIONARY})
  endif()
  quern_add_executable(${target} LINK ${ARG_LINK} SOURCES
    ${ARG_SOURCES} ${CMAKE_SOURCE_DIR}/test/fuzz/FuzzMain.cpp)
  add_test(NAME fuzz-${name} COMMAND ${target} ${arguments} ${corpus})
  set(timeout 300)
  if(QUERN_SANITIZE)
    set(timeout 1800)
  endif()
  set_tests_properties(fuzz-${name} PROPERTIES TIMEOUT ${timeout})
endfunction()
