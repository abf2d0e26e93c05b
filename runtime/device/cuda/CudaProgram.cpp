//===- CudaProgram.cpp - A program as a CUDA graph ------------------------===//

#include "runtime/device/cuda/CudaProgram.h"

#include "runtime/device/DeviceChecks.h"

#include <utility>

using namespace quern;
using namespace quern::cuda;

Result<CudaProgram> CudaProgram::record(CudaContext &context,
                                        const ProgramDescription &desc,
                                        BufferTable &buffers,
                                        KernelTable &kernels) {
  CudaProgram program(context);
  program.desc = desc;
  program.dispatches.reserve(desc.dispatches.size());
  for (const DispatchDescription &from : desc.dispatches) {
    const CudaKernel &kernel = *kernels.find(from.kernel);
    Dispatch &to = program.dispatches.emplace_back();
    to.function = kernel.function;
    to.threads = kernel.desc.workgroupSize;
    to.grid = from.grid.groups;
    for (const BufferRange &range : from.arguments)
      to.arguments.push_back(buffers.find(range.buffer)->address +
                             range.offset);
    for (DevicePointer &argument : to.arguments)
      to.parameters.push_back(&argument);
  }
  QUERN_RETURN_IF_ERROR(
      program.build().withContext("program '" + desc.name + "'"));
  return program;
}

// The vectors keep their memory, so pointers to arguments stay valid.
CudaProgram::CudaProgram(CudaProgram &&other) noexcept
    : context(other.context), desc(std::move(other.desc)),
      dispatches(std::move(other.dispatches)),
      graph(std::exchange(other.graph, nullptr)),
      exec(std::exchange(other.exec, nullptr)) {}

CudaProgram::~CudaProgram() {
  if (exec)
    context->functions.cuGraphExecDestroy(exec);
  if (graph)
    context->functions.cuGraphDestroy(graph);
}

bool CudaProgram::uses(BufferHandle buffer) const {
  for (const DispatchDescription &dispatch : desc.dispatches)
    for (const BufferRange &argument : dispatch.arguments)
      if (argument.buffer == buffer)
        return true;
  return false;
}

KernelNodeParameters CudaProgram::describe(Dispatch &dispatch) const {
  KernelNodeParameters node;
  node.function = dispatch.function;
  node.gridDimX = dispatch.grid[0];
  node.gridDimY = dispatch.grid[1];
  node.gridDimZ = dispatch.grid[2];
  node.blockDimX = dispatch.threads[0];
  node.blockDimY = dispatch.threads[1];
  node.blockDimZ = dispatch.threads[2];
  node.kernelParams = dispatch.parameters.data();
  return node;
}

Status CudaProgram::build() {
  QUERN_RETURN_IF_ERROR(context->check(
      context->functions.cuGraphCreate(&graph, 0), "can't create a graph"));
  QUERN_RETURN_IF_ERROR(addNodes());
  return context->check(
      context->functions.cuGraphInstantiateWithFlags(&exec, graph, 0),
      "can't instantiate a graph");
}

/// Between two barriers nodes are independent; a barrier makes the later ones
/// depend on all earlier ones, through one node where that saves edges.
Status CudaProgram::addNodes() {
  const CudaFunctions &f = context->functions;
  std::vector<GraphNode> before, level;
  for (size_t i = 0; i != dispatches.size(); ++i) {
    if (desc.dispatches[i].barrierBefore && !level.empty()) {
      before = std::move(level);
      level.clear();
      if (before.size() > 1) {
        GraphNode join = nullptr;
        QUERN_RETURN_IF_ERROR(context->check(
            f.cuGraphAddEmptyNode(&join, graph, before.data(), before.size()),
            "can't add a barrier to a graph"));
        before = {join};
      }
    }
    Dispatch &dispatch = dispatches[i];
    KernelNodeParameters node = describe(dispatch);
    Status status = context->check(
        f.cuGraphAddKernelNode_v2(&dispatch.node, graph, before.data(),
                                  before.size(), &node),
        "can't add a kernel to a graph");
    if (!status.isOk())
      return std::move(status).withContext(describeDispatch(desc, i));
    level.push_back(dispatch.node);
  }
  return Status::ok();
}

