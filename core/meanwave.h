// SPDX-License-Identifier: GPL-3.0-or-later
//
// Meanwave's public interface: voice conversion (MeanVC) and text to audio (MeanAudio).
//
// Errors: functions that can fail return mw_status (MW_OK is 0) and, when `error` is not NULL,
// leave one line in it: what failed, on which file, what to do. Nothing here prints.
// Threads: an object is used by one thread at a time unless its comment says otherwise.
// Units: samples are float, full scale -1..1; rates in Hz; a frame is one sample of every channel.
#ifndef MEANWAVE_H
#define MEANWAVE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define MW_API __attribute__((visibility("default")))

typedef enum {
  MW_OK = 0,
  MW_ERROR_IO,        // a file or device failed while reading or writing
  MW_ERROR_FORMAT,    // a file is not what its reader expects: broken, truncated, hostile
  MW_ERROR_ARGUMENT,  // a value the caller gave is out of range
  MW_ERROR_MODEL,     // a model is missing, incomplete or of another kind
  MW_ERROR_MEMORY,    // the system gave no memory
  MW_ERROR_CANCELLED, // the caller asked to stop
} mw_status;

typedef struct {
  char text[512]; // one line, NUL-terminated, UTF-8
} mw_error;

// Short fixed name of a status ("out of memory"). Any thread.
MW_API const char *mw_status_name(mw_status status);

// The kernels this machine runs ("avx512", ...), and the libraries built in. Any thread.
MW_API const char *mw_kernels_name(void);
MW_API const char *mw_libraries(void);

// ---- Places ----
//
// Any thread, not real time.

// The path of a model file by its name: in $MEANWAVE_MODELS (when it is not set: in the source tree
// that the program lies in), the user's data, the installed data, $XDG_DATA_DIRS. When it is
// nowhere, the error names the places.
MW_API mw_status mw_find_model(char *path, size_t size, const char *file, mw_error *error);
// Likewise the path of a voice file in the user's and the installed data.
MW_API mw_status mw_find_voice(char *path, size_t size, const char *file, mw_error *error);
// Calls `say` with the path of each .voice file in these places, nearer places first.
MW_API void mw_voice_files_list(void (*say)(void *context, const char *path), void *context);
// Whether a path that nobody typed names a file: no folder, no pipe or device that would be waited
// for, not "-".
MW_API mw_status mw_file_check(const char *path, mw_error *error);
// What is in a file, so that it is known again elsewhere: SHA-256 in hexadecimal.
enum { MW_HASH_SIZE = 65 };
MW_API mw_status mw_file_hash(const char *path, char text[MW_HASH_SIZE], mw_error *error);
// Where voices heard in recordings are kept, in XDG_CACHE_HOME; NULL when there is no such place.
MW_API const char *mw_voice_cache(char *path, size_t size);

// ---- Sound in memory ----

// A sound in memory, one channel.
typedef struct {
  float *samples; // [frames]
  size_t frames;
  unsigned rate_hz;
} mw_sound;

// The first `seconds` of a file; 0: all of it, refused beyond 1 GB (93 minutes at 48 kHz). `channel`
// from 1, or 0 for the mean of all.
MW_API mw_status mw_sound_read(mw_sound *read, const char *path, unsigned channel, double seconds,
                               mw_error *error);
MW_API void mw_sound_free(mw_sound *sound);
// WAV, FLAC, AIFF or OGG by the name's ending; the old file or the whole new one.
MW_API mw_status mw_sound_save(const mw_sound *sound, const char *path, bool overwrite,
                               mw_error *error);

// ---- Model files ----
//
// Any file of weights: safetensors, our bundles, PyTorch and TorchScript archives. Not real time.

typedef struct mw_model_file mw_model_file;

typedef struct {
  const char *name;
  const char *type; // "F32", "F16", "BF16", "I8", ...
  unsigned rank;
  size_t shape[8]; // [shape[0], ..., shape[rank - 1]]
  size_t bytes;
} mw_tensor_info;

