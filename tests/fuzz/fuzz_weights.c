// SPDX-License-Identifier: GPL-3.0-or-later
//
// libFuzzer: any bytes as a file of weights (safetensors, bundle, PyTorch zip and older stream,
// TorchScript archive). Whatever is handed out must be readable to its last element.
//   clang -g -O1 -std=gnu11 -D_GNU_SOURCE -Icore -fsanitize=fuzzer,address,undefined \
//     tests/fuzz/fuzz_weights.c core/{weights,tensor,half,safetensors,torch,torch_tree,torch_legacy,zip,\
//     pickle,json,arena,status}.c -lm -o fuzz_weights
//   ./fuzz_weights FOUND tests/fuzz/corpus/weights tests/data/golden/meanaudio/containers
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "weights.h"

int LLVMFuzzerTestOneInput(const unsigned char *bytes, size_t size);

// Reading all of a few thousand overlapping tensors would only cost time.
enum { READ_LIMIT = 1 << 16, TENSORS_READ = 256 };

int LLVMFuzzerTestOneInput(const unsigned char *bytes, size_t size)
{
  char path[64];
  int file = memfd_create("weights", 0);
  if (file < 0 || write(file, bytes, size) != (ssize_t)size) abort();
  snprintf(path, sizeof path, "/proc/self/fd/%d", file);
  weights *w = NULL;
  mw_error error = {""};
  mw_status status = weights_open(&w, path, &error);
  if (status != MW_OK && error.text[0] == '\0') abort();
  if (status == MW_OK) {
    for (size_t i = 0; i < weights_count(w) && i < TENSORS_READ; i++) {
      const tensor *t = weights_at(w, i);
      size_t count = t->count < READ_LIMIT ? t->count : READ_LIMIT;
      float *values = malloc((count + 1) * sizeof(float));
      if (weights_find(w, t->name) != t) abort();
      tensor_read(t, 0, count, values);
      tensor_read(t, t->count - count, count, values);
      free(values);
    }
  }
  weights_close(w);
  close(file);
  return 0;
}
