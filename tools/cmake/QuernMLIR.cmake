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
separate_arguments(QUERN_LLVM_DEFINITIONS NATIVE_COMMAND ${LLVM_DEFINITIONS})

# The interface through which compiler libraries see MLIR: system includes, no
# exceptions, one shared library.
add_library(quern-mlir INTERFACE)
target_include_directories(quern-mlir SYSTEM INTERFACE ${LLVM_INCLUDE_DIRS}
                                                       ${MLIR_INCLUDE_DIRS})
target_compile_definitions(quern-mlir INTERFACE)
target_compile_options(quern-mlir INTERFACE ${QUERN_LLVM_DEFINITIONS})
target_link_libraries(quern-mlir INTERFACE MLIR)

# quern_tablegen(TARGET TD_FILE output-name generator-args...)* style wrapper:
# quern_tablegen_dialect(NAME Qwen TD QwenOps.td DIALECT qwen)
# writes <td>.h.inc/.cpp.inc for dialect, ops, types, attributes and enums into
# the matching folder of the build tree.
function(quern_tablegen_dialect)
  cmake_parse_arguments(ARG "" "NAME;TD;DIALECT" "" ${ARGN})
  set(LLVM_TARGET_DEFINITIONS ${ARG_TD})
  mlir_tablegen(${ARG_NAME}Dialect.h.inc -gen-dialect-decls
                -dialect=${ARG_DIALECT})
  mlir_tablegen(${ARG_NAME}Dialect.cpp.inc -gen-dialect-defs
                -dialect=${ARG_DIALECT})
  mlir_tablegen(${ARG_NAME}Ops.h.inc -gen-op-decls)
  mlir_tablegen(${ARG_NAME}Ops.cpp.inc -gen-op-defs)
  mlir_tablegen(${ARG_NAME}Types.h.inc -gen-typedef-decls
                -typedefs-dialect=${ARG_DIALECT})
  mlir_tablegen(${ARG_NAME}Types.cpp.inc -gen-typedef-defs
                -typedefs-dialect=${ARG_DIALECT})
  mlir_tablegen(${ARG_NAME}Attrs.h.inc -gen-attrdef-decls
                -attrdefs-dialect=${ARG_DIALECT})
  mlir_tablegen(${ARG_NAME}Attrs.cpp.inc -gen-attrdef-defs
                -attrdefs-dialect=${ARG_DIALECT})
  mlir_tablegen(${ARG_NAME}Enums.h.inc -gen-enum-decls)
  mlir_tablegen(${ARG_NAME}Enums.cpp.inc -gen-enum-defs)
  add_public_tablegen_target(Quern${ARG_NAME}IncGen)
endfunction()

# quern_add_mlir_library(NAME SOURCES a.cpp ... LINK lib ... DEPENDS tgt ...)
function(quern_add_mlir_library name)
  cmake_parse_arguments(ARG "UNITY" "" "SOURCES;LINK;DEPENDS" ${ARGN})
  add_library(${name} STATIC ${ARG_SOURCES})
  quern_configure_target(${name})
  target_compile_options(${name} PRIVATE -fno-exceptions)
  target_link_libraries(${name} PUBLIC quern-mlir ${ARG_LINK})
  if(ARG_DEPENDS)
    add_dependencies(${name} ${ARG_DEPENDS})
  endif()
  if(ARG_UNITY)
    set_target_properties(${name} PROPERTIES UNITY_BUILD ON
                                             UNITY_BUILD_BATCH_SIZE 6)
  endif()
endfunction()
