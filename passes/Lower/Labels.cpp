//===- Labels.cpp - Names of dispatches and packed weights ----------------===//
#include "passes/Lower/Labels.h"

#include "mlir/IR/BuiltinAttributes.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/SetVector.h"
#include "llvm/ADT/SmallVector.h"
#include "llvm/ADT/StringExtras.h"

using namespace mlir;

using NameParts = SmallVector<StringRef>;

/// How many names' parts agree, counted from the front or the back; at least
/// one part of each name is left over.
static std::pair<size_t, size_t> countCommon(ArrayRef<NameParts> names) {
  size_t shortest = SIZE_MAX;
  for (const NameParts &parts : names)
    shortest = std::min(shortest, parts.size());
  auto agree = [&](auto getPart) {
    return llvm::all_of(names, [&](const NameParts &parts) {
      return getPart(parts) == getPart(names.front());
    });
  };
  size_t front = 0, back = 0;
  while (front + 1 < shortest &&
         agree([&](const NameParts &p) { return p[front]; }))
    ++front;
  while (front + back + 1 < shortest &&
         agree([&](const NameParts &p) { return p[p.size() - 1 - back]; }))
    ++back;
  return {front, back};
}

std::string quern::joinNames(ArrayRef<StringRef> names, StringRef open,
                             StringRef separator, StringRef close) {
  if (names.empty())
    return "";
  if (names.size() == 1)
    return names.front().str();
  SmallVector<NameParts> split(names.size());
  for (auto [name, parts] : llvm::zip(names, split))
    name.split(parts, '.');
  auto [front, back] = countCommon(split);
  SmallVector<std::string> middles;
  for (ArrayRef<StringRef> parts : split)
    middles.push_back(llvm::join(parts.drop_front(front).drop_back(back), "."));
  ArrayRef<StringRef> first = split.front();
  std::string result;
  for (StringRef part : first.take_front(front))
    result += (part + ".").str();
  result += (open + llvm::join(middles, separator) + close).str();
  for (StringRef part : first.take_back(back))
    result += ("." + part).str();
  return result;
}

/// Collects the names in `location`, each once, in order.
static void collectNames(Location location, SetVector<StringRef> &names) {
  if (auto name = dyn_cast<NameLoc>(location)) {
    names.insert(name.getName().getValue());
  } else if (auto fused = dyn_cast<FusedLoc>(location)) {
    for (Location part : fused.getLocations())
      collectNames(part, names);
  }
}

std::string quern::makeLabel(Location location) {
  SetVector<StringRef> names;
  collectNames(location, names);
  return joinNames(names.getArrayRef(), "{", ",", "}");
}
