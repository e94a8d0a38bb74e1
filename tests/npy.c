// SPDX-License-Identifier: GPL-3.0-or-later
#include "npy.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool read_shape(npy *array, const char *header)
{
  const char *at = strstr(header, "'shape': (");
  if (at == NULL) return false;
  at += strlen("'shape': (");
  array->count = 1;
  while (*at != ')') {
    char *end;
    unsigned long long size = strtoull(at, &end, 10);
    if (end == at || array->rank == 8) return false;
    array->shape[array->rank++] = (size_t)size;
    array->count *= (size_t)size;
    at = end + strspn(end, ", ");
  }
  return true;
}

static bool read_values(npy *array, const char *header, FILE *file)
{
  size_t bytes = strstr(header, "'<f4'") || strstr(header, "'<i4'")   ? 4
                 : strstr(header, "'<f8'") || strstr(header, "'<i8'") ? 8
                                                                      : 0;
  if (bytes == 0 || strstr(header, "'fortran_order': False") == NULL) return false;
  bool whole = strstr(header, "'<i") != NULL;
  array->values = malloc((array->count + 1) * sizeof(float));
  for (size_t i = 0; array->values != NULL && i < array->count; i++) {
    union {
      float f32;
      double f64;
      int32_t i32;
      int64_t i64;
    } value;
    if (fread(&value, bytes, 1, file) != 1) return false;
    if (bytes == 4)
      array->values[i] = whole ? (float)value.i32 : value.f32;
    else
      array->values[i] = whole ? (float)value.i64 : (float)value.f64;
  }
  return array->values != NULL;
}

bool npy_open(npy *array, const char *folder, const char *name)
{
  char path[4096];
  unsigned char start[10];
  char header[65536];
  *array = (npy){0};
  snprintf(path, sizeof path, "%s/%s", folder, name);
  FILE *file = fopen(path, "rb");
  bool good =
      file != NULL && fread(start, 1, 10, file) == 10 && memcmp(start, "\x93NUMPY\1", 7) == 0;
  size_t length = good ? start[8] + 256u * start[9] : 0;
  good = good && length < sizeof header && fread(header, 1, length, file) == length;
  header[good ? length : 0] = '\0';
  good = good && read_shape(array, header) && read_values(array, header, file);
  if (file != NULL) fclose(file);
  if (!good) fprintf(stderr, "%s: missing, or not a float or integer array\n", path);
  return good;
}

void npy_free(npy *array)
{
  free(array->values);
  *array = (npy){0};
}
