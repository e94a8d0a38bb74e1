// SPDX-License-Identifier: GPL-3.0-or-later
#ifndef MEANWAVE_TESTS_OPEN_WEIGHTS_H
#define MEANWAVE_TESTS_OPEN_WEIGHTS_H

#include "weights.h"

enum { CHANGED_NAME_SIZE = 256 };

// A checkpoint of MeanAudio's golden cases, "vae_decoder/v1_tiny.pth". Fails the test when it
// cannot be opened.
weights *open_golden(const char *name);

// A copy of `from` in memory, as floats. `change` may give a tensor another name or shape, or leave
// it out (false); where a shape asks for more values, those there are come again. Fails the test
// when it cannot be made.
weights *weights_changed(const weights *from, bool (*change)(char *name, tensor *t));

#endif
