#include "options.h"

#include "shardsne/memory.h"
#include "shardsne/tsne.h"

#include <inttypes.h>
#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LARGEST 9e15
#define COUNT(table) ((int)(sizeof(table) / sizeof *(table)))
#define AT(type, member) offsetof(type, member)

/* clang-format off */
static const ssne_option common_table[] = {
  {"threads", SSNE_OPTION_INTEGER, AT(common_options, threads), "T",
   "threads a rank; 0: SLURM_CPUS_PER_TASK, else this rank's share of the node's processors", NULL, 0, 4096, false, false},
  {"config", SSNE_OPTION_TEXT, AT(common_options, config), "FILE",
   "read options from FILE first: lines `name = value`", NULL, 0, 0, false, false},
  {"log", SSNE_OPTION_TEXT, AT(common_options, log), "FILE.jsonl",
   "append a machine-readable record, one JSON object a line", NULL, 0, 0, false, false},
  {"quiet", SSNE_OPTION_FLAG, AT(common_options, quiet), NULL,
   "say nothing but warnings and errors", NULL, 0, 0, false, false},
  {"help", SSNE_OPTION_FLAG, AT(common_options, help), NULL, "show this and stop", NULL, 0, 0, false, false},
  {"version", SSNE_OPTION_FLAG, AT(common_options, version), NULL,
   "show the versions of the program and its libraries, and stop", NULL, 0, 0, false, false},
};

static const ssne_option output_table[] = {
  {"out", SSNE_OPTION_TEXT, AT(output_options, out), "RUN.h5",
   "the run file. Where it exists, the same command goes on from what it holds", NULL, 0, 0, false, false},
  {"fresh", SSNE_OPTION_FLAG, AT(output_options, fresh), NULL,
   "start over instead of going on with what --out holds; a job that Slurm has requeued goes on even so", NULL, 0, 0, false, false},
  {"time-limit", SSNE_OPTION_TEXT, AT(output_options, time_limit), "TIME",
   "stop in order after so many minutes or [D-]H:MM:SS, with exit code 75: the same command goes on. Under Slurm the job's own end counts too", NULL, 0, 0, false, false},
};

static const ssne_option extract_table[] = {
  {"images", SSNE_OPTION_TEXT, AT(extract_options, images), "SOURCE",
   "the images: a folder a class (as torchvision's ImageFolder), one folder of unlabelled images, a CSV or TSV list of paths and labels, a tar or several (shards-{000..127}.tar), MNIST's or CIFAR's files, X.npy, X.h5:/path (docs/inputs.md)", NULL, 0, 0, false, true},
  {"labels", SSNE_OPTION_TEXT, AT(extract_options, labels), "Y",
   "the classes of an array's images, integers from 0: Y.npy, Y.h5:/path or IDX; found by name for MNIST's files", NULL, 0, 0, false, true},
  {"model", SSNE_OPTION_TEXT, AT(extract_options, model), "M.pt",
   "the network: a TorchScript file or, where libtorch is 2.6 or newer, an AOTInductor package M.pt2. What analysis/export_model.py has noted in it of how images are made ready counts, unless an option or --preset says otherwise", NULL, 0, 0, false, false},
  {"drop-last", SSNE_OPTION_INTEGER, AT(extract_options, drop_last), "K",
   "run all children of the network but the last K, in sequence", NULL, 0, 100000, false, true},
  {"layer", SSNE_OPTION_TEXT, AT(extract_options, layer), "NAME[,...]",
   "or: take what this module of the network returns, or with NAME:in what it takes, as `shardsne model M.pt` lists them; of several the first gives /features, the others /features_2 and so on", NULL, 0, 0, false, true},
  {"pool", SSNE_OPTION_CHOICE, AT(extract_options, pool), "avg|max|none|cls",
   "of maps and of sequences of tokens: the mean or the largest over all places, all values in a row, or the first token", "avg|max|none|cls", 0, 0, false, true},
  {"normalize", SSNE_OPTION_CHOICE, AT(extract_options, normalize), "none|l2",
   "l2: divide each row of features by its length", "none|l2", 0, 0, false, true},
  {"batch", SSNE_OPTION_INTEGER, AT(extract_options, batch), "B",
   "images a batch; also the block that one thread works on", NULL, 1, 65536, false, true},
  {"preset", SSNE_OPTION_CHOICE, AT(extract_options, preset), "P",
   "imagenet: --resize 256 --crop 224 and ImageNet's colours; cifar10: 32, 32 and CIFAR-10's; none: images as they are, colours in [0, 1]. What is given besides counts", "imagenet|cifar10|none", 0, 0, false, false},
  {"interpolation", SSNE_OPTION_CHOICE, AT(extract_options, interpolation), "I",
   "how to resize, as Pillow does, antialiased", "bilinear|bicubic", 0, 0, false, true},
  {"channels", SSNE_OPTION_CHOICE, AT(extract_options, channels), "1|3",
   "what the network takes: 3: colours, gray ones repeated; 1: gray, of which the first of --mean and --std are", "1|3", 0, 0, false, true},
  {"resize", SSNE_OPTION_INTEGER, AT(extract_options, resize), "S",
   "resize the shorter side to S pixels; 0: keep the size", NULL, 0, 65535, false, true},
  {"crop", SSNE_OPTION_INTEGER, AT(extract_options, crop), "C",
   "cut the central C x C pixels; 0: keep the whole image", NULL, 0, 65535, false, true},
  {"mean", SSNE_OPTION_TRIPLE, AT(extract_options, mean), "R,G,B",
   "subtracted from colours in [0, 1]; ImageNet's unless said otherwise", NULL, 0, 0, false, true},
  {"std", SSNE_OPTION_TRIPLE, AT(extract_options, std), "R,G,B",
   "and divided by", NULL, 0, 0, false, true},
  {"device", SSNE_OPTION_CHOICE, AT(extract_options, device), "auto|cpu|cuda",
   "where the network runs; auto: the rank's GPU, if there is one", "auto|cpu|cuda", 0, 0, false, false},
  {"precision", SSNE_OPTION_CHOICE, AT(extract_options, precision), "P",
   "float32, bfloat16 or float16", "float32|bfloat16|float16", 0, 0, false, true},
  {"max-bad", SSNE_OPTION_TEXT, AT(extract_options, max_bad), "K|P%",
   "go on without up to K (or P percent) images that cannot be read; each is named in the file and the log", NULL, 0, 0, false, false},
};

