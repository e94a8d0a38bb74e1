// SPDX-License-Identifier: GPL-3.0-or-later
//
// The hashed values against those printed beside the golden values, and whole small checkpoints
// that were made by the same formula.
#include "data_path.h"
#include "formula.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

static void printed_values(void **state)
{
  (void)state;
  float values[4];
  formula_values(FORMULA_MEANVC, "a", 0.0, 1.0, values, 3);
  const float wanted[3] = {-0.25653815f, 0.50770867f, -0.36447346f};
  // half a unit of the last printed digit
  for (int i = 0; i < 3; i++) assert_true(fabsf(values[i] - wanted[i]) < 6e-9f);
  formula_values(FORMULA_MEANAUDIO, "full_s|input.text_f", 0.0, 0.5, values, 4);
  const float text[4] = {0.25226670503616333f, 0.12541145086288452f, 0.23783445358276367f,
                         0.2883654832839966f};
  assert_memory_equal(values, text, sizeof text);
}

static void the_full_size_transformer_has_its_printed_values(void **state)
{
  (void)state;
  static const struct {
    const char *name;
    float values[4];
  } probes[] = {
      {"audio_input_proj.0.weight",
       {-0.003996851854026318f, -0.002734416164457798f, 0.07671316713094711f,
        0.005565036553889513f}},
      {"latent_std",
       {0.7432880401611328f, 0.9730785489082336f, 0.83192378282547f, 1.259069561958313f}},
      {"empty_string_feat",
       {0.34594738483428955f, -0.36150431632995605f, 0.3869212865829468f, -0.07024037837982178f}},
      {"joint_blocks.0.latent_block.attn.q_norm.weight",
       {0.9222462177276611f, 0.8064699172973633f, 0.8352289795875549f, 0.8902401328086853f}},
      {"fused_blocks.7.ffn.w2.weight",
       {0.009883671067655087f, -0.0022574339527636766f, 0.013358501717448235f,
        0.01256843376904726f}},
      {"final_layer.conv.bias",
       {0.044920098036527634f, -0.004164266400039196f, 0.09015731513500214f,
        0.061288487166166306f}},
  };
  mw_error error = {""};
  inventory *known = NULL;
  weights *w = NULL;
  if (inventory_named(&known, "meanaudio-s", &error) != MW_OK) fail_msg("%s", error.text);
  if (weights_formula(&w, known, FORMULA_MEANAUDIO, "full_s", &error) != MW_OK)
    fail_msg("%s", error.text);
  assert_int_equal(weights_count(w), 202);
  assert_int_equal(inventory_compare(known, w, NULL, NULL), 0);
  for (size_t i = 0; i < sizeof probes / sizeof probes[0]; i++) {
    float values[4];
    tensor_read(weights_find(w, probes[i].name), 0, 4, values);
    assert_memory_equal(values, probes[i].values, sizeof values);
  }
  weights_close(w);
  inventory_free(known);
}

// An inventory of a file, written and opened again.
static inventory *inventory_of(const weights *w, const char *prefix, const char *constants)
{
  char path[] = "/tmp/meanwave-test-XXXXXX";
  int descriptor = mkstemp(path);
  assert_true(descriptor >= 0);
  FILE *out = fdopen(descriptor, "w");
  const char *comma = "";
  size_t skip = strlen(prefix);
  fprintf(out, "{\"kind\":\"tiny\",\"prefixes\":[\"%s\"],\"constants\":{%s},\"tensors\":{", prefix,
          constants);
  for (size_t i = 0; i < weights_count(w); i++) {
    const tensor *t = weights_at(w, i);
    // the audio half of CLAP is no part of any golden value
    if (strncmp(t->name, prefix, skip) != 0 || t->dtype != TENSOR_F32) continue;
    if (strstr(t->name, "audio_") != NULL) continue;
    fprintf(out, "%s\"%s\":[", comma, t->name + skip);
    for (unsigned d = 0; d < t->rank; d++) fprintf(out, d > 0 ? ",%zu" : "%zu", t->shape[d]);
    fprintf(out, "]");
    comma = ",";
  }
  fprintf(out, "}}");
  fclose(out);
  inventory *known = NULL;
  mw_error error = {""};
  if (inventory_open(&known, path, &error) != MW_OK) fail_msg("%s", error.text);
  unlink(path);
  return known;
}

static void small_checkpoints_follow_the_formula(void **state)
{
  (void)state;
  static const struct {
    const char *file;
    const char *prefix;
    const char *tag;
  } cases[] = {
      {"golden/meanaudio/t5_encoder/model.safetensors", "", "shared/t5"},
      {"golden/meanaudio/clap_text/clap_tiny.pt", "state_dict.module.", "shared/clap"},
      {"golden/meanaudio/vae_decoder/v1_tiny.pth", "", "shared/vae"},
  };
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    mw_error error = {""};
    weights *stored = NULL;
    weights *made = NULL;
    if (weights_open(&stored, data_path(cases[i].file), &error) != MW_OK)
      fail_msg("%s", error.text);
    inventory *known = inventory_of(stored, cases[i].prefix, "\"data_mean\":0,\"data_std\":1");
    if (weights_formula(&made, known, FORMULA_MEANAUDIO, cases[i].tag, &error) != MW_OK)
      fail_msg("%s", error.text);
    assert_true(weights_count(made) > 20);
    for (size_t j = 0; j < weights_count(made); j++) {
      const tensor *t = weights_at(made, j);
      const tensor *wanted = weights_find(stored, t->name);
      assert_non_null(wanted);
      if (strncmp(t->name, "data_", 5) == 0) continue;
      float *values = malloc(wanted->count * sizeof(float));
      tensor_read(wanted, 0, wanted->count, values);
      if (memcmp(values, t->data, t->count * sizeof(float)) != 0)
        fail_msg("%s: %s differs", cases[i].file, t->name);
      free(values);
    }
    weights_close(made);
    weights_close(stored);
    inventory_free(known);
  }
}

static void constants_are_the_models_own(void **state)
{
  (void)state;
  mw_error error = {""};
  inventory *known = NULL;
  weights *w = NULL;
  float values[8];
  if (inventory_named(&known, "fastu2pp-v1", &error) != MW_OK) fail_msg("%s", error.text);
  if (weights_formula(&w, known, FORMULA_MEANVC, NULL, &error) != MW_OK) fail_msg("%s", error.text);
  tensor_read(weights_find(w, "encoder.global_cmvn.istd"), 79, 1, values);
  assert_true(values[0] == 0.25f);
  tensor_read(weights_find(w, "encoder.embed.pos_enc.pe"), 256, 4, values);
  assert_true(fabsf(values[0] - 0.84147098f) < 1e-7f && fabsf(values[1] - 0.54030231f) < 1e-7f);
  // hashed with the prefix the file has
  formula_values(FORMULA_MEANVC, "encoder.embed.conv.0.bias", 0.0, 0.05, values + 4, 4);
  tensor_read(weights_find(w, "encoder.embed.conv.0.bias"), 0, 4, values);
  assert_memory_equal(values, values + 4, 4 * sizeof(float));
  weights_close(w);
  inventory_free(known);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(printed_values),
      cmocka_unit_test(the_full_size_transformer_has_its_printed_values),
      cmocka_unit_test(small_checkpoints_follow_the_formula),
      cmocka_unit_test(constants_are_the_models_own),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
