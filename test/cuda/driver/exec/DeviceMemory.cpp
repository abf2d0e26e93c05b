//===- DeviceMemory.cpp - Allocations and what was written in them --------===//

#include "test/cuda/driver/exec/DeviceMemory.h"

#include <algorithm>
#include <cstdio>
#include <cstring>
#include <sys/mman.h>

using namespace quern::ptx;

std::string quern::ptx::formatHex(unsigned long long value) {
  char text[24];
  std::snprintf(text, sizeof(text), "0x%llx", value);
  return text;
}

DeviceMemory::~DeviceMemory() {
  for (auto &[address, allocation] : allocations)
    if (!allocation.isHost)
      ::munmap(allocation.data, allocation.size);
}

uint64_t DeviceMemory::allocate(uint64_t size, uint64_t limit) {
  if (size > limit || usedBytes > limit - size)
    return 0;
  // Pages that nobody touches cost nothing.
  void *data = ::mmap(nullptr, size, PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (data == MAP_FAILED)
    return 0;
  Allocation allocation;
  allocation.address = nextAddress;
  allocation.size = size;
  allocation.data = static_cast<std::byte *>(data);
  allocation.written.assign(size, 0);
  nextAddress += (size + 0xffff) / 0x10000 * 0x10000 + 0x10000;
  usedBytes += size;
  uint64_t address = allocation.address;
  allocations.emplace(address, std::move(allocation));
  return address;
}

bool DeviceMemory::free(uint64_t address) {
  auto found = allocations.find(address);
  if (found == allocations.end() || found->second.isHost)
    return false;
  ::munmap(found->second.data, found->second.size);
  usedBytes -= found->second.size;
  freed[address] = found->second.size;
  allocations.erase(found);
  last = nullptr;
  return true;
}

void DeviceMemory::addHost(void *data, uint64_t size, bool readOnly) {
  Allocation allocation;
  allocation.address = reinterpret_cast<uintptr_t>(data);
  allocation.size = size;
  allocation.data = static_cast<std::byte *>(data);
  allocation.isHost = true;
  allocation.readOnly = readOnly;
  freed.erase(allocation.address);
  allocations[allocation.address] = std::move(allocation);
}

bool DeviceMemory::removeHost(void *data) {
  auto found = allocations.find(reinterpret_cast<uintptr_t>(data));
  if (found == allocations.end() || !found->second.isHost)
    return false;
  freed[found->first] = found->second.size;
  allocations.erase(found);
  last = nullptr;
  return true;
}

Allocation *DeviceMemory::find(uint64_t address) {
  if (last && last->contains(address, 1))
    return last;
  auto next = allocations.upper_bound(address);
  if (next == allocations.begin())
    return nullptr;
  Allocation &allocation = std::prev(next)->second;
  return allocation.contains(address, 1) ? last = &allocation : nullptr;
}

void DeviceMemory::failOutside(uint64_t address, uint64_t size, bool writes,
                               int lane) {
  std::string text = std::string(writes ? "write" : "read") + " of " +
                     std::to_string(size) + " bytes at " + formatHex(address);
  auto next = freed.upper_bound(address);
  if (next != freed.begin()) {
    auto [start, bytes] = *std::prev(next);
    if (address - start < bytes)
      throw Fault(FaultCode::IllegalAddress,
                  text + " is " + std::to_string(address - start) +
                      " bytes into an allocation of " + std::to_string(bytes) +
                      " bytes that was freed",
                  lane);
  }
  auto after = allocations.upper_bound(address);
  if (after != allocations.begin()) {
    const Allocation &nearest = std::prev(after)->second;
    uint64_t distance = address - nearest.address;
    if (distance <= nearest.size + 0xffff)
      throw Fault(FaultCode::IllegalAddress,
                  text + " is out of bounds: " + std::to_string(distance) +
                      " bytes into an allocation of " +
                      std::to_string(nearest.size) + " bytes",
                  lane);
  }
  throw Fault(FaultCode::IllegalAddress, text + " is in no allocation", lane);
}

void DeviceMemory::checkWritten(Allocation &allocation, uint64_t address,
                                uint64_t size, int lane) {
  const uint8_t *written =
      allocation.written.data() + (address - allocation.address);
  const uint8_t *hole = std::find(written, written + size, 0);
  if (hole != written + size)
    throw Fault(FaultCode::LaunchFailed,
                "read of device memory that was never written: byte " +
                    std::to_string(address - allocation.address +
                                   static_cast<uint64_t>(hole - written)) +
                    " of an allocation of " + std::to_string(allocation.size) +
                    " bytes",
                lane);
}

std::byte *DeviceMemory::access(uint64_t address, uint64_t size, bool reads,
                                bool writes, int lane) {
  Allocation *allocation = find(address);
  if (!allocation || !allocation->contains(address, size))
    failOutside(address, size, writes, lane);
  if (writes && allocation->readOnly)
    throw Fault(FaultCode::IllegalAddress,
                "write to read-only memory at " + formatHex(address), lane);
  if (!allocation->written.empty()) {
    if (reads)
      checkWritten(*allocation, address, size, lane);
    if (writes)
      std::memset(allocation->written.data() + (address - allocation->address),
                  1, size);
  }
  return allocation->at(address);
}

void DeviceMemory::markWritten(uint64_t address, uint64_t size) {
  Allocation *allocation = find(address);
  if (allocation && address == allocation->address &&
      size == allocation->size) {
    allocation->written.clear();
    allocation->written.shrink_to_fit();
  }
}
