/* The files of the runtime that the compiler carries inside itself, so that it needs neither its
   build tree nor an installed file to make a model. Each is the bytes [begin, end). */
#ifndef CNNC_EMBEDDED_H
#define CNNC_EMBEDDED_H

#ifdef __cplusplus
extern "C" {
#endif

/* A relocatable ELF object for each family of CPUs: the code of run.c, threads.c and cpu.c, ready
   to link into a model. It defines cnnc_program_run and cnnc_parallel_for (program.h) and needs
   only libc. */
extern const unsigned char cnnc_embedded_runtime_x86_64_begin[];
extern const unsigned char cnnc_embedded_runtime_x86_64_end[];

/* The texts of cnnc_runtime.h and cnnc_model.hpp, which the compiler writes beside a model, and of
   cnnc_training.h, which it writes beside a training step. */
extern const unsigned char cnnc_embedded_header_begin[], cnnc_embedded_header_end[];
extern const unsigned char cnnc_embedded_cpp_header_begin[], cnnc_embedded_cpp_header_end[];
extern const unsigned char cnnc_embedded_training_header_begin[],
    cnnc_embedded_training_header_end[];

#ifdef __cplusplus
}
#endif
#endif
