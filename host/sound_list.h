// SPDX-License-Identifier: GPL-3.0-or-later
//
// Which sounds are to be made: prompts times seeds, a share of them, and a file name for each.
#ifndef MEANWAVE_SOUND_LIST_H
#define MEANWAVE_SOUND_LIST_H

#include "batch.h"

typedef struct {
  char **prompts;
  size_t count;
} prompt_list;

// One prompt, or those of a file, one a line, blank lines left out; "-" is standard input. False
// with one line when there are none or the file cannot be read.
bool prompt_list_one(prompt_list *list, const char *prompt);
bool prompt_list_read(prompt_list *list, const char *path, char *line, size_t size);
void prompt_list_free(prompt_list *list);

typedef struct {
  const prompt_list *prompts;
  uint64_t seed;      // of the first variation
  size_t variations;  // of each prompt, by consecutive seeds
  const char *output; // a file, "-", or a folder (it ends in '/' or is there)
  const char *format; // of files in a folder: "wav", ...
  size_t shard;       // which share of all, from 1
  size_t shards;
} sound_list;

// "2/8" -> shard and shards.
bool sound_list_shard(sound_list *l, const char *text);

// Adds the sounds of this share to `b`: the prompt as input, the file as output. In the order of
// `seeds` [b->count], which comes back with their seeds and is to be freed. One sound has the
// output's own name; of several, NAME.wav becomes NAME-3-42.wav, by number of the prompt where
// there are many, and seed where there are many. False with one line when that cannot be.
bool sound_list_fill(const sound_list *l, batch *b, uint64_t **seeds, char *line, size_t size);

#endif
