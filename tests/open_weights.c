// SPDX-License-Identifier: GPL-3.0-or-later
#include "open_weights.h"
#include "data_path.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

weights *open_golden(const char *name)
{
  weights *w = NULL;
  mw_error error = {""};
  char path[256];
  snprintf(path, sizeof path, "golden/meanaudio/%s", name);
  if (weights_open(&w, data_path(path), &error) != MW_OK) fail_msg("%s", error.text);
  return w;
}
