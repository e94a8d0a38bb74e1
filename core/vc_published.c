// SPDX-License-Identifier: GPL-3.0-or-later
#include "vc_published.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

static const vc_published models[] = {
    {"model_200ms.safetensors", "fastu2++.pt", 20, 0},
    {"meanvc_200ms.pt", "fastu2++.pt", 20, 0},
    {"meanvc2_120ms_40ms.safetensors", "fastu2pp_160ms.pt", 12, 4},
    {"meanvc2_40ms_40ms.safetensors", "fastu2pp_80ms.pt", 4, 4},
};
enum { MODELS = sizeof models / sizeof models[0] };

const vc_published *vc_published_named(const char *path)
{
  const char *slash = strrchr(path, '/');
  const char *name = slash != NULL ? slash + 1 : path;
  for (int i = 0; i < MODELS; i++)
    if (strcmp(models[i].decoder, name) == 0) return &models[i];
  return NULL;
}

static bool is_there(const char *folder, const char *name)
{
  char path[4400];
  return snprintf(path, sizeof path, "%s/%s", folder, name) < (int)sizeof path &&
         access(path, F_OK) == 0;
}

mw_status vc_published_in(const vc_published **found, const char *folder, mw_error *error)
{
  const vc_published *first = NULL;
  for (int i = 0; i < MODELS; i++) {
    if (!is_there(folder, models[i].decoder)) continue;
    // the same weights in two containers
    bool again = first != NULL && first->chunk == models[i].chunk;
    if (first != NULL && !again)
      return mw_fail(error, MW_ERROR_MODEL,
                     "%s: both %s and %s are in it: name the one you mean, with the folder", folder,
                     first->decoder, models[i].decoder);
    if (!again) first = &models[i];
  }
  if (first == NULL)
    return mw_fail(error, MW_ERROR_MODEL, "%s: there is none of %s, %s, %s, %s in it", folder,
                   models[0].decoder, models[1].decoder, models[2].decoder, models[3].decoder);
  *found = first;
  return MW_OK;
}

const vc_published *vc_published_source(const weights *bundle)
{
  const char *source = weights_metadata(bundle, "source");
  for (int i = 0; source != NULL && i < MODELS; i++)
    if (strstr(source, models[i].decoder) != NULL) return &models[i];
  return NULL;
}

mw_status vc_published_open(weights **file, const char *folder, const char *name,
                            const char *tensor_name, weights_view *view, mw_error *error)
{
  char path[4400];
  if (!is_there(folder, name))
    return mw_fail(error, MW_ERROR_MODEL, "%s: there is no %s in it", folder, name);
  snprintf(path, sizeof path, "%s/%s", folder, name);
  mw_status status = weights_open(file, path, error);
  if (status == MW_OK) *view = weights_locate(*file, tensor_name);
  return status;
}
