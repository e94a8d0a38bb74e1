// SPDX-License-Identifier: GPL-3.0-or-later
//
// What core asks of a stream beyond the public interface.
#ifndef MEANWAVE_STREAM_H
#define MEANWAVE_STREAM_H

#include "convert.h"

// Adds what each stage of the conversion took since the last call, in nanoseconds on the clock.
// Real time.
void stream_take_times(mw_stream *s, uint64_t ns[STAGES]);

#endif
