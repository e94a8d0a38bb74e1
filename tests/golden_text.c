// SPDX-License-Identifier: GPL-3.0-or-later
//
// From a prompt to features: both tokenizers (exact), T5's encoder and CLAP's text tower.
#include "golden.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bpe.h"
#include "clap_text.h"
#include "pieces.h"
#include "text_encoder.h"

enum { MOST_ROWS = 512, MOST_TOKENS = 77 };
// Float32 sums in another order.
static const double tolerance = 2e-4;

// Whether ids [rows] are those of the list.
static bool equal_ids(const json_node *list, const uint32_t *ids, size_t rows)
{
  const json_node *n = list != NULL ? list->first : NULL;
  for (size_t i = 0; i < rows; i++) {
    size_t id;
    if (n == NULL || !json_size(n, 0, UINT32_MAX, &id) || id != ids[i]) return false;
    n = n->next;
  }
  return n == NULL;
}

void golden_tokenizers(golden_run *run)
{
  char path[3][4096];
  pieces *p = NULL;
  bpe *b = NULL;
  mw_error error = {""};
  size_t rows = 0;
  static const char *const files[] = {"spiece.model", "vocab.json", "merges.txt"};
  for (int i = 0; i < 3; i++) snprintf(path[i], sizeof path[i], "%s/%s", run->folder, files[i]);
  if (!json_size(json_get(run->config, "max_length"), 2, MOST_ROWS, &rows) ||
      pieces_open(&p, path[0], &error) != MW_OK || bpe_open(&b, path[1], path[2], &error) != MW_OK)
    golden_fail(run, error.text);
  const json_node *cases = json_get(run->config, "cases");
  size_t count[2] = {0};
  for (const json_node *c = cases != NULL ? cases->first : NULL; !run->failed && c != NULL;
       c = c->next) {
    uint32_t ids[MOST_ROWS];
    size_t used;
    size_t wanted;
    const json_node *text = json_get(c, "text");
    if (pieces_encode(p, text->string, text->length, ids, rows, &used, &wanted, &error) != MW_OK)
      golden_fail(run, error.text);
    count[0] += equal_ids(json_get(c, "t5_ids"), ids, rows);
    if (bpe_encode(b, text->string, text->length, ids, rows, &used, &wanted, &error) != MW_OK)
      golden_fail(run, error.text);
    count[1] += equal_ids(json_get(c, "roberta_ids"), ids, rows);
  }
  size_t all = cases != NULL ? cases->length : 0;
  printf("  %-36s %zu of %zu texts exact\n", files[0], count[0], all);
  printf("  %-36s %zu of %zu texts exact\n", files[1], count[1], all);
  if (all == 0 || count[0] != all || count[1] != all) golden_fail(run, "ids differ");
  pieces_free(p);
  bpe_free(b);
}

// ---- Encoders ----

// One of the two texts of a golden folder.
typedef struct {
  uint32_t ids[MOST_ROWS];
  size_t rows;
  size_t used;
} tokens;

static bool read_tokens(golden_run *run, tokens *read, size_t text)
{
  npy ids;
  npy mask;
  if (!golden_input(run, &ids, "input_ids.npy") || !golden_input(run, &mask, "attention_mask.npy"))
    return false;
  *read = (tokens){.rows = ids.shape[1]};
  for (size_t i = 0; i < read->rows && i < MOST_ROWS; i++) {
    read->ids[i] = (uint32_t)ids.values[text * read->rows + i];
    read->used += mask.values[text * read->rows + i] != 0.0f;
  }
  npy_free(&ids);
  npy_free(&mask);
  return true;
}

typedef struct {
  weights *file;
  arena *memory;
  pool *pool;
} setup;

static bool start(setup *s, golden_run *run)
{
  char path[4096];
  mw_error error = {""};
  *s = (setup){.memory = arena_new(), .pool = pool_new(2)};
  snprintf(path, sizeof path, "%s/%s", run->folder,
           json_string_or(json_get(run->config, "weights"), ""));
  if (s->memory != NULL && weights_open(&s->file, path, &error) == MW_OK) return true;
  golden_fail(run, error.text);
  return false;
}

static void finish(setup *s)
{
  weights_close(s->file);
  arena_free(s->memory);
  pool_free(s->pool);
}

static void compare_buckets(golden_run *run, size_t buckets)
{
  float bucket[MOST_TOKENS * MOST_TOKENS];
  for (size_t from = 0; from < MOST_TOKENS; from++)
    for (size_t to = 0; to < MOST_TOKENS; to++)
      bucket[from * MOST_TOKENS + to] = (float)text_encoder_bucket(buckets, from, to);
  golden_compare(run, "buckets_77.npy", bucket, MOST_TOKENS * MOST_TOKENS, 0.0);
}

void golden_text_encoder(golden_run *run)
{
  setup s;
  tokens t;
  text_encoder *e = NULL;
  golden_seen seen = {.count = 0};
  mw_error error = {""};
  if (!start(&s, run) || text_encoder_load(&e, s.file, &error) != MW_OK) {
    golden_fail(run, error.text);
    return;
  }
  text_encoder_watch(e, golden_watch, &seen);
  for (seen.row = 0; seen.row < 2 && read_tokens(run, &t, seen.row); seen.row++) {
    size_t count = t.rows * text_encoder_width(e);
    float *features = calloc(count, sizeof(float));
    if (text_encoder_run(e, t.ids, t.used, t.rows, features, s.memory, s.pool, &error) != MW_OK)
      golden_fail(run, error.text);
    golden_watch(&seen, "last_hidden_state", features, count);
    free(features);
  }
  golden_compare_seen(run, &seen, tolerance, true);
  compare_buckets(run, 32);
  text_encoder_free(e);
  finish(&s);
}

void golden_clap_text(golden_run *run)
{
  setup s;
  tokens t;
  clap_text *c = NULL;
  golden_seen seen = {.count = 0};
  mw_error error = {""};
  size_t heads = 0;
  json_size(json_get(json_get(run->config, "config"), "num_attention_heads"), 1, 1024, &heads);
  if (!start(&s, run) || clap_text_load(&c, s.file, heads, &error) != MW_OK) {
    golden_fail(run, error.text);
    return;
  }
  clap_text_watch(c, golden_watch, &seen);
  for (seen.row = 0; seen.row < 2 && read_tokens(run, &t, seen.row); seen.row++) {
    float *vector = calloc(clap_text_width(c), sizeof(float));
    if (clap_text_run(c, t.ids, t.used, vector, s.memory, s.pool, &error) != MW_OK)
      golden_fail(run, error.text);
    golden_watch(&seen, "text_embed", vector, clap_text_width(c));
    free(vector);
  }
  golden_compare_seen(run, &seen, tolerance, true);
  clap_text_free(c);
  finish(&s);
}
