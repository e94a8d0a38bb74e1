// SPDX-License-Identifier: GPL-3.0-or-later
#include "bench_weights.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "bundle.h"

static mw_status through_bundle(weights **file, const inventory *known, mw_weight_type type,
                                mw_error *error)
{
  char path[4096];
  const char *folder = getenv("TMPDIR");
  weights *narrow = NULL;
  bundle_part part = {.file = *file, .known = known, .prefix = inventory_prefix(known)};
  snprintf(path, sizeof path, "%.4000s/meanwave-bench.XXXXXX", folder != NULL ? folder : "/tmp");
  int descriptor = mkstemp(path);
  if (descriptor < 0) return mw_fail(error, MW_ERROR_IO, "%s: no file can be made there", path);
  close(descriptor);
  mw_status status = bundle_write(path, &part, 1, NULL, 0, bundle_dtype(type), true, error);
  if (status == MW_OK) status = weights_open(&narrow, path, error);
  unlink(path);
  if (status != MW_OK) return status;
  weights_close(*file);
  *file = narrow;
  return MW_OK;
}

mw_status bench_weights_open(weights **file, weights_view *view, const char *kind,
                             formula_rule rule, mw_weight_type type, mw_error *error)
{
  inventory *known = NULL;
  mw_status status = inventory_named(&known, kind, error);
  if (status == MW_OK)
    status = weights_formula(file, known, rule, rule == FORMULA_MEANAUDIO ? "bench" : NULL, error);
  if (status == MW_OK && type != MW_WEIGHTS_F32) status = through_bundle(file, known, type, error);
  if (status == MW_OK) *view = inventory_view(known, *file);
  inventory_free(known);
  return status;
}
