// SPDX-License-Identifier: GPL-3.0-or-later
//
// Any bytes as a prompt: the check, both tokenizers, and a model with a word list.
#include <stdlib.h>
#include <string.h>

#include "bpe.h"
#include "fuzz.h"
#include "pieces.h"
#include "prompt.h"

enum { ROWS = 77 };

static mw_sound_model *model;
static pieces *unigrams;
static bpe *pairs;

static void open_all(void)
{
  char first[4096];
  char second[4096];
  mw_error error = {""};
  mw_status status = mw_sound_model_open(
      &model, fuzz_data(first, sizeof first, "golden/sound/sound.safetensors"),
      fuzz_data(second, sizeof second, "golden/sound/vocoder.safetensors"), &error);
  if (status == MW_OK)
    status = pieces_open(&unigrams,
                         fuzz_data(first, sizeof first, "golden/meanaudio/tokenizers/spiece.model"),
                         &error);
  if (status == MW_OK)
    status = bpe_open(
        &pairs, fuzz_data(first, sizeof first, "golden/meanaudio/tokenizers/vocab.json"),
        fuzz_data(second, sizeof second, "golden/meanaudio/tokenizers/merges.txt"), &error);
  if (status != MW_OK) abort();
}

static void check_ids(const uint32_t *ids, size_t used, size_t wanted, size_t below)
{
  if (used < 1 || used > ROWS || used > wanted) abort();
  for (size_t i = 0; i < ROWS; i++)
    if (ids[i] >= below) abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
  static bool open;
  uint32_t ids[ROWS];
  size_t used;
  size_t wanted;
  mw_prompt_info info;
  mw_error error = {""};
  if (!open) open_all();
  open = true;
  char *text = malloc(size + 1);
  if (text == NULL) abort();
  memcpy(text, bytes, size);
  text[size] = '\0';
  // the tokenizers take what the check would refuse, too
  if (pieces_encode(unigrams, text, strlen(text), ids, ROWS, &used, &wanted, &error) == MW_OK)
    check_ids(ids, used, wanted, pieces_count(unigrams));
  if (bpe_encode(pairs, text, strlen(text), ids, ROWS, &used, &wanted, &error) == MW_OK)
    check_ids(ids, used, wanted, bpe_count(pairs));
  error.text[0] = '\0';
  if (fuzz_judge(mw_sound_prompt(model, text, &info, &error), &error) &&
      (info.used < 1 || memchr(info.example, '\0', sizeof info.example) == NULL))
    abort();
  free(text);
  return 0;
}
