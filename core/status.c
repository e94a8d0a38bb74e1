// SPDX-License-Identifier: GPL-3.0-or-later
#include "status.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

const char *mw_status_name(mw_status status)
{
  switch (status) {
  case MW_OK: return "ok";
  case MW_ERROR_IO: return "input or output failed";
  case MW_ERROR_FORMAT: return "broken or unknown file";
  case MW_ERROR_ARGUMENT: return "value out of range";
  case MW_ERROR_MODEL: return "model missing or unfit";
  case MW_ERROR_MEMORY: return "out of memory";
  case MW_ERROR_CANCELLED: return "cancelled";
  }
  return "unknown status";
}

// A name from a hostile file may hold anything: the line stays one line, and valid UTF-8 at its
// cut.
static void make_one_line(char *text, bool cut)
{
  size_t length = strlen(text);
  if (cut) {
    while (length > 0 && ((unsigned char)text[length - 1] & 0xC0) == 0x80) length--;
    if (length > 0 && (unsigned char)text[length - 1] >= 0xC0) length--;
    text[length] = '\0';
  }
  for (size_t i = 0; i < length; i++)
    if ((unsigned char)text[i] < 0x20 || text[i] == 0x7F) text[i] = '?';
}

mw_status mw_fail(mw_error *error, mw_status status, const char *format, ...)
{
  if (error == NULL) return status;
  va_list arguments;
  va_start(arguments, format);
  int length = vsnprintf(error->text, sizeof error->text, format, arguments);
  va_end(arguments);
  if (length < 0) error->text[0] = '\0';
  make_one_line(error->text, length >= (int)sizeof error->text);
  return status;
}

mw_status mw_fail_memory(mw_error *error, const char *what)
{
  return mw_fail(error, MW_ERROR_MEMORY, "out of memory while %s", what);
}
