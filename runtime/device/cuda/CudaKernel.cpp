//===- CudaKernel.cpp - Kernels from PTX and cubins -----------------------===//

#include "runtime/device/cuda/CudaKernel.h"

#include "runtime/device/cuda/CubinHeader.h"
#include "runtime/device/cuda/PtxHeader.h"

#include <array>

using namespace quern;
using namespace quern::cuda;

static Status checkHeader(const PtxHeader &header,
                          const KernelDescription &desc,
                          const PhysicalDevice &device) {
  bool runs = header.isExact ? header.architecture == device.architecture
                             : header.architecture <= device.architecture;
  std::string own = "sm_" + std::to_string(device.architecture);
  if (!runs)
    return unsupported("the bundle has code for " + header.target +
                       (header.isExact ? " alone" : " and newer") +
                       ", the GPU "
                       "'" +
                       device.info.name + "' is " + own +
                       ": compile the model with --target cuda, for all since "
                       "Ampere");
  if (header.numParameters != desc.arguments.size() || !header.onlyAddresses)
    return corrupt("the code takes " + std::to_string(header.numParameters) +
                   " parameters, expected " +
                   std::to_string(desc.arguments.size()) + " addresses");
  return Status::ok();
}

/// The text of a module of PTX, as far as its zero.
static Result<std::string> readPtx(const KernelDescription &desc,
                                   const PhysicalDevice &device) {
  std::string text(reinterpret_cast<const char *>(desc.code.data()),
                   desc.code.size());
  if (size_t end = text.find('\0'); end != std::string::npos)
    text.resize(end);
  QUERN_ASSIGN_OR_RETURN(PtxHeader header,
                         readPtxHeader(text, desc.entryPoint));
  QUERN_RETURN_IF_ERROR(checkHeader(header, desc, device));
  return text;
}

/// The bytes of a cubin. The driver says whether it is for the device.
static Result<std::string> readCubin(const KernelDescription &desc) {
  QUERN_ASSIGN_OR_RETURN(size_t bytes,
                         readCubinParameterBytes(desc.code, desc.entryPoint));
  if (bytes != desc.arguments.size() * sizeof(DevicePointer))
    return corrupt("the code takes " + std::to_string(bytes) +
                   " bytes of parameters, expected " +
                   std::to_string(desc.arguments.size()) + " addresses");
  return std::string(reinterpret_cast<const char *>(desc.code.data()),
                     desc.code.size());
}

/// Of what the driver's compiler said, the first lines.
static std::string shorten(std::string text) {
  constexpr size_t limit = 400;
  if (text.size() > limit)
    text = text.substr(0, limit) + " ...";
  while (!text.empty() && text.back() == '\n')
    text.pop_back();
  return text;
}

static Status loadModule(CudaContext &context, const std::string &image,
                         Module &module) {
  std::array<char, 4096> log = {};
  std::array<JitOption, 2> options = {JitErrorLogBuffer,
                                      JitErrorLogBufferBytes};
  std::array<void *, 2> values = {log.data(),
                                  reinterpret_cast<void *>(log.size() - 1)};
  Code code = context.functions.cuModuleLoadDataEx(
      &module, image.c_str(), static_cast<unsigned>(options.size()),
      options.data(), values.data());
  if (code == UnsupportedPtxVersion)
    return unsupported(
        "the driver (CUDA " + formatVersion(context.functions.driverVersion) +
        ") is too old for the bundle's code (" +
        describeCode(context.functions, code) +
        "): update the driver, or compile the model anew for it");
  std::string said = shorten(log.data());
  if (code == NoBinaryForGpu || code == InvalidImage)
    return unsupported("the driver (CUDA " +
                       formatVersion(context.functions.driverVersion) +
                       ") does not take the bundle's code for the GPU '" +
                       context.physical.info.name + "' (" +
                       describeCode(context.functions, code) +
                       "): update the driver, or let it compile the PTX of "
                       "the bundle with QUERN_CUDA_PTX=1");
  return context.check(code, "the driver can't compile the code" +
                                 (said.empty() ? "" : " (" + said + ")"));
}

static Status checkFunction(CudaContext &context, const CudaKernel &kernel) {
  uint32_t threads = 1;
  for (uint32_t extent : kernel.desc.workgroupSize)
    threads *= extent;
  int most = 0;
  QUERN_RETURN_IF_ERROR(
      context.check(context.functions.cuFuncGetAttribute(
                        &most, FunctionMaxThreads, kernel.function),
                    "can't describe the compiled code"));
  if (threads > static_cast<uint32_t>(std::max(most, 0)))
    return unsupported("needs workgroups of " + std::to_string(threads) +
                       " threads, its registers allow " + std::to_string(most) +
                       " on the GPU '" + context.physical.info.name + "'");
  return Status::ok();
}

static Status create(CudaContext &context, const KernelDescription &desc,
                     CudaKernel &kernel) {
  // A copy: the driver wants a zero behind a text and an aligned image.
  QUERN_ASSIGN_OR_RETURN(std::string image,
                         isCubin(desc.code) ? readCubin(desc)
                                            : readPtx(desc, context.physical));
  QUERN_RETURN_IF_ERROR(loadModule(context, image, kernel.module));
  QUERN_RETURN_IF_ERROR(context.check(
      context.functions.cuModuleGetFunction(&kernel.function, kernel.module,
                                            desc.entryPoint.c_str()),
      "can't find '" + desc.entryPoint + "' in the compiled code"));
  kernel.desc = desc;
  kernel.desc.code = {}; // The caller's memory.
  return checkFunction(context, kernel);
}

Result<CudaKernel> cuda::createKernel(CudaContext &context,
                                      const KernelDescription &desc) {
  CudaKernel kernel;
  Status status = create(context, desc, kernel);
  if (status.isOk())
    return kernel;
  if (kernel.module)
    context.functions.cuModuleUnload(kernel.module);
  return std::move(status).withContext("kernel '" + desc.name + "'");
}