MW_API mw_status mw_model_file_open(mw_model_file **opened, const char *path, mw_error *error);
MW_API void mw_model_file_close(mw_model_file *file); // NULL is fine
MW_API size_t mw_model_file_count(const mw_model_file *file);
MW_API bool mw_model_file_tensor(const mw_model_file *file, size_t index, mw_tensor_info *info);
// Which network it is, told by its tensors: "meanvc", "meanaudio-s", ...; NULL when none is known.
// Full size: in the shapes of the official file, else a smaller or larger relative.
MW_API const char *mw_model_file_kind(const mw_model_file *file);
MW_API bool mw_model_file_is_full_size(const mw_model_file *file);
// The largest tensor that has another shape than in the official files, and theirs; "": none has.
MW_API const char *mw_model_file_sizes(const mw_model_file *file);
// Of a bundle: "family", "name", "licence", "config", "parts", "source", "source_sha256"; or NULL.
MW_API const char *mw_model_file_metadata(const mw_model_file *file, const char *key);
// Calls `say` with a line for each tensor that a file of full size lacks or has too many; returns
// how many lines.
typedef void (*mw_say)(void *context, const char *line);
MW_API size_t mw_model_file_problems(const mw_model_file *file, mw_say say, void *context);

typedef enum { MW_WEIGHTS_F32, MW_WEIGHTS_F16, MW_WEIGHTS_BF16, MW_WEIGHTS_INT8 } mw_weight_type;

typedef struct {
  const char *const *paths; // weights, and at most one *.json with the configuration
  size_t count;
  const char *output;
  const char *name;    // NULL: that of the source
  const char *licence; // NULL: that of the source
  mw_weight_type type; // of matrices
  bool overwrite;
} mw_model_import;

// Writes one bundle of all the files: one file keeps its tensors' names, several get the prefix of
// their part ("decoder.", "encoder.", "vocoder.", "speaker.", "flow.", "text.", "clap.", "vae.").
// `output` is either what it was or whole, whenever the program ends.
MW_API mw_status mw_models_import(const mw_model_import *wish, mw_error *error);

// ---- Voice conversion ----
//
// A model is read once and shared by any number of streams and threads. A voice is what a model
// turns speech into; it belongs to the model it was opened with, and both must outlive the streams
// on them. Not real time, up to mw_stream.

typedef struct mw_voice_model mw_voice_model;

// `model_path`: a voice bundle, a folder of the published files of MeanVC or MeanVC 2, or the
// decoder in such a folder; NULL: the default model. `vocoder_path`: a vocoder bundle, to a voice
// bundle only; NULL: the bundle's own or else the default one. `steps` of mean flow: 1 to
// 16; 0: as the published real-time loops, 1 and for MeanVC 2 two.
MW_API mw_status mw_voice_model_open(mw_voice_model **opened, const char *model_path,
                                     const char *vocoder_path, unsigned steps, mw_error *error);
MW_API void mw_voice_model_close(mw_voice_model *model); // NULL is fine
// Of a chunk: the part of a stream's delay that is no look-ahead.
MW_API double mw_voice_model_chunk_seconds(const mw_voice_model *model);
// The same, one copy for all of the process that ask for the same files and steps; counted.
MW_API mw_status mw_voice_model_share(mw_voice_model **shared, const char *model_path,
                                      const char *vocoder_path, unsigned steps, mw_error *error);
MW_API void mw_voice_model_give_back(mw_voice_model *model); // instead of close; NULL is fine
// The voices of a bundle, in the file's order; NULL behind the last.
MW_API const char *mw_voice_model_voice(const mw_voice_model *model, size_t index);

typedef struct mw_voice mw_voice;

// A voice of the bundle by its name, a .voice file, or a recording (a path with a dot or a slash).
// `cache_folder`, when not NULL, keeps what was heard in recordings, by their content.
MW_API mw_status mw_voice_open(mw_voice **opened, const mw_voice_model *model, const char *what,
                               const char *cache_folder, mw_error *error);
// One voice of several recordings of a person, each at least a second long: embeddings averaged,
// prompts joined up to a minute.
MW_API mw_status mw_voice_make(mw_voice **made, const mw_voice_model *model,
                               const char *const *recordings, size_t count,
                               const char *cache_folder, mw_error *error);
// (1 - share) of `a` and `share` (0 to 1) of `b`.
MW_API mw_status mw_voice_mix(mw_voice **mixed, const mw_voice_model *model, const mw_voice *a,
                              const mw_voice *b, double share, mw_error *error);
