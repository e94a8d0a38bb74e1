// SPDX-License-Identifier: GPL-3.0-or-later
//
// Weights by formula: every value a hash of the tensor's name and the element's index, so that a
// network of full size can be run, and compared with golden values, without its checkpoint. Two
// rules, those of the two sets of golden values; they differ in the step between elements and in
// the amplitudes.
#ifndef MEANWAVE_FORMULA_H
#define MEANWAVE_FORMULA_H

#include "inventory.h"

typedef enum { FORMULA_MEANVC, FORMULA_MEANAUDIO } formula_rule;

// `count` values centre + amplitude * h with h in [-1, 1). `name` includes the tag:
// "full_s|input.x".
void formula_values(formula_rule rule, const char *name, double centre, double amplitude,
                    float *out, size_t count);

// A weights object with every tensor of `known` under the names of the official file, as if that
// had been opened. `tag` stands before the names in the meanaudio rule ("full_s"); NULL in the
// other. The buffers that are constants of the model have their true values.
mw_status weights_formula(weights **made, const inventory *known, formula_rule rule,
                          const char *tag, mw_error *error);

#endif
