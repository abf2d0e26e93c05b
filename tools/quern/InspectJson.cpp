//===- InspectJson.cpp - A bundle as JSON ---------------------------------===//

#include "runtime/base/Json.h"
#include "runtime/bundle/Bundle.h"
#include "tools/quern/Inspect.h"

#include <flatbuffers/minireflect.h>

using namespace quern;
using namespace quern::tool;

namespace {

/// Writes a verified FlatBuffer by its generated type table, so that a field
/// added to the schema shows up by itself.
class Printer : public flatbuffers::IterationVisitor {
public:
  explicit Printer(JsonWriter &writer) : writer(writer) {}

  void StartSequence() override { writer.beginObject(); }
  void EndSequence() override { writer.endObject(); }
  void StartVector() override { writer.beginArray(); }
  void EndVector() override { writer.endArray(); }
  void Field(size_t, size_t, flatbuffers::ElementaryType, bool,
             const flatbuffers::TypeTable *, const char *name,
             const uint8_t *value) override {
    if (value)
      writer.key(name);
  }
  void Bool(bool value) override { writer.value(value); }
  void UChar(uint8_t value, const char *name) override {
    if (name)
      writer.value(name);
    else
      writer.value(unsigned(value));
  }
  void Int(int32_t value, const char *) override { writer.value(value); }
  void UInt(uint32_t value, const char *) override { writer.value(value); }
  void Long(int64_t value) override { writer.value(value); }
  void ULong(uint64_t value) override {
    if (value == kAbsentOffset)
      writer.null();
    else
      writer.value(value);
  }
  void Float(float value) override { writer.value(double(value)); }
  void Double(double value) override { writer.value(value); }
  void String(const flatbuffers::String *value) override {
    writer.value(toView(value));
  }

private:
  JsonWriter &writer;
};

} // namespace

static std::string toText(FormatVersion version) {
  return std::to_string(version.major) + "." + std::to_string(version.minor);
}

std::string tool::describeAsJson(const Bundle &bundle) {
  JsonWriter writer(2);
  writer.beginObject();
  writer.key("file").value(bundle.getName());
  writer.key("size").value(bundle.getHeader().totalSize);
  writer.key("format").value(toText(bundle.getHeader().version));
  writer.key("sections").beginArray();
  for (const SectionEntry &entry : bundle.getSections()) {
    writer.beginObject();
    writer.key("kind").value(sectionKindName(entry.kind));
    writer.key("offset").value(entry.offset);
    writer.key("size").value(entry.size);
    // As text: JavaScript has no 64-bit integers.
    writer.key("hash").value(std::to_string(entry.hash));
    writer.endObject();
  }
  writer.endArray();
  writer.key("manifest");
  Printer printer(writer);
  flatbuffers::IterateObject(
      reinterpret_cast<const uint8_t *>(&bundle.getManifest()),
      bundle::ManifestTypeTable(), &printer);
  writer.endObject();
  return writer.take();
}
