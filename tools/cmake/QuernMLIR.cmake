# Finds MLIR 22 and declares the functions of the compiler's folders. MLIR and
# LLVM are linked as their shared libraries only: naming MLIRFoo targets beside
# MLIR would give two copies.

find_package(MLIR 22.1 REQUIRED CONFIG HINTS /usr/lib/llvm-22/lib/cmake/mlir)
list(APPEND CMAKE_MODULE_PATH "${MLIR_CMAKE_DIR}" "${LLVM_CMAKE_DIR}")
set(MLIR_LINK_MLIR_DYLIB ON)
set(LLVM_LINK_LLVM_DYLIB ON)
set(QUERN_SAVED_CXX_FLAGS "${CMAKE_CXX_FLAGS}")
include(TableGen)
include(AddLLVM)
include(AddMLIR)
set(CMAKE_CXX_FLAGS "${QUERN_SAVED_CXX_FLAGS}")
separate_arguments(QUERN_LLVM_DEFINITIONS NATIVE_COMMAND ${LLVM_DEFINITIONS})

# The interface through which compiler libraries see MLIR: system includes, no
# exceptions, one shared library.
add_library(quern-mlir INTERFACE)
target_include_directories(quern-mlir SYSTEM INTERFACE ${LLVM_INCLUDE_DIRS}
                                                       ${MLIR_INCLUDE_DIRS})
target_compile_options(quern-mlir INTERFACE ${QUERN_LLVM_DEFINITIONS})
target_link_libraries(quern-mlir INTERFACE MLIR LLVM)

# MLIR's headers take 40 % of the time of compiling our code. GCC's precompiled
# headers differ from build folder to build folder, so that ccache would find
# nothing; with ccache they are off.
if(CMAKE_CXX_COMPILER_LAUNCHER MATCHES ccache)
  set(QUERN_PRECOMPILE_DEFAULT OFF)
else()
  set(QUERN_PRECOMPILE_DEFAULT ON)
endif()
option(QUERN_PRECOMPILE_HEADERS "Precompile the headers of MLIR"
       ${QUERN_PRECOMPILE_DEFAULT})
if(QUERN_PRECOMPILE_HEADERS)
  file(WRITE ${CMAKE_BINARY_DIR}/MLIRHeaders.cpp "")
  add_library(quern-mlir-headers OBJECT ${CMAKE_BINARY_DIR}/MLIRHeaders.cpp)
  quern_configure_target(quern-mlir-headers)
  target_link_libraries(quern-mlir-headers PRIVATE quern-mlir)
  target_compile_options(quern-mlir-headers PRIVATE -fno-exceptions -O1)
  target_precompile_headers(quern-mlir-headers PRIVATE
    <mlir/IR/Builders.h> <mlir/IR/BuiltinOps.h> <mlir/IR/BuiltinTypes.h>
    <mlir/IR/OpImplementation.h> <mlir/IR/PatternMatch.h> <mlir/Pass/Pass.h>
    <mlir/Transforms/GreedyPatternRewriteDriver.h> <llvm/ADT/TypeSwitch.h>)
endif()

# What libraries and executables with MLIR have in common.
function(quern_configure_mlir_target name)
  quern_configure_target(${name})
  # The compiler spends its time in MLIR and LLVM, which are built already;
  # compiling its own code is what takes time.
  target_compile_options(${name} PRIVATE -fno-exceptions -O1)
  if(QUERN_PRECOMPILE_HEADERS)
    target_precompile_headers(${name} REUSE_FROM quern-mlir-headers)
  endif()
endfunction()

# The folders in which .td files look for their includes.
set(QUERN_TABLEGEN_INCLUDES ${MLIR_INCLUDE_DIRS} ${CMAKE_SOURCE_DIR})

# quern_mlir_tablegen(OUTPUT generator-args...): one generated file of
# LLVM_TARGET_DEFINITIONS, with our include folders.
macro(quern_mlir_tablegen output)
  mlir_tablegen(${output} ${ARGN} EXTRA_INCLUDES ${QUERN_TABLEGEN_INCLUDES})
endmacro()

