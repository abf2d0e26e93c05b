//===- HandleTable.h - Objects behind integer handles ------------*- C++
//-*-===//
//
// Handles are never reused, so a stale one is found out. Objects keep their
// address until they are erased.
//
//===----------------------------------------------------------------------===//
#ifndef QUERN_RUNTIME_DEVICE_HANDLETABLE_H
#define QUERN_RUNTIME_DEVICE_HANDLETABLE_H

#include <cstdint>
#include <memory>
#include <vector>

namespace quern {

template <typename Handle, typename T> class HandleTable {
public:
  Handle insert(T object) {
    objects.push_back(std::make_unique<T>(std::move(object)));
    ++numLive;
    return static_cast<Handle>(objects.size() - 1);
  }

  /// Null for a handle that was never given out or was erased.
  T *find(Handle handle) {
    return isIndex(handle) ? objects[getIndex(handle)].get() : nullptr;
  }
  const T *find(Handle handle) const {
    return isIndex(handle) ? objects[getIndex(handle)].get() : nullptr;
  }

  void erase(Handle handle) {
    if (!find(handle))
      return;
    objects[getIndex(handle)].reset();
    --numLive;
  }

  /// Calls `visit(T &)` for each live object.
  template <typename Visit> void forEach(Visit visit) {
    for (std::unique_ptr<T> &object : objects)
      if (object)
        visit(*object);
  }

  uint64_t getNumLive() const { return numLive; }

private:
  static size_t getIndex(Handle handle) { return static_cast<size_t>(handle); }
  bool isIndex(Handle handle) const {
    return getIndex(handle) < objects.size();
  }

  std::vector<std::unique_ptr<T>> objects;
  uint64_t numLive = 0;
};

} // namespace quern

#endif // QUERN_RUNTIME_DEVICE_HANDLETABLE_H
