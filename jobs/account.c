#include "account.h"

#include "shardsne/agree.h"

#include <jansson.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Microseconds are enough, and make a text that people read. */
static double rounded(double seconds) {
  return round(seconds * 1e6) / 1e6;
}

static ssne_code add_stages(const job *j, int first, json_t *stages, ssne_error *err) {
  for (int i = first; i < j->stages.count; i++) {
    const ssne_stage *stage = &j->stages.stage[i];
    ssne_stage_summary s;
    SSNE_TRY(ssne_stage_summarise(stage, j->comm, &s, err));
    json_array_append_new(stages, json_pack("{s:s, s:I, s:f, s:f, s:f}", "stage", stage->name,
                                            "count", (json_int_t)s.count, "min", rounded(s.min),
                                            "mean", rounded(s.mean), "max", rounded(s.max)));
  }
  return SSNE_OK;
}

ssne_code account_write(const job *j, int first, double seconds, bool resumed, char **json,
                        ssne_error *err) {
  json_t *stages = json_array();
  json_t *all = json_pack("{s:i, s:i, s:b, s:f, s:o}", "ranks", j->ranks, "threads", j->threads,
                          "resumed", resumed, "seconds", rounded(seconds), "stages", stages);
  *json = NULL;
  ssne_code code = add_stages(j, first, stages, err);
  char *text = code == SSNE_OK && j->rank == 0 ? json_dumps(all, JSON_REAL_PRECISION(9)) : NULL;
  json_decref(all);
  if (code == SSNE_OK && j->rank == 0 && !text)
    code = ssne_fail(err, SSNE_FAILED, "out of memory for the account of the stages");
  code = ssne_agree(j->comm, code, err);
  if (code == SSNE_OK) code = job_share_text(j, text, json, err);
  free(text);
  return code;
}

static bool read_stage(const json_t *entry, account_stage *out) {
  const char *name = json_string_value(json_object_get(entry, "stage"));
  out->min = json_number_value(json_object_get(entry, "min"));
  out->mean = json_number_value(json_object_get(entry, "mean"));
  out->max = json_number_value(json_object_get(entry, "max"));
  if (!name || strlen(name) >= sizeof out->name) return false;
  memcpy(out->name, name, strlen(name) + 1);
  return out->min >= 0 && out->mean >= out->min && out->max >= out->mean && out->max < 1e12;
}

ssne_code account_read(const char *json, const char *attribute, account *out, ssne_error *err) {
  json_t *all = json_loads(json, 0, NULL);
  const json_t *stages = json_object_get(all, "stages");
  const size_t count = json_array_size(stages);
  bool good = json_is_array(stages) && count <= SSNE_STAGES_MAX;
  *out = (account){
      .ranks = (int)json_integer_value(json_object_get(all, "ranks")),
      .threads = (int)json_integer_value(json_object_get(all, "threads")),
      .resumed = json_is_true(json_object_get(all, "resumed")),
      .seconds = json_number_value(json_object_get(all, "seconds")),
  };
  for (size_t i = 0; good && i < count; i++)
    good = read_stage(json_array_get(stages, i), &out->stage[out->count++]);
  json_decref(all);
  if (good && out->seconds >= 0 && out->seconds < 1e12) return SSNE_OK;
  return ssne_fail(err, SSNE_USAGE,
                   "the attribute %s does not hold times of stages: it was written by another "
                   "program",
                   attribute);
}
