// SPDX-License-Identifier: GPL-3.0-or-later
#include "prompt.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "unicode.h"

// ---- Texts ----

static bool is_control(uint32_t c)
{
  return (c < 0x20 && c != '\t' && c != '\n' && c != '\r') || (c >= 0x7F && c <= 0x9F);
}

mw_status prompt_check(const char *prompt, bool empty_too, mw_error *error)
{
  size_t length = strlen(prompt);
  if (length > MW_PROMPT_BYTES)
    return mw_fail(error, MW_ERROR_ARGUMENT, "a prompt of %zu bytes: wanted at most %d", length,
                   MW_PROMPT_BYTES);
  size_t wrong = utf8_check(prompt, length);
  if (wrong < length)
    return mw_fail(error, MW_ERROR_ARGUMENT, "the prompt is not UTF-8: byte 0x%02X at place %zu",
                   (unsigned char)prompt[wrong], wrong + 1);
  bool empty = true;
  size_t bytes;
  for (size_t at = 0; at < length; at += bytes) {
    uint32_t c = utf8_next(prompt + at, length - at, &bytes);
    if (is_control(c))
      return mw_fail(error, MW_ERROR_ARGUMENT,
                     "the prompt has a control character (U+%04X) at byte %zu", c, at + 1);
    empty = empty && unicode_class_of(c) == UNICODE_SPACE;
  }
  if (empty && !empty_too)
    return mw_fail(error, MW_ERROR_ARGUMENT, "the prompt is empty: say what is to be heard");
  return MW_OK;
}

static mw_status count_words(const mw_sound_model *m, const char *prompt, mw_prompt_info *info,
                             mw_error *error)
{
  uint32_t ids[SOUND_TEXT_ROWS];
  word_count count;
  info->used = word_encoder_words(m->words, prompt, strlen(prompt), ids, &count);
  info->wanted = count.known;
  info->unknown = count.unknown;
  if (count.unknown > 0) {
    size_t length = count.first_unknown_length;
    if (length >= sizeof info->example) length = sizeof info->example - 1;
    memcpy(info->example, count.first_unknown, length);
  }
  if (count.known > 0) return MW_OK;
  if (count.unknown > 0)
    return mw_fail(error, MW_ERROR_ARGUMENT, "the model knows no word of the prompt ('%s', ...)",
                   info->example);
  return mw_fail(error, MW_ERROR_ARGUMENT,
                 "the prompt has no English word that the model knows, and it knows no others");
}

mw_status mw_sound_prompt(const mw_sound_model *m, const char *prompt, mw_prompt_info *info,
                          mw_error *error)
{
  uint32_t ids[SOUND_TEXT_ROWS];
  *info = (mw_prompt_info){0};
  mw_status status = prompt_check(prompt, false, error);
  if (status != MW_OK) return status;
  if (m->words != NULL) return count_words(m, prompt, info, error);
  return pieces_encode(m->pieces, prompt, strlen(prompt), ids, m->text_rows, &info->used,
                       &info->wanted, error);
}

// ---- Features ----

static mw_status encode_tokens(const mw_sound_model *m, const char *prompt, prompt_features *f,
                               arena *memory, pool *p, mw_error *error)
{
  uint32_t ids[SOUND_TEXT_ROWS];
  size_t used;
  size_t wanted;
  size_t length = strlen(prompt);
  mw_status status =
      pieces_encode(m->pieces, prompt, length, ids, m->text_rows, &used, &wanted, error);
  if (status == MW_OK)
    status = text_encoder_run(m->text, ids, used, m->text_rows, f->text, memory, p, error);
  if (status == MW_OK)
    status = bpe_encode(m->bpe, prompt, length, ids, m->text_rows, &used, &wanted, error);
  if (status == MW_OK) status = clap_text_run(m->clap, ids, used, f->pooled, memory, p, error);
  return status;
}

mw_status prompt_encode(const mw_sound_model *m, const char *prompt, prompt_features *made,
                        arena *memory, pool *p, mw_error *error)
{
  made->text = arena_floats(memory, m->text_rows * m->text_width);
  made->pooled = arena_floats(memory, m->pooled_width);
  if (arena_failed(memory)) return mw_fail_memory(error, "encoding a prompt");
  if (m->words == NULL) return encode_tokens(m, prompt, made, memory, p, error);
  uint32_t ids[SOUND_TEXT_ROWS];
  size_t used = word_encoder_words(m->words, prompt, strlen(prompt), ids, NULL);
  return word_encoder_run(m->words, ids, used, made->text, made->pooled, memory, p, error);
}

static double length_of(const float *x, size_t count)
{
  double square = 0.0;
  for (size_t i = 0; i < count; i++) square += (double)x[i] * (double)x[i];
  return sqrt(square);
}

static void mix(float *a, const float *b, size_t count, double share)
{
  for (size_t i = 0; i < count; i++) a[i] = (float)((1.0 - share) * a[i] + share * b[i]);
}

void prompt_morph(const mw_sound_model *m, prompt_features *a, const prompt_features *b,
                  double share)
{
  size_t count = m->pooled_width;
  double wanted = (1.0 - share) * length_of(a->pooled, count) + share * length_of(b->pooled, count);
  mix(a->text, b->text, m->text_rows * m->text_width, share);
  mix(a->pooled, b->pooled, count, share);
  double reached = length_of(a->pooled, count);
  for (size_t i = 0; reached > 0.0 && i < count; i++)
    a->pooled[i] = (float)(a->pooled[i] * wanted / reached);
}
