// SPDX-License-Identifier: GPL-3.0-or-later
#include "stretch.h"

void stretch_rows(const float *from, size_t rows, size_t width, size_t skip, float *out,
                  size_t count)
{
  size_t last = skip + count - 1;
  for (size_t i = 0; i < count; i++) {
    double at = last > 0 ? (double)((skip + i) * (rows - 1)) / (double)last : 0.0;
    size_t below = (size_t)at;
    float share = (float)(at - (double)below);
    const float *low = from + below * width;
    const float *high = below + 1 < rows ? low + width : low;
    for (size_t k = 0; k < width; k++)
      out[i * width + k] = (1.0f - share) * low[k] + share * high[k];
  }
}
