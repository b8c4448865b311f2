/* What a network is made of: what --layer and --drop-last have to choose from. */
#include "job.h"
#include "model.h"

#include "shardsne/agree.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static void print_layers(const ssne_model_description *d) {
  int name = (int)strlen("layer"), kind = (int)strlen("class");
  for (int64_t i = 0; i < d->count; i++) {
    const int n = (int)strlen(d->layers[i].name), k = (int)strlen(d->layers[i].kind);
    name = n > name ? n : name;
    kind = k > kind ? k : kind;
  }
  printf("%-*s  %-*s  %s\n", name, "layer", kind, "class", "returns for one image");
  for (int64_t i = 0; i < d->count; i++)
    printf("%-*s  %-*s  %s\n", name, d->layers[i].name, kind, d->layers[i].kind,
           d->layers[i].output);
}

static void print_description(const job *j, const ssne_model_options *o,
                              const ssne_model_description *d) {
  printf("%s takes %" PRId64 " x %" PRId64 " x %" PRId64 " and returns %s\n\n", j->word,
         o->channels, o->height, o->width, d->output);
  print_layers(d);
  if (d->fault[0])
    printf("\nIts forward does not just run its children (the layers without a dot) one after the "
           "other:\nit %s. Choose features with --layer; --drop-last warns where it is wrong.\n",
           d->fault);
  else
    printf("\nIts forward runs its children (the layers without a dot) one after the other: "
           "--drop-last K\nleaves out the last K of them.\n");
}

/* Rank 0 alone looks and prints. */
static ssne_code describe(job *j, ssne_error *err) {
  const describe_options *o = &j->options.describe;
  const ssne_model_options options = {
      .path = j->word, .channels = o->channels[0] - '0', .height = o->crop, .width = o->crop};
  ssne_model_description description = {0};
  SSNE_TRY(ssne_model_describe(&options, &description, err));
  print_description(j, &options, &description);
  ssne_model_description_free(&description);
  return SSNE_OK;
}

ssne_code job_model(job *j, ssne_error *err) {
  SSNE_TRY(job_require(j->word, "M.pt", err));
  return ssne_agree(j->comm, j->rank == 0 ? describe(j, err) : SSNE_OK, err);
}