static const ssne_option embed_input_table[] = {
  {"features", SSNE_OPTION_TEXT, AT(embed_options, features), "X",
   "embed these rows instead of a run file's features: X.npy, or a dataset X.h5:/path", NULL, 0, 0, false, true},
  {"labels", SSNE_OPTION_TEXT, AT(embed_options, labels), "Y",
   "their classes, integers from 0, -1 for unknown: Y.npy, or a dataset Y.h5:/path", NULL, 0, 0, false, true},
  {"dry-run", SSNE_OPTION_FLAG, AT(embed_options, dry_run), NULL,
   "say how much memory and time it would take, and stop", NULL, 0, 0, false, false},
};

static const ssne_option embed_table[] = {
  {"perplexity", SSNE_OPTION_REALS, AT(embed_options, perplexity), "P",
   "how many neighbours a point feels; 3 P of them are searched. Several, such as 30,300, show near and far structure at once", NULL, 1, 100000, false, true},
  {"pca", SSNE_OPTION_INTEGER, AT(embed_options, pca), "K",
   "first project the features on their K leading principal components; 0: take them as they are", NULL, 0, 100000, false, true},
  {"metric", SSNE_OPTION_CHOICE, AT(embed_options, metric), "M",
   "what near means: the euclidean distance, or cosine: 1 - cos of the angle between rows", "euclidean|cosine", 0, 0, false, true},
  {"neighbours", SSNE_OPTION_CHOICE, AT(embed_options, neighbours), "SEARCH",
   "exact, approximate (its recall is measured and reported), or auto: exact up to some 27,000 rows", "auto|exact|approximate", 0, 0, false, true},
  {"recall", SSNE_OPTION_REAL, AT(embed_options, recall), "R",
   "share of the true neighbours that an approximate search is to find", NULL, 0.5, 0.9999, false, true},
  {"early-iterations", SSNE_OPTION_INTEGER, AT(embed_options, early_iterations), "N",
   "iterations with exaggerated attraction, first", NULL, 0, 1e9, false, true},
  {"iterations", SSNE_OPTION_INTEGER, AT(embed_options, iterations), "N",
   "iterations after those", NULL, 0, 1e9, false, true},
  {"exaggeration", SSNE_OPTION_REAL, AT(embed_options, exaggeration), "E",
   "factor of the attraction in the early iterations", NULL, 1, 1e6, false, true},
  {"late-exaggeration", SSNE_OPTION_REAL, AT(embed_options, late_exaggeration), "E",
   "and in the later ones; above 1 clusters are tighter", NULL, 0.01, 1e6, false, true},
  {"learning-rate", SSNE_OPTION_REAL, AT(embed_options, learning_rate), "R",
   "auto: rows / exaggeration of the phase, as openTSNE has it", NULL, 1e-9, 1e12, true, true},
  {"momentum", SSNE_OPTION_REAL, AT(embed_options, momentum), "M",
   "share of the last step that is kept", NULL, 0, 0.999, false, true},
  {"step-limit", SSNE_OPTION_REAL, AT(embed_options, step_limit), "L",
   "greatest length of a point's step", NULL, 1e-6, 1e9, false, true},
  {"stop-when-flat", SSNE_OPTION_REAL, AT(embed_options, flat), "F",
   "end early once KL falls by less than this share of itself in 50 iterations, such as 0.001; 0: never", NULL, 0, 1, false, true},
  {"tail-df", SSNE_OPTION_REAL, AT(embed_options, tail_df), "A",
   "degrees of freedom of the map's tails: 1 is t-SNE; less shows finer clusters", NULL, 0.1, 100, false, true},
  {"repulsion", SSNE_OPTION_CHOICE, AT(embed_options, repulsion), "R",
   "exact: all pairs; mesh: by fast Fourier transforms; auto: mesh from 4,000 rows on", "auto|exact|mesh", 0, 0, false, true},
  {"mesh-order", SSNE_OPTION_CHOICE, AT(embed_options, mesh_order), "4|6",
   "order of the mesh's B-splines; 6 is more accurate and slower", "4|6", 0, 0, false, true},
  {"mesh-step", SSNE_OPTION_REAL, AT(embed_options, mesh_step), "H",
   "distance of the mesh's nodes; smaller is more accurate and slower", NULL, 0.05, 1, false, true},
  {"init", SSNE_OPTION_TEXT, AT(embed_options, init), "START",
   "pca, random, or FILE.npy [rows, 2], taken as it is; with PETSc and SLEPc spectral: eigenvectors of the graph of neighbours, or spectral,pca: pca where they cannot be had", NULL, 0, 0, false, true},
  {"optimizer", SSNE_OPTION_CHOICE, AT(embed_options, optimizer), "O",
   "descent: with momentum; with PETSc tao: its TAO takes the later iterations, by limited-memory BFGS or as --petsc \"-tao_type cg\" says", "descent|tao", 0, 0, false, true},
  {"petsc", SSNE_OPTION_TEXT, AT(embed_options, petsc), "OPTIONS",
   "for PETSc and SLEPc themselves, such as \"-eps_monitor -eps_tol 1e-6\" or \"-tao_monitor\"", NULL, 0, 0, false, true},
  {"seed", SSNE_OPTION_INTEGER, AT(embed_options, seed), "S",
   "of all random numbers", NULL, 0, LARGEST, false, true},
  {"checkpoint-every", SSNE_OPTION_TEXT, AT(embed_options, checkpoint_every), "N|Mm|auto|never",
   "keep the state of the iterations every N of them, every M minutes, or so seldom that it costs next to nothing; and always when stopped", NULL, 0, 0, false, false},
  {"resume-from", SSNE_OPTION_INTEGER, AT(embed_options, resume_from), "N",
   "go on from the checkpoint of iteration N rather than from the latest; two are kept", NULL, -1, 2e9, false, false},
  {"snapshot-every", SSNE_OPTION_INTEGER, AT(embed_options, snapshot_every), "N",
   "keep the map of every N iterations in the run file, for `render --figure animation`; 0: none", NULL, 0, 2e9, false, false},
};

