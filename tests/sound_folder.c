// SPDX-License-Identifier: GPL-3.0-or-later
#include "sound_folder.h"
#include "data_path.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include <cmocka.h>

static const char *const files[][2] = {
    {"meanaudio_s_full.pth", "golden/meanaudio/transformer/meanaudio_tiny.pth"},
    {"v1-16.pth", "golden/meanaudio/vae_decoder/v1_tiny.pth"},
    {"best_netG.pt", "golden/meanaudio/bigvgan/best_netG_tiny.pt"},
    {"music_speech_audioset_epoch_15_esc_89.98.pt", "golden/meanaudio/clap_text/clap_tiny.pt"},
    {"model.safetensors", "golden/meanaudio/t5_encoder/model.safetensors"},
    {"spiece.model", "tokenizers_small/spiece.model"},
    {"vocab.json", "tokenizers_small/vocab.json"},
    {"merges.txt", "tokenizers_small/merges.txt"},
};

void sound_folder_replace(const char *folder, const char *name, const char *file)
{
  char path[256];
  snprintf(path, sizeof path, "%s/%s", folder, name);
  if (file == NULL)
    unlink(path);
  else if (!data_link(folder, name, file))
    fail_msg("%s: no link", path);
}

void sound_folder_make(char folder[TEMP_FOLDER_SIZE])
{
  if (!temp_folder_make(folder)) fail_msg("no folder below /tmp");
  for (size_t i = 0; i < sizeof files / sizeof files[0]; i++)
    sound_folder_replace(folder, files[i][0], files[i][1]);
}

void sound_folder_remove(const char *folder)
{
  temp_folder_remove(folder);
}