// Writes a .voice file: safetensors with "embedding", "prompt" and metadata. `consent` says who
// allowed the use of the voice; NULL keeps what the voice has.
MW_API mw_status mw_voice_save(const mw_voice *voice, const char *path, const char *name,
                               const char *consent, bool overwrite, mw_error *error);
MW_API void mw_voice_close(mw_voice *voice); // NULL is fine
MW_API const char *mw_voice_name(const mw_voice *voice);
MW_API const char *mw_voice_consent(const mw_voice *voice); // "" when nothing was said
// SHA-256 of the recordings it was made of; "" for a model's own voice.
MW_API const char *mw_voice_source(const mw_voice *voice);
MW_API double mw_voice_seconds(const mw_voice *voice); // of reference

// A stream: as many frames out as in, `delay` later. Used by one thread at a time; real time after
// mw_stream_new, but a call that completes a chunk computes all of it. How the input is cut into
// calls changes no bit of the output.
typedef struct mw_stream mw_stream;

MW_API mw_status mw_stream_new(mw_stream **made, const mw_voice_model *model, const mw_voice *voice,
                               unsigned rate_hz, uint64_t seed, mw_error *error);
// The same with the real-time loop that the authors of MeanVC 2 publish, to compare with their
// code: blocks of 160 ms, and a longer delay. For other models it is the same as mw_stream_new.
MW_API mw_status mw_stream_new_published(mw_stream **made, const mw_voice_model *model,
                                         const mw_voice *voice, unsigned rate_hz, uint64_t seed,
                                         mw_error *error);
MW_API void mw_stream_free(mw_stream *stream); // NULL is fine
MW_API void mw_stream_reset(mw_stream *stream);
// Output frame k + delay belongs to input frame k. Constant for a model and a rate.
MW_API size_t mw_stream_delay_frames(const mw_stream *stream);
// in, out [frames], one channel; may be the same array. What is not a number is taken as silence,
// so that the output is finite whatever voice and model are.
MW_API void mw_stream_run(mw_stream *stream, const float *in, float *out, size_t frames);
// With a model that is not told its pitch: gives up mw_stream_set_pitch for 45 ms less delay.
// Resets. Not real time.
MW_API mw_status mw_stream_fix_pitch(mw_stream *stream, mw_error *error);
// With a model that looks ahead (MeanVC 2): guesses the last 40 ms of what its look-ahead is
// analysed from, for as much less delay; what that costs: docs/latency.md. Resets. Not real time.
MW_API mw_status mw_stream_guess_ahead(mw_stream *stream, mw_error *error);

// Controls: real time, between two calls of mw_stream_run, as often as you like. None clicks and
// none changes the delay. What is set before mw_stream_reset holds from the first frame. A value
// that is not a number is taken as the default, one out of range as the nearest in it.

#define MW_GATE_OFF (-120.0f)

// From the next chunk on.
MW_API void mw_stream_set_voice(mw_stream *stream, const mw_voice *voice);
// Share of the converted sound, 0 to 1 (default 1), against the delayed input; glides over 20 ms.
MW_API void mw_stream_set_mix(mw_stream *stream, float wet);
// Of all that is heard, -60 to 24 dB (default 0); glides over 20 ms.
MW_API void mw_stream_set_gain(mw_stream *stream, float gain_db);
// Of the converted sound, -24 to 24 semitones (default 0); formants stay those of the voice. Glides
// over 50 ms; in a model that is told its pitch, over the next chunk.
MW_API void mw_stream_set_pitch(mw_stream *stream, float semitones);
// Silence where the input is softer than the threshold: MW_GATE_OFF (default) to 0 dB of full
// scale, RMS of 10 ms. Opens 80 ms before the onset (the delay is used for it), holds 200 ms,
// closes over 150 ms at 6 dB below the threshold.
MW_API void mw_stream_set_gate(mw_stream *stream, float threshold_db);
// 0 closed to 1 open, of the frame that mw_stream_run wrote last: for meters.
MW_API float mw_stream_gate_gain(const mw_stream *stream);

