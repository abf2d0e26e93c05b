//===- IRDump.cpp - The IR after each pass, as files ----------------------===//
#include "tools/compile/IRDump.h"

#include "dialects/Exec/IR/ExecOps.h"

#include "mlir/IR/BuiltinOps.h"
#include "mlir/Pass/Pass.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/Format.h"
#include "llvm/Support/Path.h"
#include "llvm/Support/raw_ostream.h"

#include <map>

using namespace mlir;

/// "layers.3" of a location or label that begins with "layers.3.".
static StringRef findLayer(StringRef label) {
  if (!label.starts_with("layers."))
    return {};
  size_t end = label.find('.', strlen("layers."));
  return label.substr(0, end);
}

static std::string findLayer(Operation *op) {
  if (auto dispatch = dyn_cast<quern::exec::DispatchOp>(op))
    return findLayer(dispatch.getLabel().value_or("")).str();
  std::string layer;
  op->getLoc()->walk([&](Location location) {
    if (auto name = dyn_cast<NameLoc>(location))
      layer = findLayer(name.getName().getValue());
    return layer.empty() ? WalkResult::advance() : WalkResult::interrupt();
  });
  return layer;
}

namespace {

class IRDump : public PassInstrumentation {
public:
  explicit IRDump(std::string folder) : folder(std::move(folder)) {}

  void runAfterPass(Pass *pass, Operation *op) override {
    // Passes over functions run once for each; the module is what users read.
    Operation *module = op;
    while (module->getParentOp())
      module = module->getParentOp();
    if (pass->getArgument().empty() || pass == last)
      return;
    last = pass;
    std::string stem;
    llvm::raw_string_ostream(stem)
        << llvm::format("%02u-", count++) << pass->getArgument();
    write(stem + ".mlir", [&](raw_ostream &out) { module->print(out); });
    writeLayers(module, stem);
  }

private:
  void writeLayers(Operation *module, const std::string &stem) {
    std::map<std::string, std::string> layers;
    OpPrintingFlags flags;
    flags.useLocalScope().skipRegions();
    module->walk([&](Operation *op) {
      std::string layer = findLayer(op);
      if (layer.empty())
        return;
      llvm::raw_string_ostream out(layers[layer]);
      op->print(out, flags);
      out << "\n";
    });
    for (auto &[layer, text] : layers)
      write(stem + "/" + layer + ".mlir",
            [&](raw_ostream &out) { out << text; });
  }

  template <typename Print> void write(const std::string &name, Print print) {
    llvm::SmallString<256> path(folder);
    llvm::sys::path::append(path, name);
    std::error_code error =
        llvm::sys::fs::create_directories(llvm::sys::path::parent_path(path));
    if (!error) {
      llvm::raw_fd_ostream out(path, error);
      if (!error)
        print(out);
    }
    if (error)
      llvm::errs() << "quern: warning: can't write '" << path
                   << "': " << error.message() << "\n";
  }

  std::string folder;
  unsigned count = 0;
  Pass *last = nullptr;
};

} // namespace

std::unique_ptr<PassInstrumentation> quern::createIRDump(std::string folder) {
  return std::make_unique<IRDump>(std::move(folder));
}
