/* The options of every sub-command: one struct and one table a stage. */
#ifndef SHARDSNE_JOBS_OPTIONS_H
#define SHARDSNE_JOBS_OPTIONS_H

#include "shardsne/options.h"

typedef struct common_options {
  char *config, *log;
  int64_t threads; /* 0: chosen */
  bool quiet, help, version;
} common_options;

typedef struct output_options {
  char *out, *time_limit;
  bool fresh;
} output_options;

typedef struct extract_options {
  char *images, *labels, *model, *layer, *pool, *normalize, *device, *precision, *max_bad, *preset,
      *interpolation, *channels;
  int64_t drop_last, batch, resize, crop;
  double mean[3], std[3];
  bool noted; /* the model's own notes gave some of them */
} extract_options;

typedef struct embed_options {
  char *features, *labels; /* of `embed` alone; see embed_input_group */
  bool dry_run;            /* likewise */
  char *init, *optimizer, *petsc, *metric, *neighbours, *repulsion, *mesh_order;
  char *checkpoint_every;
  int64_t resume_from;    /* -1: the latest checkpoint */
  int64_t snapshot_every; /* 0: none */
  ssne_option_reals perplexity;
  int64_t pca; /* 0: all columns as they are */
  double recall;
  double exaggeration, late_exaggeration, learning_rate, momentum, step_limit, flat;
  double tail_df, mesh_step;
  int64_t early_iterations, iterations, seed;
} embed_options;

typedef struct render_options {
  char *figure, *images;
  char *plot, *mode, *color, *text, *legend, *title, *theme, *axes, *size;
  double alpha;
  int64_t dpi, thumbnails; /* thumbnails: a side; 0: none */
} render_options;

typedef struct export_options {
  char *to;
} export_options;

typedef struct repair_options {
  char *out;
  bool give_up;
} repair_options;

/* Every option of the program; a sub-command parses the groups it knows. */
typedef struct describe_options {
  int64_t crop;
  char *channels;
} describe_options;

typedef struct all_options {
  common_options common;
  output_options output;
  extract_options extract;
  embed_options embed;
  render_options render;
  export_options export;
  repair_options repair;
  describe_options describe;
} all_options;

/* Sets the defaults. Free with options_free_all. */
ssne_code options_defaults(all_options *o, ssne_error *err);
void options_free_all(all_options *o);

/* The groups, with the struct's parts as their values. */
ssne_option_group common_group(all_options *o);
ssne_option_group output_group(all_options *o);
ssne_option_group extract_group(all_options *o);
ssne_option_group embed_input_group(all_options *o);
ssne_option_group embed_group(all_options *o);
ssne_option_group render_group(all_options *o);
ssne_option_group render_input_group(all_options *o);
ssne_option_group export_group(all_options *o);
ssne_option_group repair_group(all_options *o);
ssne_option_group describe_group(all_options *o);

/* Gives resize, crop, mean and std what --preset says, if it was given. Options that
 * were given themselves are then to be set again. */
void options_take_preset(extract_options *o);

/* Gives resize, crop, interpolation, channels, mean and std what `notes` says, the JSON object that
 * a model's exporter put into `path`; other members do not count. As above, then. SSNE_USAGE where
 * it is no such object, or a value is none that the option takes. */
ssne_code options_take_notes(all_options *o, const char *notes, const char *path, ssne_error *err);

/* --max-bad as a number of images out of `count`: "5" or "0.1%". */
ssne_code options_max_bad(const char *text, int64_t count, int64_t *limit, ssne_error *err);

/* --time-limit in seconds: "90" minutes, "1:30:00", or as Slurm has it with days, "2-12:00:00". */
ssne_code options_time_limit(const char *text, double *seconds, ssne_error *err);

/* --size as two numbers: "8x6". */
ssne_code options_size(const char *text, double *width, double *height, ssne_error *err);

#endif