// The controls of a stream together; what neutral means is MW_VOICE_CONTROLS.
typedef struct {
  float mix;
  float pitch; // semitones
  float gate_db;
  float gain_db;
} mw_voice_controls;

#define MW_VOICE_CONTROLS ((mw_voice_controls){1.0f, 0.0f, MW_GATE_OFF, 0.0f})

MW_API void mw_stream_set(mw_stream *stream, const mw_voice_controls *controls);

// ---- Live ----
//
// A stream with a thread of its own between two rings, for sound devices and plugins:
//
//   mw_live_new(&live, &setup, &error); mw_live_start(live, &error);
//   mw_live_run(live, in, out, frames);             // in every callback: copies only
//   mw_live_free(live);
//
// The delay is fixed. A chunk that is late is heard as silence with soft edges, counted, and left
// out when it comes. Without a thread (before mw_live_start) or synchronous, mw_live_run computes
// chunks itself and gives the same bits as a thread that was never late.

typedef struct mw_live mw_live;

typedef struct {
  const mw_voice_model *model;
  const mw_voice *voice;
  uint64_t seed;
  unsigned rate_hz;       // of the output, and of the input with one clock
  size_t block_frames;    // the most that is read at once as a rule; larger blocks may come late
  double compute_ms;      // the most a chunk may take before it is late; 0: 20 ms
  unsigned in_rate_hz;    // 0: one clock, mw_live_run. Else the input has a clock of its own, about
                          // so fast: mw_live_write on its thread, mw_live_read on the output's
  size_t in_block_frames; // the most that is written at once, with two clocks
  bool fixed_pitch;       // mw_stream_fix_pitch
  bool guess_ahead;       // mw_stream_guess_ahead
} mw_live_setup;

// Not real time.
MW_API mw_status mw_live_new(mw_live **made, const mw_live_setup *setup, mw_error *error);
MW_API void mw_live_free(mw_live *live);                        // NULL is fine
MW_API mw_status mw_live_start(mw_live *live, mw_error *error); // started already is fine
MW_API void mw_live_stop(mw_live *live);                        // likewise
MW_API void mw_live_reset(mw_live *live);                       // only while stopped and silent

// Of the whole: the stream's, `spare` for the thread, with two clocks the resampler's.
MW_API size_t mw_live_delay_frames(const mw_live *live);
MW_API size_t mw_live_spare_frames(const mw_live *live);

// Real time while started and not synchronous.
MW_API void mw_live_run(mw_live *live, const float *in, float *out, size_t frames);
// Returns the frames taken; the others are lost. With two clocks the input counts from the first
// read on, be it of 0 frames: what is written before is left out, and all of it returned.
MW_API size_t mw_live_write(mw_live *live, const float *in, size_t frames);
MW_API void mw_live_read(mw_live *live, float *out, size_t frames);

// Any thread, real time; they hold from the next frame written on, and from the first one when set
// before it.
MW_API void mw_live_set(mw_live *live, const mw_voice_controls *controls);
MW_API void mw_live_set_bypass(mw_live *live, bool bypass); // the input itself, delayed
// What is read fades out or in over 5 ms, at once.
MW_API void mw_live_set_mute(mw_live *live, bool mute);
// Free-wheeling: nobody waits, so nothing is late.
MW_API void mw_live_set_synchronous(mw_live *live, bool synchronous);

// Any thread that may wait for a chunk. The voice is of the model set last; the one before may be
// closed when this returns.
MW_API void mw_live_set_voice(mw_live *live, const mw_voice *voice);
// The new model hears the input behind the old one and fades in when it has heard enough. Fails
// with MW_ERROR_ARGUMENT when it is heard later than the first model. The old model and its voice
// are in use until mw_live_changing (real time) is false and mw_live_settle has been called, which
// ends a change under way at once.
MW_API mw_status mw_live_set_model(mw_live *live, const mw_voice_model *model,
                                   const mw_voice *voice, mw_error *error);
MW_API bool mw_live_changing(const mw_live *live);
MW_API void mw_live_settle(mw_live *live);

