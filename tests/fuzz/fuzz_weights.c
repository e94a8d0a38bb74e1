// SPDX-License-Identifier: GPL-3.0-or-later
//
// Any bytes as a file of weights: safetensors, bundle, PyTorch zip and older stream, TorchScript
// archive, told apart by their content.
#include <stdlib.h>

#include "fuzz.h"
#include "weights.h"

// Reading all of a few thousand overlapping tensors would only cost time.
enum { READ_LIMIT = 1 << 16, TENSORS_READ = 256 };

static void read_all(const weights *w)
{
  for (size_t i = 0; i < weights_count(w) && i < TENSORS_READ; i++) {
    const tensor *t = weights_at(w, i);
    size_t count = t->count < READ_LIMIT ? t->count : READ_LIMIT;
    float *values = malloc((count + 1) * sizeof(float));
    if (values == NULL || weights_find(w, t->name) != t) abort();
    tensor_read(t, 0, count, values);
    tensor_read(t, t->count - count, count, values);
    free(values);
  }
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
  weights *w = NULL;
  mw_error error = {""};
  if (fuzz_judge(weights_open(&w, fuzz_file(bytes, size), &error), &error)) read_all(w);
  weights_close(w);
  return 0;
}
