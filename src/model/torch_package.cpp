#include "torch_package.h"

#include "torch_graph.h"

#include <torch/version.h>

#include <mutex>
#include <sstream>

#if TORCH_VERSION_MAJOR > 2 || (TORCH_VERSION_MAJOR == 2 && TORCH_VERSION_MINOR >= 6)
#include <torch/csrc/inductor/aoti_package/model_package_loader.h>
#define WITH_PACKAGES 1
#endif

bool ssne::is_package(const std::string &path) {
  const std::string end = ".pt2";
  return path.size() > end.size() && path.compare(path.size() - end.size(), end.size(), end) == 0;
}

#ifdef WITH_PACKAGES

using loader = torch::inductor::AOTIModelPackageLoader;

namespace {

std::vector<int64_t> numbers(const std::string &text) {
  std::vector<int64_t> list;
  std::string part;
  for (std::istringstream all(text); std::getline(all, part, ',');)
    list.push_back(std::strtoll(part.c_str(), nullptr, 10));
  return list;
}

std::string value_of(const std::unordered_map<std::string, std::string> &metadata,
                     const std::string &key) {
  const auto found = metadata.find(key);
  return found == metadata.end() ? "" : found->second;
}

} // namespace

/* A loader runs one batch at a time. On a CPU there comes to be one for each thread; on a GPU
 * batches follow one another anyway, and one copy of the weights is enough. */
struct ssne::package::loaders {
  std::string path;
  bool one = false;
  std::mutex lock, turn;
  std::vector<std::unique_ptr<loader>> free;

  std::unique_ptr<loader> take() {
    {
      const std::lock_guard<std::mutex> hold(lock);
      if (!free.empty()) {
        std::unique_ptr<loader> taken = std::move(free.back());
        free.pop_back();
        return taken;
      }
    }
    return std::make_unique<loader>(path);
  }

  std::vector<at::Tensor> run(const at::Tensor &images) {
    const std::unique_lock<std::mutex> alone =
        one ? std::unique_lock<std::mutex>(turn) : std::unique_lock<std::mutex>();
    std::unique_ptr<loader> taken = take();
    std::vector<at::Tensor> outputs = taken->run({images});
    const std::lock_guard<std::mutex> hold(lock);
    free.push_back(std::move(taken));
    return outputs;
  }
};

ssne::package::package(const std::string &path, at::Device device)
    : all(std::make_unique<loaders>()) {
  all->path = path;
  all->one = device.is_cuda();
  try {
    all->free.push_back(std::make_unique<loader>(path));
  } catch (...) {
    throw refusal{SSNE_USAGE, "not an AOTInductor package that this libtorch can load (" +
                                  current_essence() +
                                  "): export it anew with this libtorch's "
                                  "version, for this kind of machine"};
  }
  const auto metadata = all->free.back()->get_metadata();
  const std::string kind = value_of(metadata, "AOTI_DEVICE_KEY");
  if (kind != (device.is_cuda() ? "cuda" : "cpu"))
    throw refusal{SSNE_USAGE, "a package compiled for " + kind + ": use --device " + kind +
                                  ", or compile it for this device"};
  input = numbers(value_of(metadata, "input"));
  if (input.size() != 4 || c10::multiply_integers(input) <= 0)
    throw refusal{SSNE_USAGE, "the package does not say what images it was compiled for: make it "
                              "with analysis/export_model.py, or give it the metadata `input`, "
                              "as in \"64,3,224,224\""};
}

std::vector<at::Tensor> ssne::package::run(const at::Tensor &images) const {
  return all->run(images);
}

#else

struct ssne::package::loaders {};

ssne::package::package(const std::string &, at::Device) {
  throw refusal{SSNE_USAGE, "an AOTInductor package, which needs libtorch 2.6 or newer, and this "
                            "shardsne has " TORCH_VERSION ": export the model as TorchScript "
                            "(torch.jit.script or torch.jit.trace)"};
}

std::vector<at::Tensor> ssne::package::run(const at::Tensor &) const {
  return {};
}

#endif

ssne::package::~package() = default;

const std::vector<int64_t> &ssne::package::shape() const {
  return input;
}
