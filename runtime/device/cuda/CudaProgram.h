//===- CudaProgram.h - A program as a CUDA graph -----------------*- C++
//-*-===//
#ifndef QUERN_RUNTIME_DEVICE_CUDA_CUDAPROGRAM_H
#define QUERN_RUNTIME_DEVICE_CUDA_CUDAPROGRAM_H

#include "runtime/device/cuda/CudaKernel.h"
#include "runtime/device/cuda/CudaMemory.h"

namespace quern::cuda {

/// Instantiated once. A run with the counts of the run before is one
/// cuGraphLaunch; other counts change the grids of the nodes that follow them.
class CudaProgram {
public:
  /// The description was checked; `context`, buffers and kernels outlive this.
  static Result<CudaProgram> record(CudaContext &context,
                                    const ProgramDescription &desc,
                                    BufferTable &buffers, KernelTable &kernels);
  CudaProgram(CudaProgram &&other) noexcept;
  CudaProgram &operator=(CudaProgram &&) = delete;
  ~CudaProgram();

  bool uses(BufferHandle buffer) const;
  /// Sets the grids of the next launch; InvalidArgument for counts beyond the
  /// recorded ones.
  Status setCounts(uint32_t tokens, uint32_t rows);
  Status launch();
  /// Launches one dispatch after the other with events between them.
  Result<std::vector<double>> profile();

private:
  struct Dispatch {
    Function function = nullptr;
    std::vector<DevicePointer> arguments;
    std::vector<void *> parameters; ///< Pointers to the arguments.
    std::array<uint32_t, 3> threads = {1, 1, 1};
    std::array<uint32_t, 3> grid = {1, 1, 1}; ///< Of the next launch.
    GraphNode node = nullptr;
    bool enabled = true;
  };

  explicit CudaProgram(CudaContext &context) : context(&context) {}
  KernelNodeParameters describe(Dispatch &dispatch) const;
  Status build();
  Status addNodes();
  Status setGrid(Dispatch &dispatch, const std::array<uint32_t, 3> &grid);
  Status profileInto(std::vector<Event> &events,
                     std::vector<double> &nanoseconds);

  CudaContext *context;
  ProgramDescription desc;
  std::vector<Dispatch> dispatches;
  Graph graph = nullptr;
  GraphExec exec = nullptr;
};

} // namespace quern::cuda

#endif // QUERN_RUNTIME_DEVICE_CUDA_CUDAPROGRAM_H
