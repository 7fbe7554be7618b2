#include "compiler/codegen/weights_object.h"

#include "compiler/codegen/target/family.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <fmt/format.h>
#include <llvm/BinaryFormat/ELF.h>
#include <unistd.h>
#include <utility>

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

ELF::Elf64_Ehdr file_header(uint16_t machine, uint64_t size) {
  ELF::Elf64_Ehdr header = {};
  std::memcpy(header.e_ident, ELF::ElfMagic, 4);
  header.e_ident[ELF::EI_CLASS] = ELF::ELFCLASS64;
  header.e_ident[ELF::EI_DATA] = ELF::ELFDATA2LSB;
  header.e_ident[ELF::EI_VERSION] = ELF::EV_CURRENT;
  header.e_type = ELF::ET_REL;
  header.e_machine = machine;
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
                                                               const Target &target, uint64_t size,
                                                               Diagnostics &diagnostics) {
  if (size > largest_weights) {
    diagnostics.error(fmt::format("the weights of the model need {} MiB; a library can hold {} MiB",
                                  size >> 20, largest_weights >> 20));
    return nullptr;
  }
  int file = ::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
  if (file < 0) {
    diagnostics.error(fmt::format("cannot create '{}': {}", path.string(), std::strerror(errno)));
    return nullptr;
  }
  return std::unique_ptr<WeightsObjectWriter>(
      new WeightsObjectWriter(path, *target.family, size, file));
}

WeightsObjectWriter::~WeightsObjectWriter() {
  if (file_ >= 0)
    ::close(file_);
}

bool WeightsObjectWriter::report(Diagnostics &diagnostics) const {
  diagnostics.error(fmt::format("cannot write '{}': {}", path_.string(), std::strerror(errno)));
  return false;
}

bool WeightsObjectWriter::write_file(uint64_t position, const void *data, size_t size,
                                     Diagnostics &diagnostics) const {
  const char *bytes = static_cast<const char *>(data);
  while (size > 0) {
    ssize_t written = ::pwrite(file_, bytes, size, static_cast<off_t>(position));
    if (written < 0 && errno == EINTR)
      continue;
    if (written < 0)
      return report(diagnostics);
    bytes += written;
    position += static_cast<uint64_t>(written);
    size -= static_cast<size_t>(written);
  }
  return true;
}

bool WeightsObjectWriter::write(uint64_t offset, std::span<const std::byte> bytes,
                                Diagnostics &diagnostics) const {
  if (offset > size_ || bytes.size() > size_ - offset) {
    diagnostics.error(
        fmt::format("internal error: weights at byte {} end beyond their {} bytes", offset, size_));
    return false;
  }
  return write_file(weights_alignment + offset, bytes.data(), bytes.size(), diagnostics);
}

bool WeightsObjectWriter::finish(Diagnostics &diagnostics) {
  ELF::Elf64_Ehdr header = file_header(family_.elf_machine, size_);
  static_assert(sizeof header == weights_alignment, "the weights start right behind the header");
  Tail tail = make_tail(size_);
  // What nobody has written before the end of the file reads as zeros.
  if (!write_file(0, &header, sizeof header, diagnostics) ||
      !write_file(layout_of(size_).tail, &tail, sizeof tail, diagnostics))
    return false;
  return ::close(std::exchange(file_, -1)) == 0 || report(diagnostics);
}

} // namespace cnnc::codegen