# quern_tablegen_dialect(NAME Qwen TD QwenOps.td DIALECT qwen)
# writes QwenDialect, QwenOps, QwenTypes, QwenAttrs and QwenEnums .h.inc and
# .cpp.inc into the matching folder of the build tree (include them as
# "dialects/Qwen/IR/QwenOps.h.inc") and declares the target QuernQwenIncGen,
# which libraries name in DEPENDS.
function(quern_tablegen_dialect)
  cmake_parse_arguments(ARG "" "NAME;TD;DIALECT" "" ${ARGN})
  set(LLVM_TARGET_DEFINITIONS ${ARG_TD})
  foreach(kind decls defs)
    if(kind STREQUAL decls)
      set(suffix h.inc)
    else()
      set(suffix cpp.inc)
    endif()
    quern_mlir_tablegen(${ARG_NAME}Dialect.${suffix} -gen-dialect-${kind}
                        -dialect=${ARG_DIALECT})
    quern_mlir_tablegen(${ARG_NAME}Ops.${suffix} -gen-op-${kind}
                        -dialect=${ARG_DIALECT})
    quern_mlir_tablegen(${ARG_NAME}Types.${suffix} -gen-typedef-${kind}
                        -typedefs-dialect=${ARG_DIALECT})
    quern_mlir_tablegen(${ARG_NAME}Attrs.${suffix} -gen-attrdef-${kind}
                        -attrdefs-dialect=${ARG_DIALECT})
    quern_mlir_tablegen(${ARG_NAME}Enums.${suffix} -gen-enum-${kind})
  endforeach()
  add_public_tablegen_target(Quern${ARG_NAME}IncGen)
endfunction()

# quern_tablegen_interfaces(NAME QwenInterfaces TD QwenInterfaces.td): op
# interfaces of a dialect, target QuernQwenInterfacesIncGen.
function(quern_tablegen_interfaces)
  cmake_parse_arguments(ARG "" "NAME;TD" "" ${ARGN})
  set(LLVM_TARGET_DEFINITIONS ${ARG_TD})
  quern_mlir_tablegen(${ARG_NAME}.h.inc -gen-op-interface-decls)
  quern_mlir_tablegen(${ARG_NAME}.cpp.inc -gen-op-interface-defs)
  add_public_tablegen_target(Quern${ARG_NAME}IncGen)
endfunction()

# quern_tablegen_passes(NAME Passes TD Passes.td GROUP Quern): declarations and
# registration of passes, target Quern<NAME>IncGen.
function(quern_tablegen_passes)
  cmake_parse_arguments(ARG "" "NAME;TD;GROUP" "" ${ARGN})
  set(LLVM_TARGET_DEFINITIONS ${ARG_TD})
  quern_mlir_tablegen(${ARG_NAME}.h.inc -gen-pass-decls -name=${ARG_GROUP})
  add_public_tablegen_target(Quern${ARG_NAME}IncGen)
endfunction()

# quern_add_mlir_library(NAME SOURCES a.cpp ... LINK lib ... DEPENDS tgt ...)
function(quern_add_mlir_library name)
  cmake_parse_arguments(ARG "UNITY" "" "SOURCES;LINK;DEPENDS" ${ARGN})
  add_library(${name} STATIC ${ARG_SOURCES})
  quern_configure_mlir_target(${name})
  target_link_libraries(${name} PUBLIC quern-mlir ${ARG_LINK})
  if(ARG_DEPENDS)
    add_dependencies(${name} ${ARG_DEPENDS})
  endif()
  if(ARG_UNITY)
    set_target_properties(${name} PROPERTIES UNITY_BUILD ON
                                             UNITY_BUILD_BATCH_SIZE 6)
  endif()
endfunction()

# quern_add_mlir_executable(NAME SOURCES a.cpp ... LINK lib ... DEPENDS tgt ...)
function(quern_add_mlir_executable name)
  cmake_parse_arguments(ARG "" "" "SOURCES;LINK;DEPENDS" ${ARGN})
  add_executable(${name} ${ARG_SOURCES})
  quern_configure_mlir_target(${name})
  target_link_libraries(${name} PRIVATE quern-mlir ${ARG_LINK})
  if(ARG_DEPENDS)
    add_dependencies(${name} ${ARG_DEPENDS})
  endif()
endfunction()
