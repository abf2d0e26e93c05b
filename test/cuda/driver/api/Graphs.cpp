//===- Graphs.cpp - Graphs built node by node -----------------------------===//
//
// Nodes run in an order that their dependencies allow: in that of their
// creation, or with QUERN_TEST_CUDA_SHUFFLE in any, which shows a dependency
// that is missing.
//
//===----------------------------------------------------------------------===//

#include "test/cuda/driver/api/State.h"

#include <algorithm>

using namespace quern::ptx;

QUERN_CUDA_API cuGraphCreate(void **handle, unsigned flags) {
  return callApi("cuGraphCreate", Needs::Context, [&] {
    require(flags == 0, "flags have to be 0");
    *handle = addObject(State::get().graphs, std::make_unique<Graph>());
    return Success;
  });
}

QUERN_CUDA_API cuGraphDestroy(void *handle) {
  return callApi("cuGraphDestroy", Needs::Context, [&] {
    findObject(State::get().graphs, handle, "graph");
    State::get().graphs.erase(handle);
    return Success;
  });
}

static GraphNode &addNode(void *handle, void *const *dependencies,
                          size_t numDependencies, GraphNode::Kind kind) {
  Graph &graph = findObject(State::get().graphs, handle, "graph");
  auto node = std::make_unique<GraphNode>();
  node->kind = kind;
  node->index = graph.nodes.size();
  for (size_t i = 0; i != numDependencies; ++i) {
    auto found =
        std::find_if(graph.nodes.begin(), graph.nodes.end(), [&](auto &other) {
          return other.get() == dependencies[i];
        });
    require(found != graph.nodes.end(), "a dependency is of another graph");
    node->dependencies.push_back((*found)->index);
  }
  graph.nodes.push_back(std::move(node));
  return *graph.nodes.back();
}

static KernelCall makeCall(const KernelNodeParameters *p) {
  require(p, "null pointer");
  return State::get().makeCall(p->function,
                               {p->gridDimX, p->gridDimY, p->gridDimZ},
                               {p->blockDimX, p->blockDimY, p->blockDimZ},
                               p->sharedMemBytes, p->kernelParams, p->extra);
}

QUERN_CUDA_API cuGraphAddKernelNode_v2(void **node, void *graph,
                                       void *const *dependencies, size_t count,
                                       const KernelNodeParameters *parameters) {
  return callApi("cuGraphAddKernelNode_v2", Needs::Context, [&] {
    KernelCall call = makeCall(parameters);
    GraphNode &added =
        addNode(graph, dependencies, count, GraphNode::Kind::Kernel);
    added.call = std::move(call);
    *node = &added;
    return Success;
  });
}

QUERN_CUDA_API cuGraphAddEmptyNode(void **node, void *graph,
                                   void *const *dependencies, size_t count) {
  return callApi("cuGraphAddEmptyNode", Needs::Context, [&] {
    *node = &addNode(graph, dependencies, count, GraphNode::Kind::Empty);
    return Success;
  });
}

QUERN_CUDA_API cuGraphAddEventRecordNode(void **node, void *graph,
                                         void *const *dependencies,
                                         size_t count, void *event) {
  return callApi("cuGraphAddEventRecordNode", Needs::Context, [&] {
    Event &found = findObject(State::get().events, event, "event");
    GraphNode &added =
        addNode(graph, dependencies, count, GraphNode::Kind::EventRecord);
    added.event = &found;
    *node = &added;
    return Success;
  });
}

QUERN_CUDA_API cuGraphInstantiateWithFlags(void **handle, void *graphHandle,
                                           unsigned long long flags) {
  return callApi("cuGraphInstantiateWithFlags", Needs::Context, [&] {
    require(flags == 0, "flags have to be 0");
    Graph &graph = findObject(State::get().graphs, graphHandle, "graph");
    auto exec = std::make_unique<GraphExec>();
    for (const auto &node : graph.nodes) {
      exec->nodes.push_back(*node);
      exec->origins.push_back(node.get());
    }
    *handle = addObject(State::get().graphExecs, std::move(exec));
    return Success;
  });
}

QUERN_CUDA_API cuGraphExecDestroy(void *handle) {
  return callApi("cuGraphExecDestroy", Needs::Context, [&] {
    State &state = State::get();
    findObject(state.graphExecs, handle, "executable graph");
    state.runAllStreams(/*nonBlocking=*/true);
    state.graphExecs.erase(handle);
    return Success;
  });
}

static GraphNode &findNode(void *handle, const void *node) {
  GraphExec &exec =
      findObject(State::get().graphExecs, handle, "executable graph");
  auto found = std::find(exec.origins.begin(), exec.origins.end(), node);
  require(found != exec.origins.end(), "the node is of another graph");
  return exec.nodes[static_cast<size_t>(found - exec.origins.begin())];
}

QUERN_CUDA_API
cuGraphExecKernelNodeSetParams_v2(void *exec, void *node,
                                  const KernelNodeParameters *parameters) {
  return callApi("cuGraphExecKernelNodeSetParams_v2", Needs::Context, [&] {
    GraphNode &found = findNode(exec, node);
    require(found.kind == GraphNode::Kind::Kernel, "not a kernel node");
    KernelCall call = makeCall(parameters);
    require(call.function == found.call.function,
            "the test driver does not change the function of a node");
    found.call = std::move(call);
    ++State::get().counters.graphUpdates;
    return Success;
  });
}

QUERN_CUDA_API cuGraphNodeSetEnabled(void *exec, void *node, unsigned enabled) {
  return callApi("cuGraphNodeSetEnabled", Needs::Context, [&] {
    GraphNode &found = findNode(exec, node);
    require(found.kind == GraphNode::Kind::Kernel, "not a kernel node");
    found.enabled = enabled != 0;
    ++State::get().counters.graphUpdates;
    return Success;
  });
}

static void runNode(const GraphNode &node) {
  if (node.kind == GraphNode::Kind::Kernel && node.enabled)
    State::get().runKernel(node.call);
  if (node.kind == GraphNode::Kind::EventRecord) {
    node.event->time = std::chrono::steady_clock::now();
    node.event->complete = true;
    ++node.event->generation;
  }
}

static void runNodes(const std::vector<GraphNode> &nodes) {
  std::vector<size_t> missing(nodes.size());
  std::vector<std::vector<size_t>> followers(nodes.size());
  std::vector<size_t> ready;
  for (const GraphNode &node : nodes) {
    missing[node.index] = node.dependencies.size();
    for (size_t other : node.dependencies)
      followers[other].push_back(node.index);
    if (node.dependencies.empty())
      ready.push_back(node.index);
  }
  uint64_t seed = State::get().options.launch.shuffleSeed;
  std::mt19937_64 random(seed);
  while (!ready.empty()) {
    auto next = std::min_element(ready.begin(), ready.end());
    if (seed != 0)
      next = ready.begin() + static_cast<ptrdiff_t>(random() % ready.size());
    size_t index = *next;
    ready.erase(next);
    runNode(nodes[index]);
    for (size_t follower : followers[index])
      if (--missing[follower] == 0)
        ready.push_back(follower);
  }
}

QUERN_CUDA_API cuGraphLaunch(void *handle, void *stream) {
  return callApi("cuGraphLaunch", Needs::Context, [&] {
    State &state = State::get();
    GraphExec &exec = findObject(state.graphExecs, handle, "executable graph");
    ++state.counters.graphLaunches;
    // What later updates change does not touch a launch that was made.
    state.findStream(stream).queue.push_back(
        [nodes = exec.nodes] { runNodes(nodes); });
    return Success;
  });
}