typedef struct {
  float in_peak; // since the last look, like the next six
  float out_peak;
  double rtf;             // time taken over time of sound
  double encoder_rtf;     // what that is of: sound to content,
  double decoder_rtf;     // content to spectrogram,
  double vocoder_rtf;     // spectrogram to sound; resamplers and pitch shift are the rest
  double worst_ms;        // that one chunk took
  float gate_gain;        // 0 closed to 1 open
  uint64_t late;          // times that sound was not there when it was due
  uint64_t let_go_frames; // of input, never converted: the thread was far behind
  uint64_t jumps;         // of the clocks: input or output was lost
  double drift_ppm;       // of the output's clock against the input's
  bool real_time;         // the thread was granted its priority
} mw_live_view;

// One thread; real time.
MW_API void mw_live_look(mw_live *live, mw_live_view *view);

// What is heard, written while it is heard by a thread of its own: WAV, FLAC, AIFF or OGG by the
// name's ending. `side_by_side`: two channels, what came in and what was heard at that moment.
typedef struct mw_recording mw_recording;

MW_API mw_status mw_recording_open(mw_recording **opened, const char *path, unsigned rate_hz,
                                   bool side_by_side, bool overwrite, mw_error *error);
// Only while `live` is stopped and silent; NULL ends it. `rate_hz` is to be that of the output.
MW_API void mw_live_record(mw_live *live, mw_recording *recording);
MW_API uint64_t mw_recording_lost_frames(const mw_recording *recording); // the disk was too slow
// Puts the file in place and frees the recording; NULL is fine.
MW_API mw_status mw_recording_finish(mw_recording *recording, mw_error *error);

// ---- Conversion of files ----

typedef struct {
  const mw_voice_model *model;
  const mw_voice *voice;
  uint64_t seed; // the same seed gives the same bits
  mw_voice_controls controls;
  unsigned channel; // of the input, from 1; 0: the mean of all
  // What "-" stands for: NULL a sound file, or headerless samples as "s16le:48000[:channels]"
  // (also s24le, s32le, f32le) that pass through while they come.
  const char *raw;
  bool published_loop; // as mw_stream_new_published
  bool guess_ahead;    // mw_stream_guess_ahead
  // When not NULL: told how much is done (0 to 1; 0 all along when the length is unknown), from the
  // calling thread; false stops the work with MW_ERROR_CANCELLED.
  bool (*progress)(void *context, double share);
  void *context;
} mw_conversion;

// Converts a sound file through a stream: any rate and number of channels in; one channel of the
// same rate and length out, in time with the input. "-" is standard input or output. The file
// written is at no moment half there. Any number of threads may convert on one model and voice.
MW_API mw_status mw_convert_file(const mw_conversion *how, const char *in_path,
                                 const char *out_path, bool overwrite, mw_error *error);

// ---- Text to audio ----
//
// A model is read once and shared by any number of threads; each call of mw_sound_generate has its
// own memory and threads. Nothing here is real time.

typedef struct mw_sound_model mw_sound_model;

// `model_path`: a sound bundle, a folder of MeanAudio's or FluxAudio's published files
// (docs/models.md), or one transformer file in such a folder; NULL: the default model.
// `vocoder_path`: a vocoder bundle, to a sound bundle only; NULL: the default one.
MW_API mw_status mw_sound_model_open(mw_sound_model **opened, const char *model_path,
                                     const char *vocoder_path, mw_error *error);
MW_API void mw_sound_model_close(mw_sound_model *model); // NULL is fine
// The same, one copy for all of the process that ask for the same files; counted.
MW_API mw_status mw_sound_model_share(mw_sound_model **shared, const char *model_path,
                                      const char *vocoder_path, mw_error *error);
MW_API void mw_sound_model_give_back(mw_sound_model *model); // instead of close; NULL is fine

typedef struct {
  const char *name;        // a bundle's own, else "meanaudio-s", ...
  unsigned rate_hz;        // of its sounds
  double trained_seconds;  // the length it knows best
  unsigned steps;          // as published
  double guidance;         // as published; 0: none, then a negative prompt has no say
  bool starts_from_sounds; // mw_sound_wish.from can be used
} mw_sound_model_info;
MW_API mw_sound_model_info mw_sound_model_about(const mw_sound_model *model);

