#include "drawing.h"
#include "process.h"

#include "shardsne/memory.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

/* The largest side of an image that cairo draws. */
#define PIXELS_MOST 32767

static ssne_code check_options(const ssne_picture *p, const ssne_format *format, ssne_error *err) {
  const double longer = p->width > p->height ? p->width : p->height;
  if (!(p->width >= 0.5 && p->height >= 0.5 && longer <= 200))
    return ssne_fail(err, SSNE_USAGE, "a picture of %g x %g inches: choose from 0.5 to 200",
                     p->width, p->height);
  if (!(p->alpha >= 0 && p->alpha <= 1))
    return ssne_fail(err, SSNE_USAGE, "an opacity of %g: choose from 0 to 1", p->alpha);
  if (p->dpi < 1) return ssne_fail(err, SSNE_USAGE, "%d dots an inch: choose at least 1", p->dpi);
  if (format->canvas_inch == 0 && longer * p->dpi > PIXELS_MOST)
    return ssne_fail(
        err, SSNE_USAGE,
        "a picture of %g x %g inches at %d dots an inch: no side may have more than %d "
        "pixels",
        p->width, p->height, p->dpi, PIXELS_MOST);
  return SSNE_OK;
}

/* Pango draws a character that no font has as a box as large as the whole picture when gnuplot asks
 * for it, so the legend must do without. An SVG's text is drawn elsewhere, with other fonts. */
static ssne_code restrict_legend(const ssne_format *format, const char *folder, ssne_legend *legend,
                                 ssne_error *err) {
  bool plain = true;
  for (int i = 0; i < legend->count; i++) plain = plain && ssne_name_is_ascii(legend->row[i].name);
  if (plain || strcmp(format->terminal, "svg") == 0) return SSNE_OK;
  ssne_characters *characters = NULL;
  FILE *fonts = NULL;
  SSNE_TRY(ssne_fonts_list(folder, err));
  SSNE_TRY(ssne_alloc(&characters, 1, sizeof *characters, "characters of fonts", err));
  const ssne_code code = ssne_scratch_open(folder, SSNE_SCRATCH_FONTS, "rbe", &fonts, err);
  if (code == SSNE_OK) ssne_characters_read(fonts, characters);
  for (int i = 0; i < legend->count; i++) ssne_name_restrict(legend->row[i].name, characters);
  if (fonts) (void)fclose(fonts); /* read only: nothing can be lost */
  ssne_free(&characters);
  return SSNE_OK; /* without a list all but ASCII is replaced */
}

/* Writes gnuplot's input to the scratch folder. */
static ssne_code prepare(const ssne_picture *picture, const ssne_format *format, const char *folder,
                         ssne_error *err) {
  ssne_point *points = NULL;
  ssne_legend *legend = NULL;
  FILE *data = NULL, *script = NULL;
  int64_t count = 0;
  ssne_code code = ssne_points_make(picture, &points, &count, err);
  if (code == SSNE_OK) code = ssne_alloc(&legend, 1, sizeof *legend, "legends", err);
  if (code == SSNE_OK) code = ssne_legend_make(picture, legend, err);
  if (code == SSNE_OK) code = restrict_legend(format, folder, legend, err);
  if (code == SSNE_OK) code = ssne_scratch_open(folder, SSNE_SCRATCH_POINTS, "wbe", &data, err);
  if (code == SSNE_OK) code = ssne_scratch_open(folder, SSNE_SCRATCH_SCRIPT, "wbe", &script, err);
  if (code == SSNE_OK) {
    const ssne_layout layout = ssne_layout_make(picture, count, legend);
    (void)fwrite(points, sizeof *points, (size_t)count, data); /* closing tells of failure */
    ssne_script_write(script, picture, format, &layout, legend);
  }
  ssne_error later;
  const ssne_code data_closed = ssne_scratch_close(folder, &data, code == SSNE_OK ? err : &later);
  if (code == SSNE_OK) code = data_closed;
  const ssne_code script_closed =
      ssne_scratch_close(folder, &script, code == SSNE_OK ? err : &later);
  if (code == SSNE_OK) code = script_closed;
  ssne_free(&legend);
  ssne_free(&points);
  return code;
}

static ssne_code write_all(int file, const uint8_t *bytes, int64_t length, const char *path,
                           ssne_error *err) {
  while (length > 0) {
    const ssize_t written = write(file, bytes, (size_t)length);
    if (written < 0 && errno != EINTR)
      return ssne_fail(err, SSNE_FAILED, "cannot write %s: %s", path, strerror(errno));
    if (written > 0) {
      bytes += written;
      length -= written;
    }
  }
  if (fsync(file) == 0) return SSNE_OK;
  return ssne_fail(err, SSNE_FAILED, "cannot write %s: %s", path, strerror(errno));
}

/* Puts the picture in its place in one step: whoever looks sees the earlier one or this one. */
static ssne_code publish(const char *path, const uint8_t *bytes, int64_t length, ssne_error *err) {
  char *partial = NULL;
  const int64_t size = (int64_t)strlen(path) + 32;
  SSNE_TRY(ssne_alloc(&partial, size, 1, "characters", err));
  snprintf(partial, (size_t)size, "%s.%ld.partial", path, (long)getpid());
  const int file = open(partial, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0666);
  ssne_code code = SSNE_OK;
  if (file < 0) {
    code = ssne_fail(err, SSNE_FAILED, "cannot write %s: %s", path, strerror(errno));
    goto done;
  }
  code = write_all(file, bytes, length, path, err);
  if (close(file) != 0 && code == SSNE_OK)
    code = ssne_fail(err, SSNE_FAILED, "cannot write %s: %s", path, strerror(errno));
  if (code == SSNE_OK && rename(partial, path) != 0)
    code = ssne_fail(err, SSNE_FAILED, "cannot replace %s: %s", path, strerror(errno));
  if (code != SSNE_OK) (void)unlink(partial); /* the failure before it is the one to tell */
done:
  ssne_free(&partial);
  return code;
}

ssne_code ssne_picture_check(const ssne_picture *picture, ssne_error *err) {
  const ssne_format *format = NULL;
  SSNE_TRY(ssne_format_choose(picture->path, &format, err));
  return check_options(picture, format, err);
}

ssne_code ssne_picture_draw(const ssne_picture *picture, ssne_error *err) {
  const ssne_format *format = NULL;
  char folder[SSNE_SCRATCH_SIZE];
  uint8_t *bytes = NULL;
  int64_t length = 0;
  SSNE_TRY(ssne_format_choose(picture->path, &format, err));
  SSNE_TRY(check_options(picture, format, err));
  SSNE_TRY(ssne_scratch_make(folder, err));
  ssne_code code = prepare(picture, format, folder, err);
  if (code == SSNE_OK) code = ssne_gnuplot_run(folder, format->terminal, err);
  if (code == SSNE_OK) code = ssne_scratch_read(folder, SSNE_SCRATCH_PICTURE, &bytes, &length, err);
  if (code == SSNE_OK) code = ssne_format_finish(format, picture->dpi, &bytes, &length, err);
  ssne_scratch_remove(folder); /* before the picture is written: the two may share a disk */
  if (code == SSNE_OK) code = publish(picture->path, bytes, length, err);
  ssne_free(&bytes);
  return code;
}