static const ssne_option render_table[] = {
  {"plot", SSNE_OPTION_TEXT, AT(render_options, plot), "MAP.png",
   "the picture: .png, .svg or .pdf, drawn by gnuplot; or .html, a page that shows a point's name, class and image under the mouse", NULL, 0, 0, false, false},
  {"figure", SSNE_OPTION_CHOICE, AT(render_options, figure), "F",
   "what to draw: the map; history: KL, gradient and span by iteration; stages: time by stage; animation: the snapshots of `embed --snapshot-every`, a .gif or animated .png", "map|history|stages|animation", 0, 0, false, false},
  {"thumbnails", SSNE_OPTION_INTEGER, AT(render_options, thumbnails), "K",
   "draw the map with the images themselves, on a grid of K a side that keeps neighbours; 0: with points", NULL, 0, 64, false, false},
  {"mode", SSNE_OPTION_CHOICE, AT(render_options, mode), "M",
   "a disc for each of the points, or how dense they are at each place; auto: a density from 100,001 points on", "auto|points|density", 0, 0, false, false},
  {"color", SSNE_OPTION_TEXT, AT(render_options, color), "C",
   "auto, label (the class, up to 20 colours), none, density, purity (share of the 15 nearest neighbours, by features, that are of the point's own class), kl (the point's part of KL, times the points: the mean is KL), or FILE.npy: a value for each row. auto: label where there are labels of 20 classes at most, none where there are more, else density", NULL, 0, 0, false, false},
  {"text", SSNE_OPTION_CHOICE, AT(render_options, text), "T",
   "label: the class number, counted from 1, on each point (the label itself where classes have no names); name: the name of each class at the median of its points; auto: label up to 300 points of 20 classes, else name", "auto|label|name|none", 0, 0, false, false},
  {"legend", SSNE_OPTION_CHOICE, AT(render_options, legend), "yes|no",
   "say beside the map what its colours mean", "yes|no", 0, 0, false, false},
  {"title", SSNE_OPTION_TEXT, AT(render_options, title), "TITLE",
   "a line above the map", NULL, 0, 0, false, false},
  {"theme", SSNE_OPTION_CHOICE, AT(render_options, theme), "light|dark",
   "a white or a dark background", "light|dark", 0, 0, false, false},
  {"axes", SSNE_OPTION_CHOICE, AT(render_options, axes), "equal|stretched",
   "the same scale on both, so that distances are those of the map; or both equally long, as in /embedding/normalized", "equal|stretched", 0, 0, false, false},
  {"alpha", SSNE_OPTION_REAL, AT(render_options, alpha), "A",
   "opacity of a point", NULL, 0.01, 1, false, false},
  {"dpi", SSNE_OPTION_INTEGER, AT(render_options, dpi), "D",
   "pixels an inch; of an animation a third of that", NULL, 30, 2400, false, false},
  {"size", SSNE_OPTION_TEXT, AT(render_options, size), "WxH",
   "width and height in inches", NULL, 0, 0, false, false},
};

