// SPDX-License-Identifier: GPL-3.0-or-later
#include "sound_model.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "json.h"
#include "registry.h"

enum { PATH_SIZE = 4608, PUBLISHED_ROWS = 77, PUBLISHED_FLOW_STEPS = 25 };
static const double published_guidance = 4.5; // of FluxAudio
static const double usual_seconds = 10.0;

void mw_sound_model_close(mw_sound_model *m)
{
  if (m == NULL) return;
  flow_audio_free(m->flow);
  latent_coder_free(m->coder);
  word_encoder_free(m->words);
  vocos_free(m->vocos);
  pieces_free(m->pieces);
  bpe_free(m->bpe);
  text_encoder_free(m->text);
  clap_text_free(m->clap);
  bigvgan_free(m->bigvgan);
  weights_close(m->flow_file);
  weights_close(m->coder_file);
  weights_close(m->text_file);
  weights_close(m->clap_file);
  weights_close(m->vocoder_file);
  free(m);
}

mw_sound_model_info mw_sound_model_about(const mw_sound_model *m)
{
  mw_sound_model_info about = m->about;
  about.name = m->name;
  return about;
}

// ---- Published files ----

// Where one of `names` (NULL ends them) lies: in the folder, or in `below` in it, which is named as
// the repository the file comes from; NULL: there is none.
static mw_status find_published(char path[PATH_SIZE], const char *folder, const char *below,
                                const char *const *names, mw_error *error)
{
  for (size_t i = 0; names[i] != NULL; i++) {
    if (snprintf(path, PATH_SIZE, "%s/%s", folder, names[i]) < PATH_SIZE && access(path, F_OK) == 0)
      return MW_OK;
    if (below != NULL &&
        snprintf(path, PATH_SIZE, "%s/%s/%s", folder, below, names[i]) < PATH_SIZE &&
        access(path, F_OK) == 0)
      return MW_OK;
  }
  return mw_fail(error, MW_ERROR_MODEL,
                 "%.300s: there is no %s in it; docs/models.md lists the files of the system",
                 folder, names[0]);
}

static bool holds(const weights *file, const char *tensor_name)
{
  weights_view view = weights_locate(file, tensor_name);
  return weights_view_find(&view, tensor_name) != NULL;
}

// A part's own file, unless the transformer's file holds the part too, known by one of its tensors:
// a bundle imported from the published files. Then *file stays NULL.
static mw_status open_published(weights **file, const mw_sound_model *m, const char *tensor_name,
                                const char *folder, const char *below, const char *const *names,
                                mw_error *error)
{
  char path[PATH_SIZE];
  if (holds(m->flow_file, tensor_name)) return MW_OK;
  mw_status status = find_published(path, folder, below, names, error);
  return status == MW_OK ? weights_open(file, path, error) : status;
}

static mw_status open_tokenizers(mw_sound_model *m, const char *folder, mw_error *error)
{
  static const char *const models[] = {"spiece.model", NULL};
  static const char *const words[] = {"vocab.json", NULL};
  static const char *const pairs[] = {"merges.txt", NULL};
  char path[PATH_SIZE];
  char second[PATH_SIZE];
  mw_status status = find_published(path, folder, "flan-t5-large", models, error);
  if (status == MW_OK) status = pieces_open(&m->pieces, path, error);
  if (status == MW_OK) status = find_published(path, folder, "roberta-base", words, error);
  if (status == MW_OK) status = find_published(second, folder, "roberta-base", pairs, error);
  if (status == MW_OK) status = bpe_open(&m->bpe, path, second, error);
  return status;
}

static const weights *own_or(const weights *own, const weights *other)
{
  return own != NULL ? own : other;
}

const weights *sound_model_coder_file(const mw_sound_model *m)
{
  return own_or(m->coder_file, m->flow_file);
}

static mw_status find_parts(mw_sound_model *m, const char *folder, mw_error *error)
{
  static const char *const texts[] = {"model.safetensors", "pytorch_model.bin", NULL};
  static const char *const claps[] = {"music_speech_audioset_epoch_15_esc_89.98.pt", NULL};
  static const char *const coders[] = {"v1-16.pth", NULL};
  static const char *const vocoders[] = {"best_netG.pt", NULL};
  mw_status status = open_published(&m->text_file, m, "encoder.final_layer_norm.weight", folder,
                                    "flan-t5-large", texts, error);
  if (status == MW_OK)
    status = open_published(&m->clap_file, m, "text_branch.pooler.dense.weight", folder, NULL,
                            claps, error);
  if (status == MW_OK)
    status =
        open_published(&m->coder_file, m, "decoder.conv_in.weight", folder, NULL, coders, error);
  if (status == MW_OK)
    status = open_published(&m->vocoder_file, m, "resblocks.0.activations.0.act.alpha", folder,
                            NULL, vocoders, error);
  return status;
}

