/* The state of a training step, its weights, momenta and statistics, and its file.

   A program that trains owns one buffer for the state, `layout.size` bytes, in which every tensor
   has its place. Files are .safetensors, which cnnc and other programs read as weights:

     cnnc_state_result result = cnnc_state_read(&lenet_state, state, "lenet.safetensors");
     if (result.code != CNNC_STATE_OK)
       fprintf(stderr, "%s\n", result.text);

   Header only, for C11 and C++17; needs libc and POSIX. The layout, NAME_state, stands in the
   header of a model that was compiled with --train. */
#ifndef CNNC_TRAINING_H
#define CNNC_TRAINING_H

#include "cnnc_runtime.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#ifdef __cplusplus
extern "C" {
#endif

/* NOLINTBEGIN(modernize-use-nullptr): C has none. */

/* One tensor of a state: dense, row-major. */
typedef struct cnnc_state_tensor {
  const char *name;
  cnnc_dtype dtype;
  uint32_t rank;
  const int64_t *shape;
  size_t size;   /* bytes */
  size_t offset; /* from the first byte of the state, a multiple of 64 */
  int required;  /* 0: zeros when a file has none of these, as plain weights have no momenta */
} cnnc_state_tensor;

typedef struct cnnc_state_layout {
  const char *name; /* of the model */
  uint32_t count;
  const cnnc_state_tensor *tensors;
  size_t size; /* bytes of the whole state */
} cnnc_state_layout;

typedef enum cnnc_state_code {
  CNNC_STATE_OK = 0,
  CNNC_STATE_NO_FILE = 1,         /* there is no such file or folder */
  CNNC_STATE_NOT_SAFETENSORS = 2, /* the file breaks the rules of its format */
  CNNC_STATE_CUT_SHORT = 3,       /* the file ends before its tensors do */
  CNNC_STATE_OTHER_MODEL = 4,     /* a tensor is missing, or has another shape or type */
  CNNC_STATE_NO_SPACE = 5,        /* the disk is full, or the file would be too large for it */
  CNNC_STATE_NO_MEMORY = 6,
  CNNC_STATE_SYSTEM = 7 /* anything else that the system refused */
} cnnc_state_code;

typedef struct cnnc_state_result {
  cnnc_state_code code;
  char text[640]; /* what went wrong, with the names of file and tensor; empty: nothing */
} cnnc_state_result;

/* The tensor of this name, or NULL. */
static inline const cnnc_state_tensor *cnnc_state_find(const cnnc_state_layout *layout,
                                                       const char *name) {
  for (uint32_t i = 0; i < layout->count; ++i)
    if (strcmp(layout->tensors[i].name, name) == 0)
      return &layout->tensors[i];
  return NULL;
}

/* Whether all labels are classes: NAME_step asks before it runs. */
static inline int cnnc_labels_are_valid(const int64_t *labels, size_t count, int64_t classes) {
  for (size_t i = 0; labels && i < count; ++i)
    if (labels[i] < 0 || labels[i] >= classes)
      return 0;
  return 1;
}

/* Writes the state to a file, all or nothing: whenever the program or the machine stops, `path` is
   the old file or the new one. PATH.tmp beside it is replaced, and may be left by a program that
   was killed. The same state gives the same bytes. */
static inline cnnc_state_result cnnc_state_write(const cnnc_state_layout *layout, const void *state,
                                                 const char *path);

/* Reads a state, or weights alone: of the tensors that are not required, a file has all or none.
   It may hold others as well. `state` changes only when all is well. */
static inline cnnc_state_result cnnc_state_read(const cnnc_state_layout *layout, void *state,
                                                const char *path);

/* The rest of this file is how they do it. */

int fsync(int file); /* <unistd.h> hides it with -std=c11 */

/* Longest header that the format allows. */
#define CNNC_STATE_MAX_HEADER ((uint64_t)100000000)

#if defined(__GNUC__)
__attribute__((format(printf, 3, 4)))
#endif
/* Keeps the first thing that went wrong. Returns 0, as all functions here do then. */
static inline int
cnnc_state_fail(cnnc_state_result *result, cnnc_state_code code, const char *format, ...) {
  va_list arguments;
  if (result->code != CNNC_STATE_OK)
    return 0;
  result->code = code;
  va_start(arguments, format);
  vsnprintf(result->text, sizeof result->text, format, arguments);
  va_end(arguments);
  return 0;
}

static inline int cnnc_state_fail_errno(cnnc_state_result *result, const char *path,
                                        const char *action) {
  const int error = errno;
  cnnc_state_code code = CNNC_STATE_SYSTEM;
  if (error == ENOENT)
    code = CNNC_STATE_NO_FILE;
  else if (error == ENOSPC || error == EFBIG || error == EDQUOT)
    code = CNNC_STATE_NO_SPACE;
  else if (error == ENOMEM)
    code = CNNC_STATE_NO_MEMORY;
  return cnnc_state_fail(result, code, "%s: cannot %s: %s", path, action, strerror(error));
}

/* The name that the format has for a type. */
static inline const char *cnnc_state_dtype_name(cnnc_dtype dtype) {
  switch (dtype) {
  case CNNC_F32:
    return "F32";
  case CNNC_F64:
    return "F64";
  case CNNC_I32:
    return "I32";
  case CNNC_I64:
    return "I64";
  case CNNC_U8:
    return "U8";
  case CNNC_BOOL:
    return "BOOL";
  case CNNC_I8:
    return "I8";
  case CNNC_I16:
    return "I16";
  }
  return "?";
}

/* Bytes of an element of any type that files may have; 0 when there is no such type. */
static inline size_t cnnc_state_element_size(const char *dtype) {
  static const struct {
    char name[8];
    size_t size;
  } rows[] = {{"BOOL", 1}, {"U8", 1},  {"I8", 1},  {"F8_E5M2", 1}, {"F8_E4M3", 1}, {"F8_E8M0", 1},
              {"I16", 2},  {"U16", 2}, {"F16", 2}, {"BF16", 2},    {"I32", 4},     {"U32", 4},
              {"F32", 4},  {"I64", 8}, {"U64", 8}, {"F64", 8},     {"C64", 8}};
  for (size_t i = 0; i < sizeof rows / sizeof rows[0]; ++i)
    if (strcmp(rows[i].name, dtype) == 0)
      return rows[i].size;
  return 0;
}

/* Memory that grows. */
typedef struct cnnc_state_buffer {
  char *data;
  size_t size, capacity;
} cnnc_state_buffer;

static inline int cnnc_state_append(cnnc_state_buffer *buffer, const void *bytes, size_t size,
                                    cnnc_state_result *result) {
  if (size > buffer->capacity - buffer->size) {
    size_t capacity = buffer->capacity * 2 + size + 256;
    char *data = capacity > size ? (char *)realloc(buffer->data, capacity) : NULL;
    if (!data)
      return cnnc_state_fail(result, CNNC_STATE_NO_MEMORY, "no memory for the list of tensors");
    buffer->data = data;
    buffer->capacity = capacity;
  }
  if (size != 0)
    memcpy(buffer->data + buffer->size, bytes, size);
  buffer->size += size;
  return 1;
}

static inline int cnnc_state_append_text(cnnc_state_buffer *buffer, const char *text,
                                         cnnc_state_result *result) {
  return cnnc_state_append(buffer, text, strlen(text), result);
}

static inline int cnnc_state_append_number(cnnc_state_buffer *buffer, uint64_t number,
                                           cnnc_state_result *result) {
  char text[24];
  snprintf(text, sizeof text, "%llu", (unsigned long long)number);
  return cnnc_state_append_text(buffer, text, result);
}

/* A string of JSON. */
static inline int cnnc_state_append_string(cnnc_state_buffer *buffer, const char *text,
                                           cnnc_state_result *result) {
  int ok = cnnc_state_append(buffer, "\"", 1, result);
  for (; ok && *text; ++text) {
    char escape[8];
    if ((unsigned char)*text < ' ')
      snprintf(escape, sizeof escape, "\\u%04x", (unsigned)(unsigned char)*text);
    else
      snprintf(escape, sizeof escape, *text == '"' || *text == '\\' ? "\\%c" : "%c", *text);
    ok = cnnc_state_append_text(buffer, escape, result);
  }
  return ok && cnnc_state_append(buffer, "\"", 1, result);
}

/* The length of the header in 8 bytes, then the header, filled up with spaces. */
static inline int cnnc_state_make_header(const cnnc_state_layout *layout, cnnc_state_buffer *header,
                                         cnnc_state_result *result) {
  uint64_t begin = 0, length = 0;
  int ok = cnnc_state_append(header, &length, sizeof length, result) &&
           cnnc_state_append(header, "{", 1, result);
  for (uint32_t i = 0; ok && i < layout->count; ++i) {
    const cnnc_state_tensor *tensor = &layout->tensors[i];
    ok = (i == 0 || cnnc_state_append(header, ",", 1, result)) &&
         cnnc_state_append_string(header, tensor->name, result) &&
         cnnc_state_append_text(header, ":{\"dtype\":\"", result) &&
         cnnc_state_append_text(header, cnnc_state_dtype_name(tensor->dtype), result) &&
         cnnc_state_append_text(header, "\",\"shape\":[", result);
    for (uint32_t d = 0; ok && d < tensor->rank; ++d)
      ok = (d == 0 || cnnc_state_append(header, ",", 1, result)) &&
           cnnc_state_append_number(header, (uint64_t)tensor->shape[d], result);
    ok = ok && cnnc_state_append_text(header, "],\"data_offsets\":[", result) &&
         cnnc_state_append_number(header, begin, result) &&
         cnnc_state_append(header, ",", 1, result) &&
         cnnc_state_append_number(header, begin + tensor->size, result) &&
         cnnc_state_append_text(header, "]}", result);
    begin += tensor->size;
  }
  ok = ok && cnnc_state_append(header, "}", 1, result);
  while (ok && header->size % 8 != 0)
    ok = cnnc_state_append(header, " ", 1, result);
  if (!ok)
    return 0;
  length = header->size - sizeof length;
  memcpy(header->data, &length, sizeof length);
  return 1;
}

static inline int cnnc_state_write_bytes(int file, const void *bytes, size_t size) {
  const char *next = (const char *)bytes;
  while (size != 0) {
    const size_t most = (size_t)1 << 30; /* of one call, by Linux */
    const ssize_t written = write(file, next, size < most ? size : most);
    if (written < 0 && errno == EINTR)
      continue;
    if (written <= 0) {
      if (written == 0)
        errno = ENOSPC;
      return 0;
    }
    next += written;
    size -= (size_t)written;
  }
  return 1;
}

/* Makes the name of a file as durable as its bytes. */
static inline int cnnc_state_sync_folder(const char *path, char *scratch) {
  const char *slash = strrchr(path, '/');
  if (slash) {
    const size_t length = slash == path ? 1 : (size_t)(slash - path);
    memcpy(scratch, path, length);
    scratch[length] = 0;
  }
  const int folder = open(slash ? scratch : ".", O_RDONLY);
  if (folder < 0)
    return 0;
  /* Some file systems cannot do this for folders, and say EINVAL. */
  int ok = fsync(folder) == 0 || errno == EINVAL;
  const int error = errno;
  ok = close(folder) == 0 && ok;
  errno = error;
  return ok;
}

static inline int cnnc_state_write_file(const cnnc_state_layout *layout, const void *state,
                                        const cnnc_state_buffer *header, const char *temporary) {
  const int file = open(temporary, O_WRONLY | O_CREAT | O_TRUNC, 0666);
  if (file < 0)
    return 0;
  int ok = cnnc_state_write_bytes(file, header->data, header->size);
  for (uint32_t i = 0; ok && i < layout->count; ++i)
    ok = cnnc_state_write_bytes(file, (const char *)state + layout->tensors[i].offset,
                                layout->tensors[i].size);
  ok = ok && fsync(file) == 0;
  int error = errno;
  if (close(file) != 0 && ok) {
    ok = 0;
    error = errno;
  }
  if (!ok)
    unlink(temporary);
  errno = error;
  return ok;
}

static inline cnnc_state_result cnnc_state_write(const cnnc_state_layout *layout, const void *state,
                                                 const char *path) {
  cnnc_state_result result;
  memset(&result, 0, sizeof result);
  cnnc_state_buffer header = {NULL, 0, 0};
  const size_t length = strlen(path);
  char *temporary = (char *)malloc(length + 5);
  if (!temporary) {
    cnnc_state_fail(&result, CNNC_STATE_NO_MEMORY, "%s: no memory for its name", path);
    return result;
  }
  memcpy(temporary, path, length);
  memcpy(temporary + length, ".tmp", 5);
  if (cnnc_state_make_header(layout, &header, &result)) {
    if (!cnnc_state_write_file(layout, state, &header, temporary)) {
      cnnc_state_fail_errno(&result, path, "write the state");
    } else if (rename(temporary, path) != 0) {
      cnnc_state_fail_errno(&result, path, "put the new file in its place");
      unlink(temporary);
    } else if (!cnnc_state_sync_folder(path, temporary)) {
      cnnc_state_fail_errno(&result, path, "sync its folder");
    }
  }
  free(header.data);
  free(temporary);
  return result;
}

/* A tensor as the header of a file has it. */
typedef struct cnnc_state_entry {
  size_t name, length; /* in cnnc_state_reader.strings, with a zero behind it */
  size_t shape, rank;  /* in cnnc_state_reader.shapes, counted in dimensions */
  uint64_t begin, end; /* bytes of the data */
  const char *strings; /* once all are read: where names lie, for qsort */
  char dtype[8];
} cnnc_state_entry;

/* A strict parser of the one form of JSON that headers have. It goes from left to right and keeps
   no stack, so that nothing in a file can exhaust it. */
typedef struct cnnc_state_reader {
  const char *path;
  const char *begin, *at, *end; /* of the header */
  cnnc_state_buffer strings, shapes, entries;
  cnnc_state_result *result;
} cnnc_state_reader;

static inline int cnnc_state_bad(cnnc_state_reader *reader, const char *what) {
  return cnnc_state_fail(reader->result, CNNC_STATE_NOT_SAFETENSORS,
                         "%s: not a safetensors file: byte %llu of the header: %s", reader->path,
                         (unsigned long long)(reader->at - reader->begin), what);
}

static inline void cnnc_state_skip_space(cnnc_state_reader *reader) {
  while (reader->at != reader->end &&
         (*reader->at == ' ' || *reader->at == '\t' || *reader->at == '\n' || *reader->at == '\r'))
    ++reader->at;
}

static inline int cnnc_state_accept(cnnc_state_reader *reader, char wanted) {
  cnnc_state_skip_space(reader);
  if (reader->at == reader->end || *reader->at != wanted)
    return 0;
  ++reader->at;
  return 1;
}

static inline int cnnc_state_expect(cnnc_state_reader *reader, char wanted) {
  char what[16];
  if (cnnc_state_accept(reader, wanted))
    return 1;
  snprintf(what, sizeof what, "expected '%c'", wanted);
  return cnnc_state_bad(reader, what);
}

static inline int cnnc_state_hex(cnnc_state_reader *reader, uint32_t *value) {
  *value = 0;
  for (int i = 0; i < 4; ++i, ++reader->at) {
    static const char digits[] = "0123456789abcdef0123456789ABCDEF";
    const char *digit = reader->at != reader->end && *reader->at != 0
                            ? (const char *)memchr(digits, *reader->at, sizeof digits - 1)
                            : NULL;
    if (!digit)
      return cnnc_state_bad(reader, "\\u needs 4 hexadecimal digits");
    *value = *value * 16 + (uint32_t)((digit - digits) & 15);
  }
  return 1;
}

/* What follows a backslash, as UTF-8. */
static inline int cnnc_state_escape(cnnc_state_reader *reader, char *out, size_t *count) {
  static const char names[] = "\"\\/bfnrt", meanings[] = "\"\\/\b\f\n\r\t";
  const char letter = reader->at != reader->end ? *reader->at : 0;
  const char *known = letter ? strchr(names, letter) : NULL;
  uint32_t code, low;
  *count = 1;
  if (known) {
    ++reader->at;
    out[0] = meanings[known - names];
    return 1;
  }
  if (letter != 'u')
    return cnnc_state_bad(reader, "unknown escape in a string");
  ++reader->at;
  if (!cnnc_state_hex(reader, &code))
    return 0;
  if (code >= 0xd800 && code < 0xdc00) {
    if (reader->end - reader->at < 2 || reader->at[0] != '\\' || reader->at[1] != 'u')
      return cnnc_state_bad(reader, "half of a surrogate pair");
    reader->at += 2;
    if (!cnnc_state_hex(reader, &low))
      return 0;
    if (low < 0xdc00 || low > 0xdfff)
      return cnnc_state_bad(reader, "half of a surrogate pair");
    code = 0x10000 + ((code - 0xd800) << 10) + (low - 0xdc00);
  } else if (code >= 0xdc00 && code < 0xe000) {
    return cnnc_state_bad(reader, "half of a surrogate pair");
  }
  *count = code < 0x80 ? 1 : code < 0x800 ? 2 : code < 0x10000 ? 3 : 4;
  if (*count == 1) {
    out[0] = (char)code;
    return 1;
  }
  for (size_t i = *count; i-- > 1; code >>= 6)
    out[i] = (char)(0x80 | (code & 0x3f));
  out[0] = (char)((0xf00 >> *count & 0xff) | code);
  return 1;
}

/* Bytes of the UTF-8 character here; 0 when it is none. */
static inline size_t cnnc_state_utf8(const cnnc_state_reader *reader) {
  const unsigned char *at = (const unsigned char *)reader->at;
  const size_t left = (size_t)(reader->end - reader->at);
  const unsigned first = at[0];
  const size_t count = first < 0x80   ? 1
                       : first < 0xc2 ? 0
                       : first < 0xe0 ? 2
                       : first < 0xf0 ? 3
                       : first < 0xf5 ? 4
                                      : 0;
  if (count > left)
    return 0;
  for (size_t i = 1; i < count; ++i)
    if ((at[i] & 0xc0) != 0x80)
      return 0;
  /* Too long for what it says, a surrogate, or beyond the last character. */
  if ((first == 0xe0 && at[1] < 0xa0) || (first == 0xed && at[1] > 0x9f) ||
      (first == 0xf0 && at[1] < 0x90) || (first == 0xf4 && at[1] > 0x8f))
    return 0;
  return count;
}

/* A string, appended to `strings` with a zero behind it. */
static inline int cnnc_state_read_string(cnnc_state_reader *reader, size_t *start, size_t *length) {
  *start = reader->strings.size;
  if (!cnnc_state_expect(reader, '"'))
    return 0;
  for (;;) {
    char escape[4];
    const char *bytes = reader->at;
    size_t count = 0;
    if (reader->at == reader->end)
      return cnnc_state_bad(reader, "a string does not end");
    if (*reader->at == '"')
      break;
    if ((unsigned char)*reader->at < ' ')
      return cnnc_state_bad(reader, "a control character in a string");
    if (*reader->at == '\\') {
      ++reader->at;
      if (!cnnc_state_escape(reader, escape, &count))
        return 0;
      bytes = escape;
    } else {
      count = cnnc_state_utf8(reader);
      if (count == 0)
        return cnnc_state_bad(reader, "a string is not valid UTF-8");
      reader->at += count;
    }
    if (!cnnc_state_append(&reader->strings, bytes, count, reader->result))
      return 0;
  }
  ++reader->at;
  *length = reader->strings.size - *start;
  return cnnc_state_append(&reader->strings, "", 1, reader->result);
}

static inline int cnnc_state_read_number(cnnc_state_reader *reader, uint64_t *number) {
  cnnc_state_skip_space(reader);
  const char *first = reader->at;
  *number = 0;
  for (; reader->at != reader->end && *reader->at >= '0' && *reader->at <= '9'; ++reader->at) {
    const uint64_t digit = (uint64_t)(*reader->at - '0');
    if (*number > (UINT64_MAX - digit) / 10)
      return cnnc_state_bad(reader, "a number has more than 64 bits");
    *number = *number * 10 + digit;
  }
  if (reader->at == first || (*first == '0' && reader->at - first > 1))
    return cnnc_state_bad(reader, "expected a whole number, 0 or more");
  return 1;
}

static inline int cnnc_state_read_shape(cnnc_state_reader *reader, cnnc_state_entry *entry) {
  entry->shape = reader->shapes.size / sizeof(int64_t);
  entry->rank = 0;
  if (!cnnc_state_expect(reader, '['))
    return 0;
  if (cnnc_state_accept(reader, ']'))
    return 1;
  do {
    uint64_t dimension;
    if (!cnnc_state_read_number(reader, &dimension))
      return 0;
    if (dimension > (uint64_t)INT64_MAX)
      return cnnc_state_bad(reader, "a dimension is too large");
    if (!cnnc_state_append(&reader->shapes, &dimension, sizeof dimension, reader->result))
      return 0;
    ++entry->rank;
  } while (cnnc_state_accept(reader, ','));
  return cnnc_state_expect(reader, ']');
}

static inline int cnnc_state_read_tensor(cnnc_state_reader *reader, cnnc_state_entry *entry) {
  int dtype = 0, shape = 0, offsets = 0;
  if (!cnnc_state_expect(reader, '{'))
    return 0;
  do {
    const size_t before = reader->strings.size;
    size_t field, length, text, text_length;
    if (!cnnc_state_read_string(reader, &field, &length) || !cnnc_state_expect(reader, ':'))
      return 0;
    const char *name = reader->strings.data + field;
    if (length != strlen(name))
      return cnnc_state_bad(reader, "unknown field of a tensor");
    if (strcmp(name, "dtype") == 0 && !dtype++) {
      if (!cnnc_state_read_string(reader, &text, &text_length))
        return 0;
      if (text_length >= sizeof entry->dtype)
        return cnnc_state_bad(reader, "unknown dtype");
      memcpy(entry->dtype, reader->strings.data + text, text_length + 1);
      if (cnnc_state_element_size(entry->dtype) == 0)
        return cnnc_state_bad(reader, "unknown dtype");
    } else if (strcmp(name, "shape") == 0 && !shape++) {
      if (!cnnc_state_read_shape(reader, entry))
        return 0;
    } else if (strcmp(name, "data_offsets") == 0 && !offsets++) {
      if (!cnnc_state_expect(reader, '[') || !cnnc_state_read_number(reader, &entry->begin) ||
          !cnnc_state_expect(reader, ',') || !cnnc_state_read_number(reader, &entry->end) ||
          !cnnc_state_expect(reader, ']'))
        return 0;
    } else {
      return cnnc_state_bad(reader, "a tensor has dtype, shape and data_offsets, each once");
    }
    reader->strings.size = before;
  } while (cnnc_state_accept(reader, ','));
  if (!cnnc_state_expect(reader, '}'))
    return 0;
  return (dtype && shape && offsets) ||
         cnnc_state_bad(reader, "a tensor has dtype, shape and data_offsets, each once");
}

/* Strings under strings; what they say is of no interest. */
static inline int cnnc_state_read_metadata(cnnc_state_reader *reader) {
  if (!cnnc_state_expect(reader, '{'))
    return 0;
  if (cnnc_state_accept(reader, '}'))
    return 1;
  do {
    const size_t before = reader->strings.size;
    size_t start, length;
    if (!cnnc_state_read_string(reader, &start, &length) || !cnnc_state_expect(reader, ':') ||
        !cnnc_state_read_string(reader, &start, &length))
      return 0;
    reader->strings.size = before;
  } while (cnnc_state_accept(reader, ','));
  return cnnc_state_expect(reader, '}');
}

static inline int cnnc_state_read_header(cnnc_state_reader *reader) {
  int metadata = 0;
  if (reader->at == reader->end || *reader->at != '{')
    return cnnc_state_bad(reader, "expected '{'");
  ++reader->at;
  if (!cnnc_state_accept(reader, '}')) {
    do {
      cnnc_state_entry entry;
      memset(&entry, 0, sizeof entry);
      if (!cnnc_state_read_string(reader, &entry.name, &entry.length) ||
          !cnnc_state_expect(reader, ':'))
        return 0;
      if (strcmp(reader->strings.data + entry.name, "__metadata__") == 0 && entry.length == 12) {
        if (metadata++)
          return cnnc_state_bad(reader, "__metadata__ is there twice");
        if (!cnnc_state_read_metadata(reader))
          return 0;
      } else if (!cnnc_state_read_tensor(reader, &entry) ||
                 !cnnc_state_append(&reader->entries, &entry, sizeof entry, reader->result)) {
        return 0;
      }
    } while (cnnc_state_accept(reader, ','));
    if (!cnnc_state_expect(reader, '}'))
      return 0;
  }
  cnnc_state_skip_space(reader);
  return reader->at == reader->end || cnnc_state_bad(reader, "expected the end of the header");
}

static inline int cnnc_state_compare_names(const void *left, const void *right) {
  const cnnc_state_entry *a = (const cnnc_state_entry *)left, *b = (const cnnc_state_entry *)right;
  const size_t common = a->length < b->length ? a->length : b->length;
  const int order = memcmp(a->strings + a->name, b->strings + b->name, common);
  return order != 0 ? order : a->length < b->length ? -1 : a->length > b->length;
}

static inline int cnnc_state_compare_places(const void *left, const void *right) {
  const cnnc_state_entry *a = (const cnnc_state_entry *)left, *b = (const cnnc_state_entry *)right;
  if (a->begin != b->begin)
    return a->begin < b->begin ? -1 : 1;
  return a->end < b->end ? -1 : a->end > b->end;
}

/* Bytes of a shape; 0 for the size and for `ok` when they have more than 63 bits. Dimensions of 0
   count as 1 in that check, as the compiler has it. */
static inline uint64_t cnnc_state_byte_count(const int64_t *shape, size_t rank, size_t element,
                                             int *ok) {
  uint64_t product = element;
  int empty = 0;
  *ok = 1;
  for (size_t i = 0; i < rank; ++i) {
    const uint64_t dimension = (uint64_t)shape[i];
    empty |= dimension == 0;
    if (dimension != 0 && product > (uint64_t)INT64_MAX / dimension) {
      *ok = 0;
      return 0;
    }
    product *= dimension != 0 ? dimension : 1;
  }
  return empty ? 0 : product;
}

/* Names are there once, sizes follow from shapes, and tensors cover the data without holes. */
static inline int cnnc_state_check_entries(cnnc_state_reader *reader, uint64_t data_size) {
  cnnc_state_entry *entries = (cnnc_state_entry *)(void *)reader->entries.data;
  const size_t count = reader->entries.size / sizeof *entries;
  const int64_t *shapes = (const int64_t *)(void *)reader->shapes.data;
  cnnc_state_result *result = reader->result;
  uint64_t covered = 0;
  for (size_t i = 0; i < count; ++i) {
    const char *name = reader->strings.data + entries[i].name;
    int ok;
    const uint64_t size =
        cnnc_state_byte_count(shapes ? shapes + entries[i].shape : NULL, entries[i].rank,
                              cnnc_state_element_size(entries[i].dtype), &ok);
    entries[i].strings = reader->strings.data;
    if (!ok || entries[i].begin > entries[i].end || entries[i].end - entries[i].begin != size)
      return cnnc_state_fail(result, CNNC_STATE_NOT_SAFETENSORS,
                             "%s: not a safetensors file: tensor \"%.200s\": its shape and its "
                             "bytes have different sizes",
                             reader->path, name);
    if (entries[i].end > data_size)
      return cnnc_state_fail(result, CNNC_STATE_CUT_SHORT,
                             "%s: cut short: tensor \"%.200s\" ends at byte %llu of the data, but "
                             "there are only %llu",
                             reader->path, name, (unsigned long long)entries[i].end,
                             (unsigned long long)data_size);
  }
  if (count != 0)
    qsort(entries, count, sizeof *entries, cnnc_state_compare_places);
  for (size_t i = 0; i < count; ++i) {
    if (entries[i].begin != covered)
      return cnnc_state_fail(result, CNNC_STATE_NOT_SAFETENSORS,
                             "%s: not a safetensors file: tensor \"%.200s\" begins at byte %llu of "
                             "the data, not at %llu where the one before it ends",
                             reader->path, reader->strings.data + entries[i].name,
                             (unsigned long long)entries[i].begin, (unsigned long long)covered);
    covered = entries[i].end;
  }
  if (covered != data_size)
    return cnnc_state_fail(result, CNNC_STATE_NOT_SAFETENSORS,
                           "%s: not a safetensors file: its last %llu bytes belong to no tensor",
                           reader->path, (unsigned long long)(data_size - covered));
  if (count != 0)
    qsort(entries, count, sizeof *entries, cnnc_state_compare_names);
  for (size_t i = 1; i < count; ++i)
    if (cnnc_state_compare_names(&entries[i - 1], &entries[i]) == 0)
      return cnnc_state_fail(result, CNNC_STATE_NOT_SAFETENSORS,
                             "%s: not a safetensors file: two tensors have the name \"%.200s\"",
                             reader->path, reader->strings.data + entries[i].name);
  return 1;
}

/* A type as text, as in F32[6, 1, 5, 5]. */
static inline void cnnc_state_describe(char *text, size_t size, const char *dtype,
                                       const int64_t *shape, size_t rank) {
  size_t used = (size_t)snprintf(text, size, "%s[", dtype);
  for (size_t i = 0; i < rank && used < size; ++i)
    used += (size_t)snprintf(text + used, size - used, i ? ", %lld" : "%lld", (long long)shape[i]);
  if (used < size)
    snprintf(text + used, size - used, "]");
}

/* The file's tensor for one of the layout; NULL when it is not there. */
static inline const cnnc_state_entry *cnnc_state_entry_of(const cnnc_state_reader *reader,
                                                          const cnnc_state_tensor *tensor) {
  cnnc_state_entry key;
  if (reader->entries.size == 0)
    return NULL;
  memset(&key, 0, sizeof key);
  key.strings = tensor->name;
  key.length = strlen(tensor->name);
  return (const cnnc_state_entry *)bsearch(&key, reader->entries.data,
                                           reader->entries.size / sizeof key, sizeof key,
                                           cnnc_state_compare_names);
}

/* All tensors that are required, in their types; of the others all or none. */
static inline int cnnc_state_check_layout(const cnnc_state_reader *reader,
                                          const cnnc_state_layout *layout) {
  const int64_t *shapes = (const int64_t *)(void *)reader->shapes.data;
  const cnnc_state_tensor *present = NULL, *missing = NULL;
  for (uint32_t i = 0; i < layout->count; ++i) {
    const cnnc_state_tensor *tensor = &layout->tensors[i];
    const cnnc_state_entry *entry = cnnc_state_entry_of(reader, tensor);
    if (!entry && tensor->required)
      return cnnc_state_fail(reader->result, CNNC_STATE_OTHER_MODEL,
                             "%s: not a state of %.100s: the tensor \"%.200s\" is missing",
                             reader->path, layout->name, tensor->name);
    if (!entry) {
      missing = tensor;
      continue;
    }
    if (!tensor->required)
      present = tensor;
    int same = strcmp(entry->dtype, cnnc_state_dtype_name(tensor->dtype)) == 0 &&
               entry->rank == tensor->rank && entry->end - entry->begin == tensor->size;
    for (size_t d = 0; same && d < entry->rank; ++d)
      same = shapes[entry->shape + d] == tensor->shape[d];
    if (!same) {
      char is[80], wanted[80];
      cnnc_state_describe(is, sizeof is, entry->dtype, shapes ? shapes + entry->shape : NULL,
                          entry->rank);
      cnnc_state_describe(wanted, sizeof wanted, cnnc_state_dtype_name(tensor->dtype),
                          tensor->shape, tensor->rank);
      return cnnc_state_fail(reader->result, CNNC_STATE_OTHER_MODEL,
                             "%s: not a state of %.100s: the tensor \"%.200s\" is %s, not %s",
                             reader->path, layout->name, tensor->name, is, wanted);
    }
  }
  if (present && missing)
    return cnnc_state_fail(reader->result, CNNC_STATE_OTHER_MODEL,
                           "%s: not a state of %.100s: it has \"%.150s\", but not \"%.150s\"",
                           reader->path, layout->name, present->name, missing->name);
  return 1;
}

/* Reads all bytes; a file that ends early is an error. */
static inline int cnnc_state_read_bytes(int file, void *bytes, size_t size, const char *path,
                                        cnnc_state_result *result) {
  char *next = (char *)bytes;
  while (size != 0) {
    const size_t most = (size_t)1 << 30;
    const ssize_t got = read(file, next, size < most ? size : most);
    if (got < 0 && errno == EINTR)
      continue;
    if (got < 0)
      return cnnc_state_fail_errno(result, path, "read the state");
    if (got == 0)
      return cnnc_state_fail(result, CNNC_STATE_CUT_SHORT,
                             "%s: cut short: %llu bytes more were expected", path,
                             (unsigned long long)size);
    next += got;
    size -= (size_t)got;
  }
  return 1;
}

/* The header of an open file into the reader, checked against data and layout. */
static inline int cnnc_state_open_header(cnnc_state_reader *reader, int file, uint64_t file_size,
                                         char **text) {
  uint64_t length;
  if (file_size < sizeof length)
    return cnnc_state_fail(reader->result, CNNC_STATE_CUT_SHORT,
                           "%s: cut short: %llu bytes are no safetensors file", reader->path,
                           (unsigned long long)file_size);
  if (!cnnc_state_read_bytes(file, &length, sizeof length, reader->path, reader->result))
    return 0;
  if (length > CNNC_STATE_MAX_HEADER)
    return cnnc_state_fail(reader->result, CNNC_STATE_NOT_SAFETENSORS,
                           "%s: not a safetensors file: its header would have %llu bytes",
                           reader->path, (unsigned long long)length);
  if (length > file_size - sizeof length)
    return cnnc_state_fail(reader->result, CNNC_STATE_CUT_SHORT,
                           "%s: cut short: its header should have %llu bytes", reader->path,
                           (unsigned long long)length);
  *text = (char *)malloc((size_t)length + 1);
  if (!*text)
    return cnnc_state_fail(reader->result, CNNC_STATE_NO_MEMORY, "%s: no memory for its header",
                           reader->path);
  reader->begin = reader->at = *text;
  reader->end = *text + length;
  return cnnc_state_read_bytes(file, *text, (size_t)length, reader->path, reader->result) &&
         cnnc_state_read_header(reader) &&
         cnnc_state_check_entries(reader, file_size - sizeof length - length);
}

/* The data of the tensors into `stage`, which is zero. */
static inline int cnnc_state_read_data(const cnnc_state_reader *reader,
                                       const cnnc_state_layout *layout, int file, char *stage) {
  const uint64_t data = 8 + (uint64_t)(reader->end - reader->begin);
  for (uint32_t i = 0; i < layout->count; ++i) {
    const cnnc_state_tensor *tensor = &layout->tensors[i];
    const cnnc_state_entry *entry = cnnc_state_entry_of(reader, tensor);
    if (!entry)
      continue;
    if (lseek(file, (off_t)(data + entry->begin), SEEK_SET) < 0)
      return cnnc_state_fail_errno(reader->result, reader->path, "read the state");
    if (!cnnc_state_read_bytes(file, stage + tensor->offset, tensor->size, reader->path,
                               reader->result))
      return 0;
  }
  return 1;
}

static inline void cnnc_state_read_file(cnnc_state_reader *reader, const cnnc_state_layout *layout,
                                        void *state, int file) {
  struct stat status;
  char *text = NULL, *stage = NULL;
  if (fstat(file, &status) != 0) {
    cnnc_state_fail_errno(reader->result, reader->path, "read the state");
  } else if (!S_ISREG(status.st_mode)) {
    cnnc_state_fail(reader->result, CNNC_STATE_NOT_SAFETENSORS, "%s: not a file", reader->path);
  } else if (cnnc_state_open_header(reader, file, (uint64_t)status.st_size, &text) &&
             cnnc_state_check_layout(reader, layout)) {
    stage = (char *)calloc(layout->size ? layout->size : 1, 1);
    if (!stage)
      cnnc_state_fail(reader->result, CNNC_STATE_NO_MEMORY, "%s: no memory for %llu bytes",
                      reader->path, (unsigned long long)layout->size);
    else if (cnnc_state_read_data(reader, layout, file, stage))
      memcpy(state, stage, layout->size);
  }
  free(stage);
  free(text);
}

static inline cnnc_state_result cnnc_state_read(const cnnc_state_layout *layout, void *state,
                                                const char *path) {
  cnnc_state_result result;
  cnnc_state_reader reader;
  memset(&result, 0, sizeof result);
  memset(&reader, 0, sizeof reader);
  reader.path = path;
  reader.result = &result;
  const int file = open(path, O_RDONLY | O_NONBLOCK); /* a pipe must not keep us waiting */
  if (file < 0) {
    cnnc_state_fail_errno(&result, path, "open it");
    return result;
  }
  cnnc_state_read_file(&reader, layout, state, file);
  close(file);
  free(reader.strings.data);
  free(reader.shapes.data);
  free(reader.entries.data);
  return result;
}

/* NOLINTEND(modernize-use-nullptr) */

#ifdef __cplusplus
}
#endif
#endif
