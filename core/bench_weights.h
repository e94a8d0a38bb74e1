// SPDX-License-Identifier: GPL-3.0-or-later
//
// Weights by formula for measurements, of any type that a bundle may have.
#ifndef MEANWAVE_BENCH_WEIGHTS_H
#define MEANWAVE_BENCH_WEIGHTS_H

#include "formula.h"

// The network `kind` of models/official and its view. Other types than float32 come out of a
// bundle, as a user's would: written to a temporary file that is gone when this returns.
mw_status bench_weights_open(weights **file, weights_view *view, const char *kind,
                             formula_rule rule, mw_weight_type type, mw_error *error);

#endif
