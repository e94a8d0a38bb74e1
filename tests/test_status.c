// SPDX-License-Identifier: GPL-3.0-or-later
#include "status.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

static void a_failure_is_one_line(void **state)
{
  (void)state;
  mw_error error;
  assert_int_equal(mw_fail(&error, MW_ERROR_FORMAT, "%s: %d\nbytes\t\x7F", "a.pt", 7),
                   MW_ERROR_FORMAT);
  assert_string_equal(error.text, "a.pt: 7?bytes??");
  assert_int_equal(mw_fail(NULL, MW_ERROR_IO, "unheard"), MW_ERROR_IO);
  assert_int_equal(mw_fail_memory(&error, "testing"), MW_ERROR_MEMORY);
  assert_string_equal(error.text, "out of memory while testing");
}

// 510 bytes before a character of two: the cut would fall between them.
static void a_long_line_is_cut_between_characters(void **state)
{
  (void)state;
  mw_error error;
  char text[600];
  memset(text, 'a', sizeof text);
  memcpy(text + 510, "\xC3\xA9", 2);
  text[sizeof text - 1] = '\0';
  mw_fail(&error, MW_ERROR_IO, "%s", text);
  assert_int_equal(strlen(error.text), 510);
  assert_int_equal(error.text[509], 'a');
}

static void every_status_has_its_own_name(void **state)
{
  (void)state;
  for (int a = MW_OK; a <= MW_ERROR_CANCELLED; a++)
    for (int b = a + 1; b <= MW_ERROR_CANCELLED + 1; b++)
      assert_string_not_equal(mw_status_name((mw_status)a), mw_status_name((mw_status)b));
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(a_failure_is_one_line),
      cmocka_unit_test(a_long_line_is_cut_between_characters),
      cmocka_unit_test(every_status_has_its_own_name),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
