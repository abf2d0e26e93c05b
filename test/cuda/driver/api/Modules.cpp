//===- Modules.cpp - Loading PTX, functions, variables --------------------===//

#include "test/cuda/driver/api/State.h"

#include <algorithm>
#include <cstring>

using namespace quern::ptx;

//===----------------------------------------------------------------------===//
// Loading
//===----------------------------------------------------------------------===//

namespace {
struct Log {
  char *buffer = nullptr;
  size_t bytes = 0;

  void write(const std::string &text) const {
    if (!buffer || bytes == 0)
      return;
    size_t length = std::min(bytes - 1, text.size());
    std::memcpy(buffer, text.data(), length);
    buffer[length] = '\0';
  }
};
} // namespace

/// The buffer for errors of the options of a load.
static Log readJitOptions(unsigned count, const int *names, void **values) {
  Log error;
  for (unsigned i = 0; i != count; ++i) {
    auto number = reinterpret_cast<uintptr_t>(values[i]);
    switch (names[i]) {
    case JitErrorLogBuffer:
      error.buffer = static_cast<char *>(values[i]);
      break;
    case JitErrorLogBufferBytes:
      error.bytes = number;
      break;
    case JitInfoLogBuffer:
      *static_cast<char *>(values[i]) = '\0';
      break;
    case JitInfoLogBufferBytes:
    case JitMaxRegisters:
    case JitOptimizationLevel:
    case JitLogVerbose:
      break;
    default:
      throw ApiError(InvalidValue, "the test driver has no JIT option " +
                                       std::to_string(names[i]));
    }
  }
  return error;
}

/// The highest PTX version of a driver: CUDA 13.0 has 9.0, 12.3 has 8.3.
static unsigned getPtxVersion(int driverVersion) {
  int major = driverVersion / 1000, minor = driverVersion % 1000 / 10;
  return static_cast<unsigned>((major - 4) * 10 + std::min(minor, 8));
}

static void placeVariable(Variable &variable, void *) {
  State &state = State::get();
  variable.address =
      state.memory->allocate(variable.size, state.options.memoryBytes);
  if (variable.address == 0)
    throw ApiError(OutOfMemory, "no memory for '" + variable.name + "'");
  std::byte *data =
      state.memory->access(variable.address, variable.size, false, true);
  if (!variable.initial.empty())
    std::memcpy(data, variable.initial.data(), variable.size);
  state.memory->markWritten(variable.address, variable.size);
  Allocation *allocation = state.memory->find(variable.address);
  allocation->readOnly = variable.space == Space::Constant;
}

static void checkTarget(const Module &module) {
  const Options &options = State::get().options;
  if (module.version > getPtxVersion(options.driverVersion))
    throw ApiError(UnsupportedPtxVersion,
                   "PTX " + std::to_string(module.version / 10) + "." +
                       std::to_string(module.version % 10) +
                       " is newer than the driver");
  bool exact = module.targetName.ends_with('a');
  if (module.target > options.architecture ||
      (exact && module.target != options.architecture))
    throw ApiError(InvalidPtx, "code for " + module.targetName +
                                   " does not run on sm_" +
                                   std::to_string(options.architecture));
}

QUERN_CUDA_API cuModuleLoadDataEx(void **module, const void *image,
                                  unsigned numOptions, int *optionNames,
                                  void **optionValues) {
  return callApi("cuModuleLoadDataEx", Needs::Context, [&] {
    require(module && image, "null pointer");
    Log log = readJitOptions(numOptions, optionNames, optionValues);
    const auto *text = static_cast<const char *>(image);
    if (std::memcmp(text,
                    "\x7f"
                    "ELF",
                    4) == 0)
      throw ApiError(NoBinaryForGpu, "the test driver runs PTX alone");
    State &state = State::get();
    auto loaded = std::make_unique<LoadedModule>();
    try {
      loaded->module = parseModule(text, placeVariable, nullptr);
      checkTarget(*loaded->module);
    } catch (const ParseError &error) {
      log.write(error.what());
      throw ApiError(InvalidPtx, error.what());
    } catch (const ApiError &error) {
      log.write(error.what());
      throw;
    }
    ++state.counters.modulesLoaded;
    *module = addObject(state.modules, std::move(loaded));
    return Success;
  });
}

QUERN_CUDA_API cuModuleLoadData(void **module, const void *image) {
  return cuModuleLoadDataEx(module, image, 0, nullptr, nullptr);
}

