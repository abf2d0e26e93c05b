//===- LinkImage.h - Object code -> loadable image --------------*- C++ -*-===//
//
// The linker of kernels. An image is a small ELF shared object, so that tools
// show it: one segment that is read and executed and never written, in which
// the file lies as it is loaded; no relocations, no imports; the entry address
// is the kernel's function. runtime/device/cpu/ElfImage.h reads it.
//
//===----------------------------------------------------------------------===//
#ifndef QUERN_CODEGEN_CPU_LINKIMAGE_H
#define QUERN_CODEGEN_CPU_LINKIMAGE_H

#include "runtime/base/Status.h"

#include <string>
#include <string_view>

namespace quern {

/// Places the sections of a relocatable ELF file that are loaded, and resolves
/// the relocations between them. Internal if something is left open: a symbol
/// that is not in the file, memory that is written, an absolute address.
Result<std::string> linkImage(std::string_view object, std::string_view entry);

} // namespace quern

#endif // QUERN_CODEGEN_CPU_LINKIMAGE_H
