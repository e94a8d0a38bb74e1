// SPDX-License-Identifier: GPL-3.0-or-later
//
// .voice files: safetensors with F32 "embedding" [speaker], "pitch" [1] (mean, log2 of Hz; may
// lack), "prompt" [frames, mel] and, where there are examples, "content" [count, width] and
// "envelope" [count, EXAMPLES_ENVELOPE]; in __metadata__ format, name, source_sha256, consent,
// speaker_space, which says for which models the embedding means something, and content_space,
// which says so of the content: other models do without the examples.
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "json.h"
#include "replace.h"
#include "voice.h"

#define VOICE_FORMAT "meanwave-voice-1"

static void read_text(char *text, size_t size, const weights *file, const char *key)
{
  const char *found = weights_metadata(file, key);
  snprintf(text, size, "%s", found != NULL ? found : "");
}

static bool all_finite(const float *values, size_t count)
{
  for (size_t i = 0; i < count; i++)
    if (!isfinite(values[i])) return false;
  return true;
}

static mw_status read_examples(mw_voice *v, const weights_view *view, mw_error *error)
{
  const char *space = weights_metadata(view->file, "content_space");
  const tensor *said;
  const tensor *envelopes;
  if (space == NULL || strcmp(space, v->content_space) != 0) return MW_OK;
  if (weights_view_find(view, "content") == NULL) return MW_OK;
  mw_status status =
      weights_need(&said, view, "content", 2, (size_t[]){ANY_SIZE, v->content}, error);
  if (status == MW_OK)
    status = weights_need(&envelopes, view, "envelope", 2,
                          (size_t[]){said->shape[0], EXAMPLES_ENVELOPE}, error);
  if (status != MW_OK) return status;
  if (said->shape[0] > EXAMPLES_MOST)
    return mw_fail(error, MW_ERROR_FORMAT, "%s: %zu examples: wanted at most %d",
                   weights_path(view->file), said->shape[0], EXAMPLES_MOST);
  v->said = malloc((said->count + 1) * sizeof(float));
  v->envelopes = malloc((envelopes->count + 1) * sizeof(float));
  if (v->said == NULL || v->envelopes == NULL) return mw_fail_memory(error, "reading a voice");
  tensor_read(said, 0, said->count, v->said);
  tensor_read(envelopes, 0, envelopes->count, v->envelopes);
  v->example_count = said->shape[0];
  if (all_finite(v->said, said->count) && all_finite(v->envelopes, envelopes->count)) return MW_OK;
  return mw_fail(error, MW_ERROR_FORMAT, "%s: holds values that are not numbers",
                 weights_path(view->file));
}

mw_status voice_read(mw_voice **read, const mw_voice_model *m, const char *path, mw_error *error)
{
  weights *file = NULL;
  mw_voice *v = NULL;
  const tensor *prompt;
  mw_status status = weights_open(&file, path, error);
  if (status != MW_OK) return status;
  const char *format = weights_metadata(file, "format");
  const char *space = weights_metadata(file, "speaker_space");
  if (format == NULL || strcmp(format, VOICE_FORMAT) != 0)
    status =
        mw_fail(error, MW_ERROR_FORMAT, "%s: not a voice; make one with meanwave voice make", path);
  else if (space == NULL || strcmp(space, m->speaker_space) != 0)
    status = mw_fail(error, MW_ERROR_MODEL,
                     "%s: made for another model; make it again from its recordings", path);
  weights_view view = weights_under(file, "");
  if (status == MW_OK)
    status = weights_need(&prompt, &view, "prompt", 2,
                          (size_t[]){ANY_SIZE, flow_vc_mel(m->decoder)}, error);
  if (status == MW_OK) status = voice_new(&v, m, prompt->shape[0], error);
  if (status == MW_OK)
    status = weights_read(&view, "embedding", 1, &v->speaker, v->embedding, error);
  if (status == MW_OK) status = voice_read_pitch(v, &view, error);
  if (status == MW_OK) {
    tensor_read(prompt, 0, prompt->count, v->prompt);
    if (!all_finite(v->embedding, v->speaker) || !all_finite(v->prompt, prompt->count))
      status = mw_fail(error, MW_ERROR_FORMAT, "%s: holds values that are not numbers", path);
    read_text(v->name, sizeof v->name, file, "name");
    read_text(v->consent, sizeof v->consent, file, "consent");
    read_text(v->source, sizeof v->source, file, "source_sha256");
  }
  if (status == MW_OK) status = read_examples(v, &view, error);
  weights_close(file);
  if (status != MW_OK) {
    mw_voice_close(v);
    return status;
  }
  *read = v;
  return MW_OK;
}