// Each file is let go when its network has its own copy, so that only one is in memory twice.
static mw_status load_parts(mw_sound_model *m, mw_error *error)
{
  const weights *text = own_or(m->text_file, m->flow_file);
  const weights *clap = own_or(m->clap_file, m->flow_file);
  const weights *coder = own_or(m->coder_file, m->flow_file);
  const weights *vocoder = own_or(m->vocoder_file, m->flow_file);
  mw_status status = flow_audio_load(&m->flow, m->flow_file, error);
  weights_let_go(m->flow_file);
  if (status == MW_OK) status = text_encoder_load(&m->text, text, error);
  weights_let_go(text);
  if (status == MW_OK) status = clap_text_load(&m->clap, clap, 0, error);
  weights_let_go(clap);
  if (status == MW_OK) status = latent_coder_load(&m->coder, coder, false, error);
  weights_let_go(coder);
  if (status == MW_OK) status = bigvgan_load(&m->bigvgan, vocoder, error);
  weights_let_go(vocoder);
  return status;
}

static mw_status check_tokenizers(const mw_sound_model *m, mw_error *error)
{
  if (pieces_count(m->pieces) > text_encoder_vocabulary(m->text))
    return mw_fail(error, MW_ERROR_MODEL,
                   "spiece.model has %zu pieces and the text encoder %zu: they do not belong "
                   "together",
                   pieces_count(m->pieces), text_encoder_vocabulary(m->text));
  if (bpe_count(m->bpe) > clap_text_vocabulary(m->clap))
    return mw_fail(error, MW_ERROR_MODEL,
                   "vocab.json has %zu tokens and the text tower %zu: they do not belong together",
                   bpe_count(m->bpe), clap_text_vocabulary(m->clap));
  return MW_OK;
}

// `flow_path` names the transformer's file in the folder.
static mw_status open_system(mw_sound_model *m, const char *folder, const char *flow_path,
                             const char *vocoder_path, mw_error *error)
{
  const float *text;
  const float *pooled;
  mw_status status = weights_open(&m->flow_file, flow_path, error);
  if (status == MW_OK && !holds(m->flow_file, "audio_input_proj.0.weight"))
    status = mw_fail(error, MW_ERROR_MODEL,
                     "%s: neither a sound bundle nor MeanAudio's transformer", flow_path);
  if (status == MW_OK && vocoder_path != NULL)
    status =
        mw_fail(error, MW_ERROR_ARGUMENT, "%s: has a vocoder of its own; name no other", flow_path);
  if (status == MW_OK) status = open_tokenizers(m, folder, error);
  if (status == MW_OK) status = find_parts(m, folder, error);
  if (status == MW_OK) status = load_parts(m, error);
  if (status == MW_OK) status = check_tokenizers(m, error);
  if (status != MW_OK) return status;
  m->mel = MEL_MEANAUDIO;
  m->text_width = text_encoder_width(m->text);
  m->pooled_width = clap_text_width(m->clap);
  flow_audio_empty(m->flow, &text, &m->text_rows, &pooled);
  if (m->text_rows == 0) m->text_rows = PUBLISHED_ROWS;
  if (m->text_rows > clap_text_longest(m->clap)) m->text_rows = clap_text_longest(m->clap);
  m->latent_hop = latent_coder_get_config(m->coder)->factor * bigvgan_hop(m->bigvgan);
  bool mean_flow = flow_audio_get_config(m->flow)->mean_flow;
  m->about.steps = mean_flow ? 1 : PUBLISHED_FLOW_STEPS;
  m->about.guidance = mean_flow ? 0.0 : published_guidance;
  m->about.trained_seconds = usual_seconds;
  const char *name = strrchr(flow_path, '/');
  name = name != NULL ? name + 1 : flow_path;
  snprintf(m->name, sizeof m->name, "%.*s", (int)strcspn(name, "."), name);
  return MW_OK;
}

