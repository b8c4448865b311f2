/* AOTInductor packages, M.pt2: networks compiled ahead of time. C++, and for the shim alone.
 *
 * They run where libtorch is 2.6 or newer. Compiled code takes the shape that it was compiled for
 * without looking, so a package must say it in its metadata: `input`, "64,3,224,224", batch first
 * (analysis/export_model.py writes it). */
#ifndef SSNE_MODEL_TORCH_PACKAGE_H
#define SSNE_MODEL_TORCH_PACKAGE_H

#include <ATen/ATen.h>

#include <memory>
#include <string>
#include <vector>

namespace ssne {

/* Whether this is a package, by its name. */
bool is_package(const std::string &path);

class package {
public:
  /* Reads it for this device. Throws refusal where it is of another kind of device, says no shape,
   * or libtorch is too old. */
  package(const std::string &path, at::Device device);
  ~package();

  /* batch, channels, height, width */
  const std::vector<int64_t> &shape() const;

  /* What it returns for float32 images of that shape, contiguous, on its device. Several threads
   * may call it at once. */
  std::vector<at::Tensor> run(const at::Tensor &images) const;

private:
  struct loaders;
  std::unique_ptr<loaders> all;
  std::vector<int64_t> input;
};

} // namespace ssne

#endif
