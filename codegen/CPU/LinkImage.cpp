//===- LinkImage.cpp - Object code -> loadable image ----------------------===//
#include "codegen/CPU/LinkImage.h"

#include "codegen/CPU/ApplyRelocation.h"

#include "llvm/ADT/DenseMap.h"
#include "llvm/Object/ELFObjectFile.h"
#include "llvm/Support/MathExtras.h"

#include <cstring>
#include <optional>

using namespace llvm;
using namespace quern;

using File = object::ELFFile<object::ELF64LE>;
using Header = object::ELF64LE::Ehdr;
using Segment = object::ELF64LE::Phdr;
using Section = object::ELF64LE::Shdr;
using Symbol = object::ELF64LE::Sym;

template <typename T> static Result<T> take(Expected<T> value) {
  if (!value)
    return internalError("object code: " + toString(value.takeError()));
  return std::move(*value);
}

namespace {

class ImageLinker {
public:
  ImageLinker(const File &file, StringRef entry) : file(file), entry(entry) {}

  Result<std::string> link() {
    QUERN_ASSIGN_OR_RETURN(sections, take(file.sections()));
    QUERN_RETURN_IF_ERROR(placeSections());
    for (const Section &section : sections)
      if (section.sh_type == ELF::SHT_RELA)
        QUERN_RETURN_IF_ERROR(relocate(section));
    QUERN_RETURN_IF_ERROR(findEntry());
    writeHeaders();
    return std::move(image);
  }

private:
  Status placeSections() {
    image.assign(sizeof(Header) + sizeof(Segment), '\0');
    for (auto [index, section] : enumerate(sections)) {
      if (!(section.sh_flags & ELF::SHF_ALLOC) || section.sh_size == 0)
        continue;
      QUERN_ASSIGN_OR_RETURN(StringRef name,
                             take(file.getSectionName(section)));
      if (section.sh_flags & ELF::SHF_WRITE ||
          section.sh_type == ELF::SHT_NOBITS)
        return internalError("section " + name.str() + " would be written");
      QUERN_ASSIGN_OR_RETURN(ArrayRef<uint8_t> bytes,
                             take(file.getSectionContents(section)));
      image.resize(
          alignTo(image.size(), std::max<uint64_t>(section.sh_addralign, 64)));
      places[index] = image.size();
      if (section.sh_flags & ELF::SHF_EXECINSTR && textSize == 0) {
        text = image.size();
        textSize = bytes.size();
      }
      image.append(bytes.begin(), bytes.end());
    }
    // What is loaded ends on a word, as code in a bundle does.
    image.resize(alignTo(image.size(), 8));
    loaded = image.size();
    return Status::ok();
  }

  /// Where a symbol lies in the image.
  Result<uint64_t> resolve(const Section &relocations, uint32_t index) {
    QUERN_ASSIGN_OR_RETURN(const Section *table,
                           take(file.getSection(relocations.sh_link)));
    QUERN_ASSIGN_OR_RETURN(const Symbol *symbol,
                           take(file.getSymbol(table, index)));
    auto place = places.find(symbol->st_shndx);
    if (place != places.end())
      return place->second + symbol->st_value;
    QUERN_ASSIGN_OR_RETURN(StringRef strings,
                           take(file.getStringTableForSymtab(*table)));
    QUERN_ASSIGN_OR_RETURN(StringRef name, take(symbol->getName(strings)));
    return internalError("the code needs '" + name.str() +
                         "', which it does not have");
  }

  Status relocate(const Section &section) {
    auto place = places.find(section.sh_info);
    if (place == places.end())
      return Status::ok(); // Of a section that is not loaded.
    QUERN_ASSIGN_OR_RETURN(auto relocations, take(file.relas(section)));
    for (const auto &relocation : relocations) {
      uint32_t type = relocation.getType(/*isMips64EL=*/false);
      QUERN_ASSIGN_OR_RETURN(
          uint64_t symbol,
          resolve(section, relocation.getSymbol(/*isMips64EL=*/false)));
      uint64_t at = place->second + relocation.r_offset;
      if (at + 4 > loaded)
        return internalError("a relocation lies outside of its section");
      QUERN_RETURN_IF_ERROR(applyRelocation(file.getHeader().e_machine, type,
                                            &image[at], at,
                                            symbol + relocation.r_addend));
    }
    return Status::ok();
  }

