// SPDX-License-Identifier: GPL-3.0-or-later
#include <stdio.h>
#include <stdlib.h>

#include "cpu.h"

// Narrow layers are fast as they are, and those next to signals and spectra lose most (measured:
// docs/speed.md).
enum { INT8_LEAST_INPUTS = 256, INT8_LEAST_OUTPUTS = 128 };

matrix_dtype matrix_dtype_of(const tensor *stored)
{
  bool wide = stored->rank >= 2 && stored->shape[0] >= INT8_LEAST_OUTPUTS &&
              stored->shape[1] >= INT8_LEAST_INPUTS;
  bool fast = cpu_path()->tile_int8 != NULL;
  return stored->row_scale != NULL && wide && fast ? MATRIX_INT8 : MATRIX_F32;
}

void matrix_values_free(matrix_values *read)
{
  free(read->values);
  free(read->bias);
}

mw_status matrix_read(matrix_values *read, const weights_view *view, const char *name,
                      const matrix_shape *shape, bool has_bias, mw_error *error)
{
  char weight_name[256];
  char bias_name[256];
  snprintf(weight_name, sizeof weight_name, "%s.weight", name);
  snprintf(bias_name, sizeof bias_name, "%s.bias", name);
  // A kernel of one tap is stored with or without its last dimension.
  const tensor *stored = weights_view_find(view, weight_name);
  unsigned rank = shape->taps > 1 || (stored != NULL && stored->rank == 3) ? 3 : 2;
  size_t dims[3] = {shape->outputs, shape->inputs, shape->taps};
  const tensor *found;
  *read = (matrix_values){0};
  mw_status status = weights_need(&found, view, weight_name, rank, dims, error);
  if (status != MW_OK) return status;
  read->dtype = matrix_dtype_of(found);
  read->values = malloc((found->count + 1) * sizeof(float));
  if (has_bias) read->bias = malloc((shape->outputs + 1) * sizeof(float));
  if (read->values == NULL || (has_bias && read->bias == NULL))
    return mw_fail_memory(error, "reading weights");
  tensor_read(found, 0, found->count, read->values);
  return has_bias ? weights_read(view, bias_name, 1, dims, read->bias, error) : MW_OK;
}

mw_status matrix_load(matrix **made, const weights_view *view, const char *name,
                      const matrix_shape *shape, bool has_bias, mw_error *error)
{
  matrix_values read;
  mw_status status = matrix_read(&read, view, name, shape, has_bias, error);
  if (status == MW_OK) status = matrix_new(made, shape, read.dtype, read.values, read.bias, error);
  matrix_values_free(&read);
  return status;
}