QUERN_CUDA_API cuModuleUnload(void *handle) {
  return callApi("cuModuleUnload", Needs::Context, [&] {
    State &state = State::get();
    LoadedModule &module = findObject(state.modules, handle, "module");
    state.runAllStreams(/*nonBlocking=*/true);
    for (auto &[name, function] : module.functions)
      state.functions.erase(function.get());
    for (auto &[name, variable] : module.module->variables)
      state.memory->free(variable->address);
    state.modules.erase(handle);
    return Success;
  });
}

QUERN_CUDA_API cuModuleGetFunction(void **function, void *handle,
                                   const char *name) {
  return callApi("cuModuleGetFunction", Needs::Context, [&] {
    State &state = State::get();
    LoadedModule &module = findObject(state.modules, handle, "module");
    auto kernel = module.module->kernels.find(name);
    if (kernel == module.module->kernels.end())
      throw ApiError(NotFound,
                     "the module has no kernel '" + std::string(name) + "'");
    auto &slot = module.functions[name];
    if (!slot)
      slot = std::make_unique<Function>(
          Function{&module, kernel->second.get(), 0});
    state.functions.insert(slot.get());
    *function = slot.get();
    return Success;
  });
}

QUERN_CUDA_API cuModuleGetGlobal_v2(DevicePointer *address, size_t *bytes,
                                    void *handle, const char *name) {
  return callApi("cuModuleGetGlobal_v2", Needs::Context, [&] {
    LoadedModule &module = findObject(State::get().modules, handle, "module");
    auto found = module.module->variables.find(name);
    if (found == module.module->variables.end())
      throw ApiError(NotFound,
                     "the module has no variable '" + std::string(name) + "'");
    if (address)
      *address = found->second->address;
    if (bytes)
      *bytes = found->second->size;
    return Success;
  });
}

//===----------------------------------------------------------------------===//
// Functions
//===----------------------------------------------------------------------===//

static Function &findFunction(void *handle) {
  if (!State::get().functions.contains(handle))
    throw ApiError(InvalidHandle, "no such function");
  return *static_cast<Function *>(handle);
}

QUERN_CUDA_API cuFuncGetAttribute(int *value, int attribute, void *handle) {
  return callApi("cuFuncGetAttribute", Needs::Context, [&] {
    const Function &function = findFunction(handle);
    const Kernel &kernel = *function.kernel;
    const Module &module = *function.owner->module;
    const auto &[x, y, z] = kernel.requiredThreads;
    switch (attribute) {
    case FunctionMaxThreads:
      *value = static_cast<int>(x ? x * y * z : kernel.maxThreads);
      break;
    case FunctionSharedBytes:
      *value = static_cast<int>(kernel.staticSharedBytes);
      break;
    case FunctionConstBytes:
      *value = 0;
      break;
    case FunctionLocalBytes:
      *value = static_cast<int>(kernel.localBytes);
      break;
    case FunctionRegisters: // Of PTX: what hardware uses is ptxas's to say.
      *value = static_cast<int>(std::min(kernel.numDeclared, 255U));
      break;
    case FunctionPtxVersion:
      *value = static_cast<int>(module.target);
      break;
    case FunctionBinaryVersion:
      *value = static_cast<int>(State::get().options.architecture);
      break;
    case FunctionMaxDynamicSharedBytes:
      *value = static_cast<int>(function.maxDynamicShared);
      break;
    default:
      throw ApiError(InvalidValue, "unknown attribute of a function");
    }
    return Success;
  });
}

QUERN_CUDA_API cuFuncSetAttribute(void *handle, int attribute, int value) {
  return callApi("cuFuncSetAttribute", Needs::Context, [&] {
    Function &function = findFunction(handle);
    require(attribute == FunctionMaxDynamicSharedBytes && value >= 0,
            "only the limit of dynamic shared memory can be set");
    unsigned architecture = State::get().options.architecture;
    uint32_t limit = architecture == 90   ? 227 << 10
                     : architecture == 80 ? 163 << 10
                                          : 99 << 10;
    if (function.kernel->staticSharedBytes + static_cast<uint32_t>(value) >
        limit)
      throw ApiError(InvalidValue, "more shared memory than a block can have");
    function.maxDynamicShared = static_cast<uint32_t>(value);
    return Success;
  });
}