static const ssne_option render_input_table[] = {
  {"images", SSNE_OPTION_TEXT, AT(render_options, images), "SOURCE",
   "where the images are, if no longer where `extract` found them", NULL, 0, 0, false, false},
};

static const ssne_option export_table[] = {
  {"to", SSNE_OPTION_TEXT, AT(export_options, to), "DIR",
   "folder for features.npy, target.npy and embedding.npy", NULL, 0, 0, false, false},
};

static const ssne_option describe_table[] = {
  {"crop", SSNE_OPTION_INTEGER, AT(describe_options, crop), "C",
   "the side of the images that it is shown, as of extract's --crop", NULL, 1, 65535, false, false},
  {"channels", SSNE_OPTION_CHOICE, AT(describe_options, channels), "1|3",
   "gray images or coloured ones", "1|3", 0, 0, false, false},
};

static const ssne_option repair_table[] = {
  {"out", SSNE_OPTION_TEXT, AT(repair_options, out), "NEW.h5",
   "the new run file; the damaged one stays as it is", NULL, 0, 0, false, false},
  {"give-up", SSNE_OPTION_FLAG, AT(repair_options, give_up), NULL,
   "mark images whose features are lost as bad, for when they cannot be extracted again", NULL, 0, 0, false, false},
};
/* clang-format on */

ssne_option_group common_group(all_options *o) {
  return (ssne_option_group){"Every sub-command", common_table, COUNT(common_table), &o->common};
}

ssne_option_group output_group(all_options *o) {
  return (ssne_option_group){"Output", output_table, COUNT(output_table), &o->output};
}

ssne_option_group extract_group(all_options *o) {
  return (ssne_option_group){"Features", extract_table, COUNT(extract_table), &o->extract};
}

ssne_option_group embed_input_group(all_options *o) {
  return (ssne_option_group){"Input", embed_input_table, COUNT(embed_input_table), &o->embed};
}

