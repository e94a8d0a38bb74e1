// SPDX-License-Identifier: GPL-3.0-or-later
#ifndef MEANWAVE_TESTS_OPEN_WEIGHTS_H
#define MEANWAVE_TESTS_OPEN_WEIGHTS_H

#include "weights.h"

// A checkpoint of MeanAudio's golden cases, "vae_decoder/v1_tiny.pth". Fails the test when it
// cannot be opened.
weights *open_golden(const char *name);

#endif
