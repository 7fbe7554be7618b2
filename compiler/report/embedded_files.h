/* The files of the page (compiler/report/page/), which the compiler carries inside itself. */
#ifndef CNNC_EMBEDDED_FILES_H
#define CNNC_EMBEDDED_FILES_H

#ifdef __cplusplus
extern "C" {
#endif

/* The bytes [begin, end) of the file of that name. */
struct cnnc_embedded_file {
  const char *name, *begin, *end;
};

/* In the order of compiler/CMakeLists.txt; the last one has no name. */
extern const struct cnnc_embedded_file cnnc_embedded_files[];

#ifdef __cplusplus
}
#endif
#endif
