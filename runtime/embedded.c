/* Takes files into the program. Their paths come from CMakeLists.txt; only their bytes stay. */
#include "embedded.h"

#define EMBED(name, file)                                                                          \
  __asm__(".pushsection .rodata\n"                                                                 \
          ".balign 64\n"                                                                           \
          ".globl cnnc_embedded_" name "_begin, cnnc_embedded_" name "_end\n"                      \
          ".hidden cnnc_embedded_" name "_begin, cnnc_embedded_" name "_end\n"                     \
          "cnnc_embedded_" name "_begin:\n"                                                        \
          ".incbin \"" file "\"\n"                                                                 \
          "cnnc_embedded_" name "_end:\n"                                                          \
          ".byte 0\n"                                                                              \
          ".popsection\n")

EMBED("runtime_x86_64", CNNC_EMBED_RUNTIME_X86_64);
EMBED("header", CNNC_EMBED_HEADER);
EMBED("cpp_header", CNNC_EMBED_CPP_HEADER);
EMBED("training_header", CNNC_EMBED_TRAINING_HEADER);
