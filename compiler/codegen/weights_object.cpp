#include "compiler/codegen/weights_object.h"

#include <algorithm>
#include <array>
#include <cassert>
#include <cerrno>
#include <cstring>
#include <fmt/format.h>
#include <llvm/BinaryFormat/ELF.h>

namespace cnnc::codegen {

namespace {

namespace ELF = llvm::ELF;

// The file: ELF header, padding to 64, the weights, padding to 8, then everything of fixed size.
enum : uint16_t {
  null_section,
  weights_section,
  symbol_section,
  symbol_names_section,
  section_names_section,
  stack_section,
  section_count
};

using namespace std::string_view_literals;
constexpr std::string_view section_names =
    "\0.rodata.cnnc_weights\0.symtab\0.strtab\0.shstrtab\0.note.GNU-stack\0"sv;
constexpr std::string_view symbol_names = "\0cnnc_weights\0"sv;

constexpr uint64_t align_up(uint64_t value, uint64_t alignment) {
  return (value + alignment - 1) / alignment * alignment;
}

ELF::Elf64_Shdr section(std::string_view name, uint32_t type, uint64_t flags, uint64_t offset,
                        uint64_t size, uint64_t alignment) {
  ELF::Elf64_Shdr header = {};
  header.sh_name = static_cast<uint32_t>(section_names.find(name));
  header.sh_type = type;
  header.sh_flags = flags;
  header.sh_offset = offset;
  header.sh_size = size;
  header.sh_addralign = alignment;
  return header;
}

/// What follows the weights in the file.
struct Tail {
  std::array<ELF::Elf64_Sym, 2> symbols = {};
  std::array<char, align_up(symbol_names.size(), 8)> symbol_name_bytes = {};
  std::array<char, align_up(section_names.size(), 8)> section_name_bytes = {};
  std::array<ELF::Elf64_Shdr, section_count> sections = {};
};
static_assert(sizeof(Tail) == 2 * sizeof(ELF::Elf64_Sym) + align_up(symbol_names.size(), 8) +
                                  align_up(section_names.size(), 8) +
                                  section_count * sizeof(ELF::Elf64_Shdr),
              "no padding: its bytes go into the file");

struct Layout {
  uint64_t tail = 0;     ///< file offset of the Tail
  uint64_t sections = 0; ///< file offset of the section headers
};

Layout layout_of(uint64_t size) {
  Layout layout;
  layout.tail = align_up(weights_alignment + size, 8);
  layout.sections = layout.tail + offsetof(Tail, sections);
  return layout;
}

ELF::Elf64_Ehdr file_header(uint64_t size) {
  ELF::Elf64_Ehdr header = {};
  std::memcpy(header.e_ident, ELF::ElfMagic, 4);
  header.e_ident[ELF::EI_CLASS] = ELF::ELFCLASS64;
  header.e_ident[ELF::EI_DATA] = ELF::ELFDATA2LSB;
  header.e_ident[ELF::EI_VERSION] = ELF::EV_CURRENT;
  header.e_type = ELF::ET_REL;
  header.e_machine = ELF::EM_X86_64;
  header.e_version = ELF::EV_CURRENT;
  header.e_shoff = layout_of(size).sections;
  header.e_ehsize = sizeof(ELF::Elf64_Ehdr);
  header.e_shentsize = sizeof(ELF::Elf64_Shdr);
  header.e_shnum = section_count;
  header.e_shstrndx = section_names_section;
  return header;
}

Tail make_tail(uint64_t size) {
  Tail tail;
  uint64_t begin = layout_of(size).tail;
  std::copy(symbol_names.begin(), symbol_names.end(), tail.symbol_name_bytes.begin());
  std::copy(section_names.begin(), section_names.end(), tail.section_name_bytes.begin());
  ELF::Elf64_Sym &symbol = tail.symbols[1];
  symbol.st_name = static_cast<uint32_t>(symbol_names.find(weights_symbol));
  symbol.setBindingAndType(ELF::STB_GLOBAL, ELF::STT_OBJECT);
  symbol.st_other = ELF::STV_HIDDEN;
  symbol.st_shndx = weights_section;
  symbol.st_size = size;
  tail.sections[weights_section] =
      section(".rodata.cnnc_weights", ELF::SHT_PROGBITS, ELF::SHF_ALLOC, weights_alignment, size,
              weights_alignment);
  ELF::Elf64_Shdr &symbols = tail.sections[symbol_section];
  symbols = section(".symtab", ELF::SHT_SYMTAB, 0, begin + offsetof(Tail, symbols),
                    sizeof(tail.symbols), 8);
  symbols.sh_link = symbol_names_section;
  symbols.sh_info = 1; // the first symbol that is not local
  symbols.sh_entsize = sizeof(ELF::Elf64_Sym);
  tail.sections[symbol_names_section] =
      section(".strtab", ELF::SHT_STRTAB, 0, begin + offsetof(Tail, symbol_name_bytes),
              symbol_names.size(), 1);
  tail.sections[section_names_section] =
      section(".shstrtab", ELF::SHT_STRTAB, 0, begin + offsetof(Tail, section_name_bytes),
              section_names.size(), 1);
  tail.sections[stack_section] =
      section(".note.GNU-stack", ELF::SHT_PROGBITS, 0, begin + offsetof(Tail, sections), 0, 1);
  return tail;
}

} // namespace

std::unique_ptr<WeightsObjectWriter> WeightsObjectWriter::open(const std::filesystem::path &path,
                                                               uint64_t size,
                                                               Diagnostics &diagnostics) {
  if (size > largest_weights) {
    diagnostics.error(fmt::format("the weights of the model need {} MiB; a library can hold {} MiB",
                                  size >> 20, largest_weights >> 20));
    return nullptr;
  }
  std::unique_ptr<WeightsObjectWriter> writer(new WeightsObjectWriter(path, size, diagnostics));
  writer->file_.reset(std::fopen(path.c_str(), "wb"));
  if (!writer->file_) {
    diagnostics.error(fmt::format("cannot create '{}': {}", path.string(), std::strerror(errno)));
    return nullptr;
  }
  ELF::Elf64_Ehdr header = file_header(size);
  if (!writer->write(&header, sizeof header))
    return nullptr;
  static_assert(sizeof header == weights_alignment, "the weights start right behind the header");
  return writer;
}

bool WeightsObjectWriter::write(const void *data, size_t size) {
  if (!failed_ && std::fwrite(data, 1, size, file_.get()) != size) {
    failed_ = true;
    diagnostics_.error(fmt::format("cannot write '{}': {}", path_.string(), std::strerror(errno)));
  }
  return !failed_;
}

bool WeightsObjectWriter::append(std::span<const std::byte> bytes) {
  assert(bytes.size() <= size_ - written_ && "more weights than announced");
  written_ += bytes.size();
  return write(bytes.data(), bytes.size());
}

bool WeightsObjectWriter::pad_to(uint64_t offset) {
  assert(offset >= written_ && offset <= size_ && "weights are written in order");
  static constexpr std::array<std::byte, 4096> zeros = {};
  while (written_ < offset)
    if (!append({zeros.data(), std::min<uint64_t>(zeros.size(), offset - written_)}))
      return false;
  return !failed_;
}

bool WeightsObjectWriter::finish() {
  if (!pad_to(size_))
    return false;
  static constexpr std::array<std::byte, 8> zeros = {};
  Tail tail = make_tail(size_);
  if (!write(zeros.data(), layout_of(size_).tail - weights_alignment - size_) ||
      !write(&tail, sizeof tail))
    return false;
  if (std::fclose(file_.release()) == 0)
    return true;
  diagnostics_.error(fmt::format("cannot write '{}': {}", path_.string(), std::strerror(errno)));
  return false;
}

} // namespace cnnc::codegen
