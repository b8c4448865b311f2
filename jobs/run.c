/* Images to a picture: the three stages on one run file. */
#include "job.h"

#include "shardsne/clock.h"

ssne_code job_run(job *j, ssne_error *err) {
  const double start = ssne_clock();
  const char *path = j->options.output.out;
  char took[32];
  SSNE_TRY(job_require(j->options.extract.images, "--images SOURCE", err));
  SSNE_TRY(job_require(j->options.extract.model, "--model M.pt", err));
  SSNE_TRY(job_require(path, "--out RUN.h5", err));
  SSNE_TRY(render_check(j, err));
  SSNE_TRY(extract_features(j, path, err));
  SSNE_TRY(embed_run_file(j, path, err));
  SSNE_TRY(render_run_file(j, path, err));
  SSNE_TRY(job_account(j, ssne_clock() - start, err));
  ssne_clock_text(ssne_clock() - start, took, sizeof took);
  ssne_log_info(j->log, "done in %s: features and embedding in %s, the map in %s", took, path,
                j->options.render.plot);
  return SSNE_OK;
}
