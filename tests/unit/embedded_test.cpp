// The runtime as the compiler carries it: one object to link into every model, and the public
// header.
#include "embedded.h"

#include <cstring>
#include <elf.h>
#include <gtest/gtest.h>
#include <set>
#include <string>

namespace {

// The symbols of the embedded object, read from its ELF tables.
struct Symbols {
  std::set<std::string> undefined;
  std::set<std::string> defined; // those that other objects can refer to
  bool all_hidden = true;
};

Symbols symbols_of(const unsigned char *object) {
  Symbols result;
  const auto *header = reinterpret_cast<const Elf64_Ehdr *>(object);
  const auto *sections = reinterpret_cast<const Elf64_Shdr *>(object + header->e_shoff);
  for (int i = 0; i < header->e_shnum; ++i) {
    if (sections[i].sh_type != SHT_SYMTAB)
      continue;
    const char *names =
        reinterpret_cast<const char *>(object + sections[sections[i].sh_link].sh_offset);
    const auto *symbols = reinterpret_cast<const Elf64_Sym *>(object + sections[i].sh_offset);
    for (size_t s = 1; s < sections[i].sh_size / sizeof(Elf64_Sym); ++s) {
      if (ELF64_ST_BIND(symbols[s].st_info) == STB_LOCAL)
        continue;
      bool undefined = symbols[s].st_shndx == SHN_UNDEF;
      (undefined ? result.undefined : result.defined).insert(names + symbols[s].st_name);
      if (!undefined && ELF64_ST_VISIBILITY(symbols[s].st_other) != STV_HIDDEN)
        result.all_hidden = false;
    }
  }
  return result;
}

// runtime/README.md lists these imports: a model needs nothing else from the system.
TEST(Embedded, ObjectNeedsOnlyTheDocumentedLibcSymbols) {
  ASSERT_EQ(std::memcmp(cnnc_embedded_runtime_x86_64_begin, ELFMAG, SELFMAG), 0);
  Symbols symbols = symbols_of(cnnc_embedded_runtime_x86_64_begin);
  symbols.undefined.erase("_GLOBAL_OFFSET_TABLE_"); // made by the linker
  symbols.undefined.erase("memset");                // clang clears with it
  EXPECT_EQ(symbols.undefined,
            (std::set<std::string>{"clock_gettime", "free", "getpid", "madvise", "posix_memalign",
                                   "pthread_create", "pthread_join", "sched_getcpu", "syscall"}));
}

TEST(Embedded, ObjectExportsNothingFromAModel) {
  Symbols symbols = symbols_of(cnnc_embedded_runtime_x86_64_begin);
  EXPECT_TRUE(symbols.all_hidden);
  EXPECT_TRUE(symbols.defined.count("cnnc_program_run"));
  EXPECT_TRUE(symbols.defined.count("cnnc_parallel_for"));
  for (const std::string &name : symbols.defined)
    EXPECT_EQ(name.rfind("cnnc_", 0), 0u) << name;
}

TEST(Embedded, ObjectHoldsNoPaths) {
  std::string bytes(cnnc_embedded_runtime_x86_64_begin, cnnc_embedded_runtime_x86_64_end);
  std::string here = __FILE__;
  std::string tree = here.substr(0, here.rfind("tests/"));
  ASSERT_NE(bytes.find("cnnc_program_run"), std::string::npos);
  for (const std::string &path : {tree, std::string("/home/"), std::string("/usr/"),
                                  std::string("/tmp/"), std::string("/root/")})
    EXPECT_TRUE(path.empty() || bytes.find(path) == std::string::npos) << path;
}

TEST(Embedded, HeaderIsComplete) {
  std::string text(cnnc_embedded_header_begin, cnnc_embedded_header_end);
  EXPECT_EQ(text.rfind("/* The C interface of every compiled model.", 0), 0u);
  EXPECT_NE(text.find("} cnnc_model_v1;"), std::string::npos);
  EXPECT_EQ(text.substr(text.size() - 7), "#endif\n");
}

} // namespace
