# SPDX-License-Identifier: GPL-3.0-or-later
"""Writes core/unicode_table.c on standard output, from this Python's Unicode data."""
import unicodedata


def ranges(category):
    found, first = [], None
    for code in range(0x110001):
        inside = code < 0x110000 and unicodedata.category(chr(code))[0] == category
        if inside and first is None:
            first = code
        if not inside and first is not None:
            found.append((first, code - 1))
            first = None
    return found


def table(name, count, found):
    print("\nconst unicode_range %s[] = {" % name)
    line = "   "
    for first, last in found:
        item = " {0x%X, 0x%X}," % (first, last)
        if len(line) + len(item) > 100:
            print(line)
            line = "   "
        line += item
    print(line + "\n};\nconst size_t %s = sizeof %s / sizeof %s[0];" % (count, name, name))


print("""// SPDX-License-Identifier: GPL-3.0-or-later
//
// Letters and numbers of Unicode %s; written by train/common/unicode_table.py.
// clang-format off
#include "unicode.h\"""" % unicodedata.unidata_version)
table("unicode_letters", "unicode_letter_count", ranges("L"))
table("unicode_numbers", "unicode_number_count", ranges("N"))