  Status findEntry() {
    for (const Section &section : sections) {
      if (section.sh_type != ELF::SHT_SYMTAB)
        continue;
      QUERN_ASSIGN_OR_RETURN(StringRef strings,
                             take(file.getStringTableForSymtab(section)));
      QUERN_ASSIGN_OR_RETURN(auto symbols, take(file.symbols(&section)));
      for (const Symbol &symbol : symbols) {
        QUERN_ASSIGN_OR_RETURN(StringRef name, take(symbol.getName(strings)));
        auto place = places.find(symbol.st_shndx);
        if (name != entry || place == places.end())
          continue;
        entryAddress = place->second + symbol.st_value;
        entrySize = symbol.st_size;
        return Status::ok();
      }
    }
    return internalError("object code has no function '" + entry.str() + "'");
  }

  template <typename T> void put(uint64_t at, const T &value) {
    std::memcpy(&image[at], &value, sizeof(T));
  }
  template <typename T> uint64_t append(const T &value) {
    uint64_t at = image.size();
    image.append(reinterpret_cast<const char *>(&value), sizeof(T));
    return at;
  }

  /// Behind what is loaded: sections, only for tools.
  void writeHeaders() {
    uint64_t symbols = image.size();
    append(Symbol{});
    Symbol function{};
    function.st_name = 1;
    function.setBindingAndType(ELF::STB_GLOBAL, ELF::STT_FUNC);
    function.st_shndx = 1;
    function.st_value = entryAddress;
    function.st_size = entrySize;
    append(function);
    uint64_t strings = image.size();
    std::string names = '\0' + entry.str() + '\0';
    uint32_t textName = uint32_t(names.size());
    names += std::string(".text") + '\0';
    uint32_t symbolsName = uint32_t(names.size());
    names += std::string(".symtab") + '\0';
    uint32_t stringsName = uint32_t(names.size());
    names += std::string(".strtab") + '\0';
    image += names;
    image.resize(alignTo(image.size(), 8));

    auto makeSection = [](uint32_t name, uint32_t type, uint64_t offset,
                          uint64_t size) {
      Section section{};
      section.sh_name = name;
      section.sh_type = type;
      section.sh_offset = offset;
      section.sh_size = size;
      section.sh_addralign = 8;
      return section;
    };
    uint64_t table = append(Section{});
    Section code = makeSection(textName, ELF::SHT_PROGBITS, text, textSize);
    code.sh_flags = ELF::SHF_ALLOC | ELF::SHF_EXECINSTR;
    code.sh_addr = text;
    append(code);
    Section symtab =
        makeSection(symbolsName, ELF::SHT_SYMTAB, symbols, 2 * sizeof(Symbol));
    symtab.sh_link = 3;
    symtab.sh_info = 1;
    symtab.sh_entsize = sizeof(Symbol);
    append(symtab);
    append(makeSection(stringsName, ELF::SHT_STRTAB, strings, names.size()));

    Header header = file.getHeader();
    header.e_type = ELF::ET_DYN;
    header.e_entry = entryAddress;
    header.e_phoff = sizeof(Header);
    header.e_phentsize = sizeof(Segment);
    header.e_phnum = 1;
    header.e_shoff = table;
    header.e_shnum = 4;
    header.e_shstrndx = 3;
    put(0, header);
    Segment segment{};
    segment.p_type = ELF::PT_LOAD;
    segment.p_flags = ELF::PF_R | ELF::PF_X;
    segment.p_filesz = loaded;
    segment.p_memsz = loaded;
    segment.p_align = 4096;
    put(sizeof(Header), segment);
  }

  const File &file;
  StringRef entry;
  object::ELF64LE::ShdrRange sections;
  DenseMap<uint64_t, uint64_t> places; ///< By section index.
  std::string image;
  uint64_t loaded = 0, text = 0, textSize = 0;
  uint64_t entryAddress = 0, entrySize = 0;
};

} // namespace

Result<std::string> quern::linkImage(std::string_view object,
                                     std::string_view entry) {
  QUERN_ASSIGN_OR_RETURN(File file, take(File::create(StringRef(object))));
  return ImageLinker(file, StringRef(entry)).link();
}