#define MW_PROMPT_BYTES 4096
#define MW_SOUND_SHORTEST 0.1 // seconds
#define MW_SOUND_LONGEST 300.0
#define MW_SOUND_MOST_STEPS 200
#define MW_SOUND_SEEDS 4294967296.0 // a seed is below it

// What the model reads of a prompt. An error when it is empty, too long, not UTF-8, has control
// characters other than tab and newline, or no word the model knows.
typedef struct {
  size_t used;      // tokens or words it reads
  size_t wanted;    // what all of the prompt would take; more than `used`: its end is not read
  size_t unknown;   // words of three letters and more that a model with a word list does not know
  char example[64]; // the first of these
} mw_prompt_info;
MW_API mw_status mw_sound_prompt(const mw_sound_model *model, const char *prompt,
                                 mw_prompt_info *info, mw_error *error);

// What to make. Zero is a good value for all but `prompt`.
typedef struct {
  const char *prompt;
  const char *negative; // NULL: the empty prompt
  double guidance;      // away from the negative prompt; 0: the model's own, below 1: none
  uint64_t seed;        // below MW_SOUND_SEEDS
  unsigned steps;       // at most MW_SOUND_MOST_STEPS; 0: the model's own
  double seconds;   // shortest to longest, rounded to a sample; 0: those of `from`, else trained
  bool loop;        // the end runs into the beginning; then rounded to 10 ms
  unsigned threads; // 0: one per core

  // Start from a sound instead of noise alone; NULL: not. It is padded or cut to `seconds`.
  const mw_sound *from;
  double strength; // share of noise in it, above 0 to 1 (as without the sound); 0: 0.6

  // Go the share `morph` (0 to 1) of the way to another prompt, another seed, or both.
  const char *morph_prompt; // NULL: the same prompt
  bool has_morph_seed;
  uint64_t morph_seed;
  double morph;

  // Told the share done, 0 to 1, several times a second of work, on the caller's thread; false
  // ends the call with MW_ERROR_CANCELLED. May be NULL.
  bool (*progress)(void *context, double done);
  void *context;
} mw_sound_wish;

// The same wish gives the same bits whatever the number of threads. Noise is that of PyTorch's CPU
// generator, so that the published system gives the same sound from the same seed, but for its last
// few samples where the length is no multiple of a latent frame's.
MW_API mw_status mw_sound_generate(mw_sound *made, const mw_sound_model *model,
                                   const mw_sound_wish *wish, mw_error *error);

// Loudness by EBU R128 (ITU-R BS.1770), integrated, in LUFS; -HUGE_VAL for silence.
MW_API double mw_sound_loudness(const mw_sound *sound);
MW_API double mw_sound_peak_db(const mw_sound *sound); // of full scale

// What is done to a finished sound, in this order. Zero is "nothing", but that what goes beyond
// full scale is turned down to it.
typedef struct {
  unsigned rate_hz; // 0: as it is
  bool loop;        // the end runs into the beginning: kept so when the rate changes
  double fade_in_seconds;
  double fade_out_seconds;
  bool has_loudness;
  double loudness_lufs; // -70 to 0
  bool has_peak;
  double peak_db; // -70 to 0; with a loudness: what the peak may reach at most
} mw_sound_finish;
MW_API mw_status mw_sound_finish_up(mw_sound *sound, const mw_sound_finish *how, mw_error *error);

// Generates, finishes and writes WAV (32-bit float), FLAC or AIFF (24 bit) or OGG by the name's
// ending ("-": WAV to standard output), with prompt, model, seed and steps in the file's texts. The
// place is tried before the work. It holds the old file or the whole new one at any moment; an
// existing file is an error unless `overwrite`. `how` may be NULL.
MW_API mw_status mw_sound_generate_file(const mw_sound_model *model, const mw_sound_wish *wish,
                                        const mw_sound_finish *how, const char *path,
                                        bool overwrite, mw_error *error);

// ---- Presets ----
//
// Small text files with what a voice or a sound is made of: docs/presets.md. Not real time.

typedef enum { MW_PRESET_VOICE, MW_PRESET_SOUND } mw_preset_kind;

#define MW_PRESET_TEXT 1024

