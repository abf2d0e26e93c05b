# Functions that every folder uses to declare its libraries, tools and tests.

set(QUERN_WARNINGS -Wall -Wextra -Wno-unused-parameter -Werror)
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
  # GCC 12 warns falsely about "literal" + std::string (GCC bug 105651).
  list(APPEND QUERN_WARNINGS -Wno-restrict)
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
  target_compile_definitions(${name} PRIVATE
    QUERN_SOURCE_DIR="${CMAKE_SOURCE_DIR}"
    QUERN_SHARED_DIR="${CMAKE_SOURCE_DIR}/../shared"
    QUERN_BINARY_DIR="${CMAKE_BINARY_DIR}")
  target_link_libraries(${name} PRIVATE ${ARG_LINK} GTest::gtest_main)
  add_test(NAME ${name} COMMAND ${name})
endfunction()
