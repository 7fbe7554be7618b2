/* The family of CPUs that this is compiled for, each in two files of its own:
   cpu_NAME.h   names of its extensions, the mode of floating-point arithmetic, a pause in a loop
                that waits
   cpu_NAME.c   which of the extensions may be used here: detect_features() */
#ifndef CNNC_CPU_H
#define CNNC_CPU_H

#if defined(__x86_64__)
#include "cpu_x86_64.h"
#define CNNC_CPU_SOURCE "cpu_x86_64.c"
#else
#error "The runtime has no cpu_NAME.h and cpu_NAME.c for this CPU; write them and name them here."
#endif

#endif