ssne_option_group embed_group(all_options *o) {
  return (ssne_option_group){"Embedding", embed_table, COUNT(embed_table), &o->embed};
}

ssne_option_group render_group(all_options *o) {
  return (ssne_option_group){"Picture", render_table, COUNT(render_table), &o->render};
}

ssne_option_group render_input_group(all_options *o) {
  return (ssne_option_group){"Input", render_input_table, COUNT(render_input_table), &o->render};
}

ssne_option_group export_group(all_options *o) {
  return (ssne_option_group){"Export", export_table, COUNT(export_table), &o->export};
}

ssne_option_group describe_group(all_options *o) {
  return (ssne_option_group){"Images", describe_table, COUNT(describe_table), &o->describe};
}

ssne_option_group repair_group(all_options *o) {
  return (ssne_option_group){"Repair", repair_table, COUNT(repair_table), &o->repair};
}

ssne_code options_defaults(all_options *o, ssne_error *err) {
  *o = (all_options){
      .extract = {.batch = 64, .mean = {0.485, 0.456, 0.406}, .std = {0.229, 0.224, 0.225}},
      .embed = {.perplexity = {.count = 1, .value = {30}},
                .recall = 0.98,
                .early_iterations = 250,
                .iterations = 750,
                .exaggeration = 12,
                .late_exaggeration = 1,
                .learning_rate = NAN,
                .momentum = 0.8,
                .step_limit = 5,
                .tail_df = 1,
                .resume_from = -1,
                .mesh_step = ssne_force_defaults().mesh_step},
      .render = {.alpha = 0.6, .dpi = 300},
      .describe = {.crop = 224},
  };
  const struct {
    char **option;
    const char *value;
  } texts[] = {{&o->extract.pool, "avg"},
               {&o->extract.normalize, "none"},
               {&o->extract.interpolation, "bilinear"},
               {&o->extract.channels, "3"},
               {&o->describe.channels, "3"},
               {&o->extract.device, "auto"},
               {&o->extract.precision, "float32"},
               {&o->extract.max_bad, "0"},
               {&o->embed.init, "pca"},
               {&o->embed.optimizer, "descent"},
               {&o->embed.metric, "euclidean"},
               {&o->embed.neighbours, "auto"},
               {&o->embed.repulsion, "auto"},
               {&o->embed.mesh_order, "4"},
               {&o->embed.checkpoint_every, "auto"},
               {&o->render.figure, "map"},
               {&o->render.mode, "auto"},
               {&o->render.color, "auto"},
               {&o->render.text, "auto"},
               {&o->render.legend, "yes"},
               {&o->render.theme, "light"},
               {&o->render.axes, "equal"},
               {&o->render.size, "8x8"}};
  for (int i = 0; i < COUNT(texts); i++)
    SSNE_TRY(ssne_copy_text(texts[i].option, texts[i].value, err));
  return SSNE_OK;
}

void options_free_all(all_options *o) {
  const ssne_option_group groups[] = {common_group(o),       output_group(o), extract_group(o),
                                      embed_input_group(o),  embed_group(o),  render_group(o),
                                      render_input_group(o), export_group(o), repair_group(o),
                                      describe_group(o)};
  ssne_options_free(groups, COUNT(groups));
}

/* The text that the command line would have: "256", "bicubic", "0.5,0.5,0.5". */
static bool note_text(const json_t *value, char *text, size_t room) {
  size_t used = 0, i = 0;
  const json_t *one = NULL;
  text[0] = 0;
  if (json_is_integer(value))
    return snprintf(text, room, "%" JSON_INTEGER_FORMAT, json_integer_value(value)) > 0;
  if (json_is_string(value))
    return snprintf(text, room, "%s", json_string_value(value)) < (int)room;
  json_array_foreach(value, i, one) {
    if (!json_is_number(one) || used > room - 32) return false;
    used += (size_t)snprintf(text + used, room - used, "%s%.17g", i > 0 ? "," : "",
                             json_number_value(one));
  }
  return used > 0;
}

