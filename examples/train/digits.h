/* What the programs of this folder share: digits, random numbers, memory. Errors begin with PROGRAM. */
#ifndef DIGITS_H
#define DIGITS_H

#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { SIDE = 28, PIXELS = SIDE * SIDE, HEADER = 16 };

typedef struct {
  uint32_t count;
  int64_t *labels; /* [count], 0 to 9 */
  uint8_t *pixels; /* [count][PIXELS], 0 for the paper to 255 for full ink */
} Digits;

static inline void fail(const char *format, ...) {
  va_list arguments;
  va_start(arguments, format);
  fputs(PROGRAM ": error: ", stderr);
  vfprintf(stderr, format, arguments);
  fputc('\n', stderr);
  va_end(arguments);
  exit(1);
}

/* Zeros, aligned as vectors are. */
static inline void *allocate(size_t size) {
  void *memory = NULL;
  if (posix_memalign(&memory, 64, size ? size : 1) != 0)
    fail("out of memory");
  memset(memory, 0, size);
  return memory;
}

/* The format of a digits file is described in examples/lenet/digits.py. */
static inline Digits read_digits(const char *path) {
  FILE *file = fopen(path, "rb");
  uint8_t header[HEADER];
  if (!file)
    fail("%s: %s", path, strerror(errno));
  if (fread(header, 1, HEADER, file) != HEADER || memcmp(header, "CNNCDIG1", 8) != 0 ||
      header[12] != SIDE || header[13] != 0 || header[14] != SIDE || header[15] != 0)
    fail("%s holds no digits of %d x %d pixels", path, SIDE, SIDE);
  Digits digits = {.count = header[8] | (uint32_t)header[9] << 8 | (uint32_t)header[10] << 16 |
                            (uint32_t)header[11] << 24};
  if (digits.count == 0 || digits.count > 1000000)
    fail("%s says that it holds %u digits; expected 1 to 1000000", path, digits.count);
  digits.labels = allocate(digits.count * sizeof *digits.labels);
  digits.pixels = allocate((size_t)digits.count * PIXELS);
  for (uint32_t i = 0; i < digits.count; ++i) {
    uint8_t label;
    if (fread(&label, 1, 1, file) != 1 ||
        fread(digits.pixels + (size_t)i * PIXELS, 1, PIXELS, file) != PIXELS)
      fail("%s is cut short: it ends in digit %u of %u", path, i + 1, digits.count);
    digits.labels[i] = label;
  }
  fclose(file);
  return digits;
}

/* The ink at a pixel, 0 to 1; none beyond the borders. */
static inline float pixel(const uint8_t *digit, int row, int column) {
  bool inside = row >= 0 && row < SIDE && column >= 0 && column < SIDE;
  return inside ? (float)digit[row * SIDE + column] / 255.0f : 0.0f;
}

/* The ink between pixels, as far as 28 pixels beyond the borders. */
static inline float ink_at(const uint8_t *digit, float row, float column) {
  const int top = (int)(row + SIDE) - SIDE, left = (int)(column + SIDE) - SIDE; /* floor */
  const float low = row - (float)top, far = column - (float)left;
  return (1 - low) * ((1 - far) * pixel(digit, top, left) + far * pixel(digit, top, left + 1)) +
         low * ((1 - far) * pixel(digit, top + 1, left) + far * pixel(digit, top + 1, left + 1));
}

/* Random numbers: splitmix64 (Steele, Lea and Flood 2014). */
static inline uint64_t random_bits(uint64_t *random) {
  uint64_t bits = *random += 0x9e3779b97f4a7c15u;
  bits = (bits ^ bits >> 30) * 0xbf58476d1ce4e5b9u;
  bits = (bits ^ bits >> 27) * 0x94d049bb133111ebu;
  return bits ^ bits >> 31;
}

/* 0 to count - 1 in random order (Fisher and Yates), to be freed. */
static inline uint32_t *shuffled(uint32_t count, uint64_t *random) {
  uint32_t *order = allocate(count * sizeof *order);
  for (uint32_t i = 0; i < count; ++i) {
    const uint32_t other = (uint32_t)(random_bits(random) % (i + 1));
    order[i] = order[other];
    order[other] = i;
  }
  return order;
}

static inline double seconds(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

#endif
