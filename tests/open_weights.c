// SPDX-License-Identifier: GPL-3.0-or-later
#include "open_weights.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

weights *open_golden(const char *name)
{
  char path[4096];
  weights *w = NULL;
  mw_error error = {""};
  const char *data = getenv("MEANWAVE_TEST_DATA");
  snprintf(path, sizeof path, "%s/golden/meanaudio/%s", data != NULL ? data : "tests/data", name);
  if (weights_open(&w, path, &error) != MW_OK) fail_msg("%s", error.text);
  return w;
}