ssne_code options_take_notes(all_options *o, const char *notes, const char *path, ssne_error *err) {
  static const char *const names[] = {"resize", "crop", "interpolation", "channels", "mean", "std"};
  const ssne_option_group group = extract_group(o);
  json_t *all = json_loads(notes, 0, NULL);
  ssne_code code = SSNE_OK;
  if (!json_is_object(all))
    code = ssne_fail(err, SSNE_USAGE,
                     "%s: its preprocessing.json is no JSON object: export the "
                     "model again, or give --preset",
                     path);
  for (int i = 0; i < COUNT(names) && code == SSNE_OK; i++) {
    char text[256], where[400];
    const json_t *value = json_object_get(all, names[i]);
    if (!value) continue;
    snprintf(where, sizeof where, "%.300s: preprocessing.json: %s", path, names[i]);
    if (!note_text(value, text, sizeof text))
      code = ssne_fail(err, SSNE_USAGE,
                       "%s: not a value for --%s: export the model again, or give "
                       "--preset",
                       where, names[i]);
    else
      code = ssne_options_set(&group, 1, names[i], text, where, err);
    o->extract.noted = o->extract.noted || code == SSNE_OK;
  }
  json_decref(all);
  return code;
}

void options_take_preset(extract_options *o) {
  static const struct {
    const char *name;
    int64_t resize, crop;
    double mean[3], std[3];
  } presets[] = {
      {"imagenet", 256, 224, {0.485, 0.456, 0.406}, {0.229, 0.224, 0.225}},
      {"cifar10", 32, 32, {0.4914, 0.4822, 0.4465}, {0.247, 0.2435, 0.2616}},
      {"none", 0, 0, {0, 0, 0}, {1, 1, 1}},
  };
  for (int p = 0; p < COUNT(presets); p++) {
    if (!o->preset || strcmp(o->preset, presets[p].name) != 0) continue;
    o->resize = presets[p].resize;
    o->crop = presets[p].crop;
    memcpy(o->mean, presets[p].mean, sizeof o->mean);
    memcpy(o->std, presets[p].std, sizeof o->std);
  }
}

ssne_code options_max_bad(const char *text, int64_t count, int64_t *limit, ssne_error *err) {
  char *end = NULL;
  const double number = strtod(text, &end);
  const bool percent = end != text && strcmp(end, "%") == 0;
  if (end == text || (*end && !percent) || !(number >= 0) || !(number < LARGEST) ||
      (percent ? number > 100 : number != floor(number)))
    return ssne_fail(err, SSNE_USAGE,
                     "--max-bad: `%s` is neither a number of images (5) nor a percentage (0.1%%)",
                     text);
  *limit = (int64_t)(percent ? floor(number / 100 * (double)count) : number);
  return SSNE_OK;
}

ssne_code options_time_limit(const char *text, double *seconds, ssne_error *err) {
  double days = 0, part[3] = {0};
  int used = 0, count = 0;
  const char *rest = text;
  const bool with_days = sscanf(text, "%lf-%n", &days, &used) == 1 && used > 0;
  if (with_days)
    rest += used;
  else
    days = 0; /* what it read was no number of days */
  while (count < 3 && sscanf(rest, "%lf%n", &part[count], &used) == 1 && part[count] >= 0) {
    rest += used;
    count++;
    if (*rest != ':') break;
    rest++;
  }
  /* as Slurm reads it: minutes, minutes:seconds, hours:minutes:seconds; with days hours come first
   */
  static const double unit[2][4][3] = {{{0}, {60}, {60, 1}, {3600, 60, 1}},
                                       {{0}, {3600}, {3600, 60}, {3600, 60, 1}}};
  *seconds = 86400 * days;
  for (int i = 0; i < count; i++) *seconds += unit[with_days][count][i] * part[i];
  if (count > 0 && *rest == 0 && days >= 0 && *seconds > 0 && *seconds < LARGEST) return SSNE_OK;
  return ssne_fail(err, SSNE_USAGE,
                   "--time-limit: `%s` is neither minutes (90) nor [D-]H:MM:SS (1:30:00)", text);
}

ssne_code options_size(const char *text, double *width, double *height, ssne_error *err) {
  int used = 0;
  if (sscanf(text, "%lfx%lf%n", width, height, &used) != 2 || text[used] || !(*width >= 0.5) ||
      !(*height >= 0.5) || !(*width <= 200) || !(*height <= 200))
    return ssne_fail(err, SSNE_USAGE,
                     "--size: `%s` is not WIDTHxHEIGHT in inches, from 0.5 to 200, such as 8x6",
                     text);
  return SSNE_OK;
}
