// SPDX-License-Identifier: GPL-3.0-or-later
#include "formula.h"

#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "fnv.h"
#include "weights_internal.h"

enum { ALIGNMENT = 64 };

void formula_values(formula_rule rule, const char *name, double centre, double amplitude,
                    float *out, size_t count)
{
  const uint64_t golden = 0x9E3779B97F4A7C15u;
  const uint64_t step = rule == FORMULA_MEANVC ? 1 : golden;
  uint64_t state = FNV_START;
  for (const char *byte = name; *byte != '\0'; byte++) state = fnv_step(state, *byte);
  state += golden;
  for (size_t i = 0; i < count; i++, state += step) {
    uint64_t z = state;
    z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9u;
    z = (z ^ z >> 27) * 0x94D049BB133111EBu;
    z ^= z >> 31;
    out[i] = (float)(centre + amplitude * ((double)(z >> 40) * 0x1p-23 - 1.0));
  }
}

static bool starts(const char *text, const char *with)
{
  return strncmp(text, with, strlen(with)) == 0;
}

static bool ends(const char *text, const char *with)
{
  size_t length = strlen(text);
  size_t tail = strlen(with);
  return length >= tail && strcmp(text + length - tail, with) == 0;
}

static const char *last_part(const char *name)
{
  const char *dot = strrchr(name, '.');
  return dot != NULL ? dot + 1 : name;
}

static double fan_in(const inventory_item *item)
{
  double fan = 1.0;
  for (unsigned d = 1; d < item->rank; d++) fan *= (double)item->shape[d];
  return fan;
}

static void range_meanvc(const inventory_item *item, double *centre, double *amplitude)
{
  bool gain = item->rank < 2 && ends(item->name, "weight");
  *centre = gain ? 1.0 : 0.0;
  *amplitude = item->rank >= 2 ? 1.0 / sqrt(fan_in(item)) : gain ? 0.1 : 0.05;
}

// The table of the golden values, first match wins.
static void range_meanaudio(const inventory_item *item, double *centre, double *amplitude)
{
  const char *name = item->name;
  const char *last = last_part(name);
  *centre = 0.0;
  if (strcmp(last, "learnable_gain") == 0 || starts(last, "logit_scale")) {
    *amplitude = 0.3;
  } else if (strcmp(last, "latent_std") == 0) {
    *centre = 1.0;
    *amplitude = 0.3;
  } else if (strcmp(last, "latent_mean") == 0 || starts(last, "empty_string_feat") ||
             strcmp(last, "alpha") == 0 || strcmp(last, "beta") == 0) {
    *amplitude = 0.5;
  } else if (strcmp(last, "weight_g") == 0) {
    bool quiet = strstr(name, ".convs2.") != NULL || starts(name, "conv_post.");
    *centre = quiet ? 0.3 : 1.0;
    *amplitude = quiet ? 0.06 : 0.2;
  } else if (strcmp(last, "bias") == 0) {
    *amplitude = 0.1;
  } else if (item->rank == 1) {
    *centre = 1.0;
    *amplitude = 0.2;
  } else if (strstr(name, "embeddings.") != NULL ||
             strstr(name, "relative_attention_bias") != NULL || starts(name, "shared.")) {
    *amplitude = 1.0;
  } else if (ends(name, "SelfAttention.q.weight")) {
    *amplitude = 0.25 * sqrt(3.0 / fan_in(item));
  } else if (starts(name, "text_input_proj.") || starts(name, "text_cond_proj.")) {
    *amplitude = 2.0 * sqrt(3.0 / fan_in(item));
  } else {
    *amplitude = sqrt(3.0 / fan_in(item));
  }
}

// Sine and cosine of the relative positions, [1, positions, width].
static void fill_positions(const inventory_item *item, float *out)
{
  size_t width = item->shape[item->rank - 1];
  for (size_t i = 0; i < item->count; i++) {
    size_t column = i % width;
    double rate = exp((double)(column / 2 * 2) * -(log(10000.0) / (double)width));
    double angle = (double)(i / width) * rate;
    out[i] = (float)(column % 2 == 0 ? sin(angle) : cos(angle));
  }
}