typedef struct {
  mw_preset_kind kind;
  char name[64];  // of its file
  char group[64]; // "" for none
  char about[256];
  char model[MW_PRESET_TEXT]; // a path; "": the default one
  // a voice
  char voice[MW_PRESET_TEXT]; // for mw_voice_open
  mw_voice_controls controls;
  // a sound; 0 and "": not said
  char prompt[MW_PRESET_TEXT];
  char negative[MW_PRESET_TEXT];
  uint64_t seed;
  double seconds;
  unsigned steps;
  bool loop;
  bool has_loudness;
  double loudness_lufs;
} mw_preset;

// A preset by its name, or a file (a path with a slash, or what ends in .preset). Names are looked
// for in $MEANWAVE_PRESETS, then in "presets" of the user's, the installed and the shared data.
MW_API mw_status mw_preset_open(mw_preset *preset, const char *what, mw_error *error);
// Calls `say` for each file, with what is in it or what is wrong with it.
typedef void (*mw_preset_say)(void *context, const char *path, const mw_preset *preset,
                              const char *problem);
MW_API mw_status mw_presets_list(mw_preset_say say, void *context, mw_error *error);

// ---- Vocoder ----

// Reads a sound file, takes its mel spectrogram and makes it sound again with the vocoder of
// `model_path` (our bundle or the published vocos.pt): how good conversion and generation can get
// at best. Any rate and number of channels in; one channel of the same rate and length out. Not
// real time.
MW_API mw_status mw_copy_synthesis(const char *model_path, const char *in_path,
                                   const char *out_path, bool overwrite, mw_error *error);

// ---- Benchmarks ----

typedef struct {
  const char *name;       // "peak", "gemm", "int8" (the same products on int8 weights) or "conv"
  const char *shape;      // "[M,N,K]" or "channels x kernel x dilation x length"
  double gflops;          // 2 M N K per second, one thread
  double share_of_peak;   // of the fused multiply-add peak measured beside it
  double openblas_gflops; // the same product by OpenBLAS, one thread; 0 when it is not installed
} mw_bench_row;

// Measures the peak first, then every shape as the best of `repeat` timings, and calls `row` for
// each. Not real time.
MW_API mw_status mw_bench_kernels(unsigned repeat,
                                  void (*row)(void *context, const mw_bench_row *row),
                                  void *context, mw_error *error);

typedef struct {
  const char *name; // "analysis", "encoder", "decoder", "vocoder", "total"
  double rtf;       // processor time over sound time, one thread
  double median_ms; // of a chunk
  double p999_ms;
} mw_bench_stage;

typedef struct {
  // "meanvc", "meanvc2-120" or "meanvc2-40": the published sizes with weights by formula and a
  // prompt of 500 frames; "default": the default model with the first of its voices
  const char *size;
  unsigned steps;      // of mean flow
  unsigned chunks;     // measured, behind the first ones, which have no history yet
  mw_weight_type type; // of the weights by formula
} mw_bench_voice_wish;

// Calls `row` for each stage of a chunk. Not real time.
MW_API mw_status mw_bench_voice(const mw_bench_voice_wish *wish,
                                void (*row)(void *context, const mw_bench_stage *row),
                                void *context, mw_error *error);

typedef struct {
  // "s" or "l": the published sizes with weights by formula, a prompt of 12 tokens, one step;
  // "default": the default model, in as many steps as it asks for
  const char *size;
  double seconds;      // of sound
  unsigned threads;    // 0: one per physical core
  unsigned repeat;     // best of so many
  mw_weight_type type; // of the weights by formula
} mw_bench_sound_wish;

typedef struct {
  const char *name;   // "text", "clap", "transformer", "decoder", "vocoder", "total"
  double seconds;     // on the clock
  double cpu_seconds; // of all threads
  double rtf;         // seconds over seconds of sound
  double peak_mb;     // most memory resident in the meantime beyond the loaded model
  double model_mb;    // what that takes
} mw_bench_sound_row;

// The stages of mw_sound_generate one after the other, with the whole model in memory as there.
// Loading is not timed. Calls `row` for each stage. Not real time.
MW_API mw_status mw_bench_sound(const mw_bench_sound_wish *wish,
                                void (*row)(void *context, const mw_bench_sound_row *row),
                                void *context, mw_error *error);

#endif
