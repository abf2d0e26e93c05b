//===- RandomProgramsTest.cpp - Memory passes on random programs ----------===//
//
// --exec-verify-exec shares no code with the passes that plan memory and
// insert barriers, so each is a test of the other: what the passes make must be
// accepted, and with any one barrier gone or any one buffer moved onto a live
// one it must be refused.
//
//===----------------------------------------------------------------------===//
#include "dialects/Exec/IR/ExecOps.h"
#include "dialects/Qwen/IR/QwenOps.h"
#include "passes/Passes.h"

#include "mlir/Parser/Parser.h"
#include "mlir/Pass/PassManager.h"
#include "gtest/gtest.h"

#include <random>

using namespace mlir;
using namespace quern;

namespace {

/// Writes a module with one program: each dispatch reads up to three of the
/// latest buffers and perhaps a state, and writes a new buffer.
class ProgramWriter {
public:
  explicit ProgramWriter(unsigned seed) : random(seed) {}

  std::string write(int numDispatches) {
    for (int state = 0; state < 2; ++state)
      symbols += "qwen.state @s" + std::to_string(state) +
                 " key_cache : " + kState + "\n";
    for (int state = 0; state < 2; ++state)
      body += "%s" + std::to_string(state) + " = exec.state_ref @s" +
              std::to_string(state) + " : !exec.buffer<" + kState + ">\n";
    for (int index = 0; index < numDispatches; ++index)
      addDispatch(index);
    return symbols + "exec.program @p kind verify tokens 8 rows 8 {\n" + body +
           "}\n";
  }

private:
  static constexpr const char *kState = "tensor<2x4x2x8xf32>";

  void addDispatch(int index) {
    std::string name = std::to_string(index);
    std::string type =
        "tensor<" + std::to_string(8 * (1 + random() % 60)) + "xf32>";
    body += "%b" + name + " = exec.alloc : !exec.buffer<" + type + ">\n";
    std::string arguments = "#exec.argument<write, " + type + ">";
    std::string operands = "%b" + name, operandTypes = wrap(type);
    auto add = [&](const std::string &effect, const std::string &operand,
                   const std::string &operandType) {
      arguments += ", #exec.argument<" + effect + ", " + operandType + ">";
      operands += ", " + operand;
      operandTypes += ", " + wrap(operandType);
    };
    for (unsigned i = 0; i < random() % 4 && index > 0; ++i) {
      // Mostly the latest ones, now and then any.
      int reach = random() % 8 == 0 ? index : std::min(index, 4);
      int source = index - 1 - int(random() % reach);
      add("read", "%b" + std::to_string(source), types[source]);
    }
    if (random() % 4 == 0)
      add(random() % 2 ? "read" : "readwrite",
          "%s" + std::to_string(random() % 2), kState);
    symbols += "exec.kernel @k" + name + " family \"f\" arguments [" +
               arguments + "] config {}\n";
    body += "exec.dispatch @k" + name + "(" + operands + ") : " + operandTypes +
            "\n";
    types.push_back(type);
  }

  static std::string wrap(const std::string &type) {
    return "!exec.buffer<" + type + ">";
  }

  std::mt19937 random;
  std::string symbols, body;
  std::vector<std::string> types;
};

class RandomPrograms : public testing::Test {
protected:
  RandomPrograms() {
    context.disableMultithreading();
    context.loadDialect<qwen::QwenDialect, exec::ExecDialect>();
    context.getDiagEngine().registerHandler(
        [&](Diagnostic &diag) { message = diag.str(); });
  }

  OwningOpRef<ModuleOp> makePlanned(unsigned seed) {
    ProgramWriter writer(seed);
    auto module = parseSourceString<ModuleOp>(writer.write(10 + seed % 50),
                                              ParserConfig(&context));
    EXPECT_TRUE(module) << message;
    PassManager manager(&context);
    manager.addPass(createPlanMemoryPass());
    manager.addPass(createInsertBarriersPass());
    EXPECT_TRUE(succeeded(manager.run(*module))) << message;
    return module;
  }

  bool isAccepted(ModuleOp module) {
    PassManager manager(&context);
    manager.addPass(createVerifyExecPass());
    return succeeded(manager.run(module));
  }

  template <typename OpT> static SmallVector<OpT> collect(ModuleOp module) {
    SmallVector<OpT> ops;
    module.walk([&](OpT op) { ops.push_back(op); });
    return ops;
  }

  MLIRContext context;
  std::string message;
};

} // namespace

TEST_F(RandomPrograms, PlansAreAccepted) {
  for (unsigned seed = 0; seed < 100; ++seed)
    EXPECT_TRUE(isAccepted(*makePlanned(seed))) << seed << ": " << message;
}

TEST_F(RandomPrograms, NoBarrierCanBeLeftOut) {
  size_t numRemoved = 0;
  for (unsigned seed = 0; seed < 20; ++seed) {
    OwningOpRef<ModuleOp> planned = makePlanned(seed);
    size_t count = collect<exec::BarrierOp>(*planned).size();
    for (size_t index = 0; index < count; ++index) {
      OwningOpRef<ModuleOp> module = planned->clone();
      collect<exec::BarrierOp>(*module)[index].erase();
      EXPECT_FALSE(isAccepted(*module)) << seed << ", barrier " << index;
      EXPECT_NE(message.find("needs a barrier"), std::string::npos) << message;
      ++numRemoved;
    }
  }
  EXPECT_GT(numRemoved, 100u);
}

TEST_F(RandomPrograms, NoBufferCanLieOnALiveOne) {
  size_t numMoved = 0;
  for (unsigned seed = 0; seed < 20; ++seed) {
    OwningOpRef<ModuleOp> planned = makePlanned(seed);
    size_t count = collect<exec::DispatchOp>(*planned).size();
    for (size_t index = 0; index < count; ++index) {
      OwningOpRef<ModuleOp> module = planned->clone();
      auto dispatch = collect<exec::DispatchOp>(*module)[index];
      // The result onto an operand of the same dispatch.
      auto result = dispatch.getOperands()[0].getDefiningOp<exec::AllocOp>();
      exec::AllocOp source;
      for (Value operand : dispatch.getOperands().drop_front())
        if (auto alloc = operand.getDefiningOp<exec::AllocOp>())
          source = alloc;
      if (!source)
        continue;
      result.setOffset(source.getOffset());
      EXPECT_FALSE(isAccepted(*module)) << seed << ", dispatch " << index;
      ++numMoved;
    }
  }
  EXPECT_GT(numMoved, 100u);
}
