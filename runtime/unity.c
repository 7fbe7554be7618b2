/* The runtime as one object: what the compiler embeds and links into each model. */
#include "cpu.c"
#include "prepare.c"
#include "run.c"
#include "threads.c"
