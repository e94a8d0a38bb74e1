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

mw_status matrix_load(matrix **made, const weights_view *view, const char *name,
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
  float *values = NULL;
  float *bias = NULL;
  const tensor *found;
  mw_status status = weights_need(&found, view, weight_name, rank, dims, error);
  if (status != MW_OK) return status;
  values = malloc((found->count + 1) * sizeof(float));
  bias = malloc((shape->outputs + 1) * sizeof(float));
  if (values == NULL || bias == NULL) {
    status = mw_fail_memory(error, "reading weights");
    goto done;
  }
  tensor_read(found, 0, found->count, values);
  if (has_bias) {
    status = weights_read(view, bias_name, 1, dims, bias, error);
    if (status != MW_OK) goto done;
  }
  status = matrix_new(made, shape, matrix_dtype_of(found), values, has_bias ? bias : NULL, error);
done:
  free(values);
  free(bias);
  return status;
}