static mw_status open_folder(mw_sound_model *m, const char *folder, const char *vocoder_path,
                             mw_error *error)
{
  static const char *const flows[] = {"meanaudio_s_full.pth", "meanaudio_s_ac.pth",
                                      "meanaudio_l_full.pth", "fluxaudio_s_full.pth", NULL};
  char path[PATH_SIZE];
  mw_status status = find_published(path, folder, NULL, flows, error);
  return status == MW_OK ? open_system(m, folder, path, vocoder_path, error) : status;
}

// ---- Bundles ----

typedef struct {
  size_t heads;
  double rate_hz;
  size_t latents_per_second;
  double trained_seconds;
  size_t steps; // of the flow, unless told otherwise
  char name[128];
} bundle_config;

static mw_status read_config(const weights *file, bundle_config *c, mw_error *error)
{
  json *config = NULL;
  const char *text = weights_metadata(file, "config");
  const char *name = weights_metadata(file, "name");
  if (text == NULL)
    return mw_fail(error, MW_ERROR_MODEL, "%s: not a sound bundle: it has no config",
                   weights_path(file));
  mw_status status = json_parse(&config, text, strlen(text), weights_path(file), error);
  if (status != MW_OK) return status;
  const json_node *root = json_root(config);
  const char *analysis = json_string_or(json_get(root, "mel"), "");
  c->trained_seconds = json_number_or(json_get(root, "trained_seconds"), usual_seconds);
  c->steps = 1;
  json_size(json_get(root, "steps"), 1, MW_SOUND_MOST_STEPS, &c->steps);
  snprintf(c->name, sizeof c->name, "%s", name != NULL ? name : "sound bundle");
  if (!json_size(json_get(root, "text_heads"), 1, 1024, &c->heads) ||
      !json_size(json_get(root, "latents_per_second"), 1, SOUND_MODEL_HZ, &c->latents_per_second) ||
      json_number_or(json_get(root, "rate_hz"), 0.0) != SOUND_MODEL_HZ ||
      strcmp(analysis, "meanvc-prompt") != 0 ||
      !(c->trained_seconds >= MW_SOUND_SHORTEST && c->trained_seconds <= MW_SOUND_LONGEST))
    status = mw_fail(error, MW_ERROR_MODEL, "%s: not a sound bundle of this version of Meanwave",
                     weights_path(file));
  json_free(config);
  return status;
}

static mw_status open_bundle(mw_sound_model *m, const char *vocoder_path, mw_error *error)
{
  bundle_config config;
  mw_status status = read_config(m->flow_file, &config, error);
  if (status == MW_OK) status = weights_open(&m->vocoder_file, vocoder_path, error);
  if (status != MW_OK) return status;
  weights_view words = weights_under(m->flow_file, "text.");
  weights_view vocoder = weights_under(m->vocoder_file, "vocoder.");
  status = word_encoder_load(&m->words, &words, config.heads, error);
  if (status == MW_OK) status = flow_audio_load(&m->flow, m->flow_file, error);
  if (status == MW_OK) status = latent_coder_load(&m->coder, m->flow_file, false, error);
  if (status == MW_OK) status = vocos_load(&m->vocos, &vocoder, 0, error);
  if (status != MW_OK) return status;
  m->mel = MEL_MEANVC;
  m->text_rows = word_encoder_rows(m->words);
  m->text_width = word_encoder_width(m->words);
  m->pooled_width = word_encoder_pooled(m->words);
  m->latent_hop = latent_coder_get_config(m->coder)->factor * vocos_hop(m->vocos);
  if (m->latent_hop * config.latents_per_second != SOUND_MODEL_HZ)
    return mw_fail(error, MW_ERROR_MODEL, "%s: its frames are not those of %s",
                   weights_path(m->flow_file), vocoder_path);
  m->about.steps = config.steps;
  m->about.trained_seconds = config.trained_seconds;
  memcpy(m->name, config.name, sizeof m->name);
  return MW_OK;
}

// ---- Either ----

