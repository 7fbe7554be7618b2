# Takes files into a library, so that the compiler finds them inside of itself: a C file that includes
# their bytes, and a table of them for compiler/report/embedded_files.h.
function(cnnc_embed_files target)
  set(bytes "")
  set(rows "")
  set(number 0)
  foreach(file ${ARGN})
    get_filename_component(name ${file} NAME)
    string(APPEND bytes "__asm__(\".pushsection .rodata\\n\"
        \"cnnc_page_file_${number}: .incbin \\\"${file}\\\"\\n\"
        \"cnnc_page_file_${number}_end: .byte 0\\n\"
        \".popsection\\n\");
extern const char cnnc_page_file_${number}[], cnnc_page_file_${number}_end[];
")
    string(APPEND rows "    {\"${name}\", cnnc_page_file_${number}, cnnc_page_file_${number}_end},\n")
    math(EXPR number "${number} + 1")
  endforeach()
  set(generated ${CMAKE_CURRENT_BINARY_DIR}/embedded_files.c)
  file(CONFIGURE OUTPUT ${generated} @ONLY CONTENT "/* Written by compiler/cmake/embed.cmake. */
#include \"compiler/report/embedded_files.h\"
@bytes@
const struct cnnc_embedded_file cnnc_embedded_files[] = {
@rows@    {0, 0, 0},
};
")
  set_property(SOURCE ${generated} APPEND PROPERTY OBJECT_DEPENDS "${ARGN}")
  set_property(SOURCE ${generated} PROPERTY SKIP_PRECOMPILE_HEADERS ON)
  target_sources(${target} PRIVATE ${generated})
endfunction()