static bool fill_constant(const inventory_item *item, float *out)
{
  const json_node *constant = item->constant;
  const char *rule = json_string_or(constant, "");
  double n = (double)item->count;
  if (constant->type == JSON_ARRAY) {
    if (constant->length != item->count) return false;
    for (const json_node *v = constant->first; v != NULL; v = v->next)
      *out++ = (float)json_number_or(v, 0.0);
    return true;
  }
  if (constant->type == JSON_NUMBER || strcmp(rule, "index") == 0) {
    for (size_t i = 0; i < item->count; i++)
      out[i] = constant->type == JSON_NUMBER ? (float)constant->number : (float)i;
  } else if (strcmp(rule, "rotary") == 0) {
    for (size_t i = 0; i < item->count; i++) out[i] = (float)pow(10000.0, -(double)i / n);
  } else if (strcmp(rule, "hann") == 0) {
    for (size_t i = 0; i < item->count; i++)
      out[i] = (float)(0.5 - 0.5 * cos(2 * M_PI * (double)i / n));
  } else if (strcmp(rule, "positions") == 0 && item->rank > 0) {
    fill_positions(item, out);
  } else {
    return false;
  }
  return true;
}

static bool fill(const inventory_item *item, const char *hash_prefix, formula_rule rule,
                 const char *tag, float *out)
{
  double centre;
  double amplitude;
  char name[1024];
  if (item->constant != NULL) return fill_constant(item, out);
  snprintf(name, sizeof name, "%s%s%s%s", tag != NULL ? tag : "", tag != NULL ? "|" : "",
           hash_prefix, item->name);
  if (rule == FORMULA_MEANVC)
    range_meanvc(item, &centre, &amplitude);
  else
    range_meanaudio(item, &centre, &amplitude);
  formula_values(rule, name, centre, amplitude, out, item->count);
  return true;
}

// Integers are few (positions, counters): made as floats, then widened from the end.
static void widen(unsigned char *data, size_t count)
{
  while (count-- > 0) {
    float value;
    memcpy(&value, data + 4 * count, 4);
    int64_t integer = (int64_t)value;
    memcpy(data + 8 * count, &integer, 8);
  }
}

static size_t item_bytes(const inventory_item *item)
{
  size_t bytes = item->count * tensor_dtype_bytes(item->dtype);
  return (bytes + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
}

mw_status weights_formula(weights **made, const inventory *known, formula_rule rule,
                          const char *tag, mw_error *error)
{
  weights *w = calloc(1, sizeof *w);
  mw_status status = MW_ERROR_MEMORY;
  if (w == NULL) return mw_fail_memory(error, "making weights");
  w->file = -1;
  w->memory = arena_new();
  w->path = strdup(inventory_kind(known));
  for (size_t i = 0; i < inventory_count(known); i++) w->size += item_bytes(inventory_at(known, i));
  void *mapped =
      w->size > 0 ? mmap(NULL, w->size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)
                  : MAP_FAILED;
  if (mapped != MAP_FAILED) w->bytes = mapped;
  if (w->memory == NULL || w->path == NULL || w->bytes == NULL) {
    mw_fail_memory(error, "making weights");
    goto fail;
  }
  unsigned char *data = mapped;
  for (size_t i = 0; i < inventory_count(known); i++) {
    const inventory_item *item = inventory_at(known, i);
    char name[1024];
    if (!fill(item, inventory_hash_prefix(known), rule, tag, (float *)data)) {
      status =
          mw_fail(error, MW_ERROR_FORMAT, "%s: no rule for the constant %s", w->path, item->name);
      goto fail;
    }
    if (item->dtype == TENSOR_I64) widen(data, item->count);
    snprintf(name, sizeof name, "%s%s", inventory_prefix(known), item->name);
    status = weights_add(w, name, item->dtype, item->rank, item->shape, NULL, data,
                         item_bytes(item), 0, error);
    if (status != MW_OK) goto fail;
    data += item_bytes(item);
  }
  status = weights_index(w, error);
  if (status != MW_OK) goto fail;
  *made = w;
  return MW_OK;
fail:
  weights_close(w);
  return status;
}