static mw_status check_sizes(mw_sound_model *m, mw_error *error)
{
  const flow_audio_config *flow = flow_audio_get_config(m->flow);
  const latent_coder_config *coder = latent_coder_get_config(m->coder);
  size_t bins = m->vocos != NULL ? vocos_mel_bins(m->vocos) : bigvgan_mel_bins(m->bigvgan);
  size_t hop = m->vocos != NULL ? vocos_hop(m->vocos) : bigvgan_hop(m->bigvgan);
  const char *what = NULL;
  if (flow->text_width != m->text_width || flow->pooled_width != m->pooled_width)
    what = "the text features";
  else if (m->text_rows < 2 || m->text_rows > SOUND_TEXT_ROWS)
    what = "the rows of a prompt";
  else if (flow->latent_channels != coder->latent_channels)
    what = "the latents";
  else if (coder->mel_bins != bins || bins != MEL_BINS)
    what = "the mel frames";
  else if (hop != mel_hop(m->mel))
    what = "the samples of a mel frame";
  if (what != NULL)
    return mw_fail(error, MW_ERROR_MODEL,
                   "%s: its parts do not belong together: %s have other sizes",
                   weights_path(m->flow_file), what);
  m->about.starts_from_sounds = holds(sound_model_coder_file(m), "encoder.conv_in.weight");
  m->about.rate_hz = SOUND_MODEL_HZ;
  return MW_OK;
}

static bool is_folder(const char *path)
{
  struct stat about;
  return stat(path, &about) == 0 && S_ISDIR(about.st_mode);
}

static bool is_bundle(const char *path)
{
  weights *file = NULL;
  bool bundle =
      weights_open(&file, path, NULL) == MW_OK && weights_find(file, "text.words") != NULL;
  weights_close(file);
  return bundle;
}

static mw_status open_file(mw_sound_model *m, const char *path, const char *vocoder_path,
                           mw_error *error)
{
  char folder[PATH_SIZE];
  if (is_bundle(path)) {
    mw_status status = weights_open(&m->flow_file, path, error);
    return status == MW_OK ? open_bundle(m, vocoder_path, error) : status;
  }
  const char *slash = strrchr(path, '/');
  snprintf(folder, sizeof folder, "%.*s", slash != NULL ? (int)(slash - path) : 1,
           slash != NULL ? path : ".");
  return open_system(m, folder, path, vocoder_path, error);
}

static mw_status open_files(mw_sound_model **opened, const char *model_path,
                            const char *vocoder_path, mw_error *error)
{
  mw_sound_model *m = calloc(1, sizeof *m);
  if (m == NULL) return mw_fail_memory(error, "opening a sound model");
  mw_status status = is_folder(model_path) ? open_folder(m, model_path, vocoder_path, error)
                                           : open_file(m, model_path, vocoder_path, error);
  if (status == MW_OK) status = check_sizes(m, error);
  if (status == MW_OK)
    *opened = m;
  else
    mw_sound_model_close(m);
  return status;
}

// The files meant by NULL: the default model, and the default vocoder where one is used.
typedef struct {
  const char *model;
  const char *vocoder;
  char found[2][4096];
} model_files;

static mw_status find_files(model_files *f, const char *model_path, const char *vocoder_path,
                            mw_error *error)
{
  mw_status status = MW_OK;
  f->model = model_path != NULL ? model_path : f->found[0];
  if (model_path == NULL)
    status = mw_find_model(f->found[0], sizeof f->found[0], "sound.safetensors", error);
  if (status != MW_OK) return status;
  f->vocoder = vocoder_path;
  if (vocoder_path != NULL || !is_bundle(f->model)) return MW_OK;
  f->vocoder = f->found[1];
  return mw_find_model(f->found[1], sizeof f->found[1], "vocoder.safetensors", error);
}

mw_status mw_sound_model_open(mw_sound_model **opened, const char *model_path,
                              const char *vocoder_path, mw_error *error)
{
  model_files files;
  mw_status status = find_files(&files, model_path, vocoder_path, error);
  return status == MW_OK ? open_files(opened, files.model, files.vocoder, error) : status;
}

static mw_status open_wish(void **object, const registry_wish *wish, mw_error *error)
{
  return open_files((mw_sound_model **)object, wish->files[0], wish->files[1], error);
}

static void close_object(void *object)
{
  mw_sound_model_close(object);
}

mw_status mw_sound_model_share(mw_sound_model **shared, const char *model_path,
                               const char *vocoder_path, mw_error *error)
{
  model_files files;
  void *object = NULL;
  mw_status status = find_files(&files, model_path, vocoder_path, error);
  if (status != MW_OK) return status;
  registry_wish wish = {{files.model, files.vocoder}, 0, open_wish, close_object};
  status = registry_take(&object, &wish, error);
  if (status == MW_OK) *shared = object;
  return status;
}

void mw_sound_model_give_back(mw_sound_model *model)
{
  registry_give_back(model);
}
