// SPDX-License-Identifier: GPL-3.0-or-later
//
// The n-th allocation fails, for every n, while each kind of file is opened, recognised and
// imported: the answer is an error in one line, without a crash and without a leak.
#include <stdio.h>
#include <unistd.h>

#include "data_path.h"
#include "failing_allocator.h"
#include "inventory.h"
#include "weights.h"

#ifdef FAILING_ALLOCATOR

static char out[64];

static mw_status open_file(const char *path, mw_error *error)
{
  weights *w = NULL;
  mw_status status = weights_open(&w, path, error);
  weights_close(w);
  return status;
}

static mw_status recognise_file(const char *path, mw_error *error)
{
  mw_model_file *file = NULL;
  mw_status status = mw_model_file_open(&file, path, error);
  mw_model_file_close(file);
  return status;
}

static mw_status import_file(const char *path, mw_error *error)
{
  mw_model_import wish = {
      .paths = &path, .count = 1, .output = out, .type = MW_WEIGHTS_INT8, .overwrite = true};
  return mw_models_import(&wish, error);
}

static void fail_file(mw_status (*work)(const char *, mw_error *), const char *file)
{
  fail_each(work, data_path(file), 100);
}

static void opening(void **state)
{
  (void)state;
  fail_file(open_file, "golden/meanaudio/containers/odd.pth");
  fail_file(open_file, "golden/meanaudio/containers/legacy.pth");
  fail_file(open_file, "golden/meanvc/dit_single/dit.safetensors");
  fail_file(open_file, "golden/meanvc/vocos/vocos.pt");
}

static void recognising(void **state)
{
  (void)state;
  fail_file(recognise_file, "golden/meanvc/vocos/vocos.pt");
}

static void importing(void **state)
{
  (void)state;
  snprintf(out, sizeof out, "/tmp/meanwave-test-%d.mw", (int)getpid());
  fail_file(import_file, "golden/meanvc/vocos/vocos.pt");
  unlink(out);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(opening),
      cmocka_unit_test(recognising),
      cmocka_unit_test(importing),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}

#else

int main(void)
{
  return skip_all();
}

#endif