Status CudaProgram::setGrid(Dispatch &dispatch,
                            const std::array<uint32_t, 3> &grid) {
  const CudaFunctions &f = context->functions;
  bool enabled = grid[0] != 0 && grid[1] != 0 && grid[2] != 0;
  if (enabled && grid != dispatch.grid) {
    dispatch.grid = grid;
    KernelNodeParameters node = describe(dispatch);
    QUERN_RETURN_IF_ERROR(context->check(
        f.cuGraphExecKernelNodeSetParams_v2(exec, dispatch.node, &node),
        "can't change a grid"));
  }
  if (enabled != dispatch.enabled)
    QUERN_RETURN_IF_ERROR(context->check(
        f.cuGraphNodeSetEnabled(exec, dispatch.node, enabled ? 1 : 0),
        "can't switch a node of a graph"));
  dispatch.enabled = enabled;
  return Status::ok();
}

Status CudaProgram::setCounts(uint32_t tokens, uint32_t rows) {
  for (size_t i = 0; i != dispatches.size(); ++i)
    if (Status status = checkCounts(desc.dispatches[i].grid, tokens, rows);
        !status.isOk())
      return std::move(status).withContext(describeDispatch(desc, i));
  for (size_t i = 0; i != dispatches.size(); ++i)
    QUERN_RETURN_IF_ERROR(setGrid(
        dispatches[i], computeGrid(desc.dispatches[i].grid, tokens, rows)));
  return Status::ok();
}

Status CudaProgram::launch() {
  return context->check(context->functions.cuGraphLaunch(exec, context->stream),
                        "can't launch program '" + desc.name + "'");
}

//===----------------------------------------------------------------------===//
// Profiling
//===----------------------------------------------------------------------===//

Status CudaProgram::profileInto(std::vector<Event> &events,
                                std::vector<double> &nanoseconds) {
  const CudaFunctions &f = context->functions;
  for (size_t i = 0; i <= dispatches.size(); ++i) {
    Event &event = events.emplace_back();
    QUERN_RETURN_IF_ERROR(
        context->check(f.cuEventCreate(&event, 0), "can't create an event"));
  }
  QUERN_RETURN_IF_ERROR(context->check(
      f.cuEventRecord(events[0], context->stream), "can't record an event"));
  for (size_t i = 0; i != dispatches.size(); ++i) {
    Dispatch &d = dispatches[i];
    if (d.enabled)
      QUERN_RETURN_IF_ERROR(context->check(
          f.cuLaunchKernel(d.function, d.grid[0], d.grid[1], d.grid[2],
                           d.threads[0], d.threads[1], d.threads[2], 0,
                           context->stream, d.parameters.data(), nullptr),
          "can't launch " + describeDispatch(desc, i)));
    QUERN_RETURN_IF_ERROR(
        context->check(f.cuEventRecord(events[i + 1], context->stream),
                       "can't record an event"));
  }
  QUERN_RETURN_IF_ERROR(context->check(f.cuStreamSynchronize(context->stream),
                                       "program '" + desc.name + "' failed"));
  for (size_t i = 0; i != dispatches.size(); ++i) {
    float milliseconds = 0;
    QUERN_RETURN_IF_ERROR(context->check(
        f.cuEventElapsedTime(&milliseconds, events[i], events[i + 1]),
        "can't read an event"));
    nanoseconds.push_back(double(milliseconds) * 1e6);
  }
  return Status::ok();
}

Result<std::vector<double>> CudaProgram::profile() {
  std::vector<Event> events;
  std::vector<double> nanoseconds;
  Status status = profileInto(events, nanoseconds);
  for (Event event : events)
    if (event)
      context->functions.cuEventDestroy_v2(event);
  if (!status.isOk())
    return status;
  return nanoseconds;
}