typedef struct {
  const char *name;
  size_t rows; // 0: of one dimension
  size_t columns;
  const float *values;
} voice_tensor;

static size_t values_of(const voice_tensor *t)
{
  return (t->rows > 0 ? t->rows : 1) * t->columns;
}

// The header, padded with spaces so that the values stand aligned.
static bool write_header(FILE *file, const mw_voice *v, const char *name, const char *consent,
                         const voice_tensor *tensors, size_t count)
{
  const char *const entries[6][2] = {{"format", VOICE_FORMAT},
                                     {"name", name},
                                     {"source_sha256", v->source},
                                     {"consent", consent},
                                     {"speaker_space", v->speaker_space},
                                     {"content_space", v->content_space}};
  unsigned char length[8] = {0};
  size_t at = 0;
  fwrite(length, 1, sizeof length, file);
  fputs("{\"__metadata__\":{", file);
  for (size_t i = 0; i < 6; i++) {
    if (i > 0) fputc(',', file);
    json_write_text(file, entries[i][0]);
    fputc(':', file);
    json_write_text(file, entries[i][1]);
  }
  fputc('}', file);
  for (size_t i = 0; i < count; i++) {
    const voice_tensor *t = &tensors[i];
    size_t end = at + values_of(t) * sizeof(float);
    fprintf(file, ",\"%s\":{\"dtype\":\"F32\",\"shape\":[", t->name);
    if (t->rows > 0) fprintf(file, "%zu,", t->rows);
    fprintf(file, "%zu],\"data_offsets\":[%zu,%zu]}", t->columns, at, end);
    at = end;
  }
  fputc('}', file);
  long end = ftell(file);
  while (end > 0 && end % 8 != 0) {
    fputc(' ', file);
    end++;
  }
  for (int i = 0; i < 8; i++) length[i] = (unsigned char)((uint64_t)(end - 8) >> (8 * i));
  return fseek(file, 0, SEEK_SET) == 0 && fwrite(length, 1, sizeof length, file) == 8 &&
         fseek(file, 0, SEEK_END) == 0;
}

mw_status mw_voice_save(const mw_voice *v, const char *path, const char *name, const char *consent,
                        bool overwrite, mw_error *error)
{
  char temporary[REPLACE_PATH_SIZE];
  if (name == NULL || name[0] == '\0' || strlen(name) >= VOICE_NAME_SIZE)
    return mw_fail(error, MW_ERROR_ARGUMENT, "a voice needs a name of at most %d bytes",
                   VOICE_NAME_SIZE - 1);
  if (consent == NULL) consent = v->consent;
  if (strlen(consent) >= VOICE_CONSENT_SIZE)
    return mw_fail(error, MW_ERROR_ARGUMENT, "a note of consent has at most %d bytes",
                   VOICE_CONSENT_SIZE - 1);
  mw_status status = replace_begin(temporary, path, overwrite, error);
  if (status != MW_OK) return status;
  FILE *file = fopen(temporary, "wb");
  if (file == NULL) return mw_fail(error, MW_ERROR_IO, "%s: %s", path, strerror(errno));
  const voice_tensor tensors[] = {
      {"embedding", 0, v->speaker, v->embedding},
      {"pitch", 0, 1, &v->pitch},
      {"prompt", v->prompt_frames, v->mel, v->prompt},
      {"content", v->example_count, v->content, v->said},
      {"envelope", v->example_count, EXAMPLES_ENVELOPE, v->envelopes},
  };
  size_t count = v->example_count > 0 ? 5 : 3;
  bool good = write_header(file, v, name, consent, tensors, count);
  for (size_t i = 0; i < count; i++)
    good = fwrite(tensors[i].values, sizeof(float), values_of(&tensors[i]), file) ==
               values_of(&tensors[i]) &&
           good;
  good = fflush(file) == 0 && good;
  if (fclose(file) != 0) good = false;
  status = good ? replace_finish(temporary, path, overwrite, error)
                : mw_fail(error, MW_ERROR_IO, "%s: could not be written; is the disk full?", path);
  if (status != MW_OK) unlink(temporary);
  return status;
}
