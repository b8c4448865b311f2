/* libtorch behind torch_shim.h; work on graphs is in torch_graph.cpp, packages are in
 * torch_package.cpp. No file but torch_* is C++.
 *
 * Same bits every time: each call computes with one thread, and the executor is libtorch's simple
 * one, which compiles the graph once. The profiling one may compile it anew after the first runs,
 * so that a batch's bits could depend on what ran before it. */
#include "torch_shim.h"

#include "shardsne/memory.h"
#include "torch_graph.h"
#include "torch_package.h"
#include "torch_streams.h"

#include <ATen/Context.h>
#include <ATen/Parallel.h>
#include <torch/cuda.h>
#include <torch/script.h>
#include <torch/version.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <climits>
#include <cstdio>
#include <cstring>
#include <dlfcn.h>
#include <exception>
#include <fstream>
#include <malloc.h>
#include <memory>
#include <new>
#include <sstream>
#include <string>
#include <sys/stat.h>
#include <vector>

namespace jit = torch::jit;

struct ssne_network {
  jit::Module module;
  std::unique_ptr<const ssne::package> package; /* in its place, where not NULL */
  at::Device device = at::kCPU;
  at::ScalarType type = at::kFloat;
  std::vector<int64_t> shape; /* batch, height, width, channels: of the pixels */
  at::MemoryFormat layout = at::MemoryFormat::Contiguous; /* of what the module takes */
  /* 255, and Normalize's, [width * channels] on the device: rows that vectorised loops take whole
   */
  at::Tensor most, mean, std;
  ssne_pool pool = SSNE_POOL_AVERAGE;
  std::vector<int64_t> widths; /* features a row of each output; empty: not known yet */
  bool several = false;        /* outputs, in a tuple */
  std::string warning;         /* empty: none */
  std::string device_name;
  mutable std::atomic<bool> halved{false}; /* a batch did not fit the memory */
  mutable ssne::stream_pool streams;
};

using ssne::current_essence;
using ssne::refusal;

namespace {

/* --- errors ----------------------------------------------------------------------------------- */

/* The line of libtorch's message that says what happened. A failure inside a model comes with a
 * traceback before that line; other messages may begin with empty lines. */
std::string essence(const std::string &message) {
  const std::string traceback = "The following operation failed", mark = "Error: ";
  size_t start = 0;
  if (message.compare(0, traceback.size(), traceback) == 0) {
    const size_t last = message.rfind(mark);
    if (last != std::string::npos) start = last + mark.size();
  }
  start = message.find_first_not_of(" \n", start);
  if (start == std::string::npos) return "no reason given";
  const std::string line = message.substr(start, message.find('\n', start) - start);
  return line.substr(0, line.find_last_not_of(" .:") + 1);
}

} // namespace

std::string ssne::current_essence() {
  try {
    throw;
  } catch (const c10::Error &e) {
    return essence(e.what_without_backtrace());
  } catch (const std::exception &e) {
    return essence(e.what());
  } catch (...) {
    return "an exception of unknown type";
  }
}

namespace {

/* Describes the exception being handled; for use in catch (...) alone. */
ssne_code explain(ssne_error *err, const char *where) noexcept {
  try {
    throw;
  } catch (const std::bad_alloc &) {
    return ssne_fail(err, SSNE_FAILED, "%s: out of memory: use a smaller --batch", where);
  } catch (const refusal &r) {
    return ssne_fail(err, r.code, "%s: %s", where, r.text.c_str());
  } catch (...) {
    return ssne_fail(err, SSNE_FAILED, "%s: libtorch failed: %s", where, current_essence().c_str());
  }
}

/* --- the device ------------------------------------------------------------------------------- */

/* "GPU-" and the 16 bytes in groups of 4, 2, 2, 2 and 6. */
std::string uuid_text(const unsigned char *uuid) {
  std::string text = "GPU";
  for (int i = 0; i < 16; i++) {
    char byte[3];
    std::snprintf(byte, sizeof byte, "%02x", uuid[i]);
    if (i == 0 || (i >= 4 && i <= 10 && i % 2 == 0)) text += '-';
    text += byte;
  }
  return text;
}

/* " NVIDIA H200 GPU-1b2c...", the name and the UUID as nvidia-smi gives them, asked of the driver
 * itself: libtorch's own way needs the headers of the CUDA toolkit. Empty where it does not say. */
std::string gpu_name(int index) {
  void *driver = dlopen("libcuda.so.1", RTLD_LAZY);
  if (!driver) return "";
  const auto get = reinterpret_cast<int (*)(int *, int)>(dlsym(driver, "cuDeviceGet"));
  const auto get_name =
      reinterpret_cast<int (*)(char *, int, int)>(dlsym(driver, "cuDeviceGetName"));
  const auto get_uuid =
      reinterpret_cast<int (*)(unsigned char *, int)>(dlsym(driver, "cuDeviceGetUuid"));
  char name[256] = "";
  unsigned char uuid[16];
  int gpu = 0;
  std::string text;
  if (get && get(&gpu, index) == 0) {
    if (get_name && get_name(name, sizeof name, gpu) == 0) text += std::string(" ") + name;
    if (get_uuid && get_uuid(uuid, gpu) == 0) text += " " + uuid_text(uuid);
  }
  dlclose(driver);
  return text;
}

at::Device choose_device(const ssne_model_options &o) {
  const bool usable = torch::cuda::is_available() && torch::cuda::device_count() > 0;
  if (o.device == SSNE_DEVICE_CUDA && !usable)
    throw refusal{SSNE_USAGE, "libtorch sees no GPU here: use --device cpu, or a libtorch with "
                              "CUDA on a node with a GPU"};
  if (o.device == SSNE_DEVICE_CPU || !usable) return at::kCPU;
  const int count = static_cast<int>(torch::cuda::device_count());
  return at::Device(at::kCUDA, static_cast<c10::DeviceIndex>(o.local_rank % count));
}

/* Every layer's output is allocated and freed: where the C library hands that memory back at once,
 * a fifth of the time goes into the system's zeroing it again (ResNet-20, batch 64). */
void keep_pages() {
#ifdef __GLIBC__
  mallopt(M_MMAP_THRESHOLD, 32 << 20); /* the largest that is accepted */
  mallopt(M_TRIM_THRESHOLD, INT_MAX);
#endif
}

/* For the whole process: nothing here depends on the model. */
void settle_libtorch(at::Device device) {
  at::set_num_threads(1);
  /* settable once, before its first use: a second model finds it set */
  if (at::get_num_interop_threads() != 1) at::set_num_interop_threads(1);
  at::Context &context = at::globalContext();
  context.setAllowTF32CuBLAS(false);
  context.setAllowTF32CuDNN(false);
  context.setBenchmarkCuDNN(false);
  context.setDeterministicCuDNN(true);
  if (device.is_cpu()) keep_pages();
}

at::ScalarType scalar_type(ssne_precision precision) {
  switch (precision) {
  case SSNE_BFLOAT16:
    return at::kBFloat16;
  case SSNE_FLOAT16:
    return at::kHalf;
  default:
    return at::kFloat;
  }
}

/* --- loading ---------------------------------------------------------------------------------- */

void check_file(const char *path) {
  struct stat about;
  if (stat(path, &about) == 0 && !S_ISREG(about.st_mode)) /* a pipe would be waited for */
    throw refusal{SSNE_USAGE, "not a regular file: give a TorchScript file"};
  if (!std::ifstream(path, std::ios::binary))
    throw refusal{SSNE_USAGE, std::string(std::strerror(errno)) + ": give a TorchScript file"};
}

jit::Module read_module(const char *path, at::Device device) {
  jit::Module module;
  try {
    module = jit::load(path, device);
    module.eval();
  } catch (...) {
    throw refusal{SSNE_USAGE, "not a TorchScript model that libtorch can read (" +
                                  current_essence() +
                                  "): export it with torch.jit.script or torch.jit.trace"};
  }
  if (!module.find_method("forward"))
    throw refusal{SSNE_USAGE, "the model has no forward method: export a torch.nn.Module"};
  return module;
}

/* As Python's module.to(type) does; Module::to(type) would convert integers too. */
void convert(const jit::Module &module, at::ScalarType type) {
  const auto one = [type](const at::Tensor &t) {
    if (t.is_floating_point()) t.set_data(t.to(type));
  };
  for (const at::Tensor &t : module.parameters()) one(t);
  for (const at::Tensor &t : module.buffers()) one(t);
}

/* What stands between the commas; nothing behind the last is a name too, an empty one. */
std::vector<std::string> split(const std::string &names) {
  std::vector<std::string> list;
  std::string name;
  for (std::istringstream all(names + ","); std::getline(all, name, ',');) list.push_back(name);
  return list;
}

/* Says where the children alone are not what the model does with them. */
std::string warn_of_chain(const jit::Module &module, int64_t drop_last) {
  const int64_t kept = static_cast<int64_t>(module.named_children().size()) - drop_last;
  const std::string fault = kept > 0 ? ssne::chain_fault(module, kept) : "";
  if (fault.empty()) return "";
  return "--drop-last runs the children one after the other, but the model's forward " + fault +
         ": these are not its features; use --layer (`shardsne model` lists them)";
}

jit::Module prepare_module(const ssne_model_options &o, ssne_network &m) {
  jit::Module module = read_module(o.path, m.device);
  if (m.type != at::kFloat) convert(module, m.type);
  if (o.layers) {
    const std::vector<std::string> layers = split(o.layers);
    ssne::cut_at(module, layers);
    m.several = layers.size() > 1;
  } else if (o.drop_last != 0) {
    jit::Module chained = ssne::chain(module, o.drop_last);
    m.warning = warn_of_chain(module, o.drop_last);
    module = chained;
  }
  return module;
}

/* Means and deviations in single precision, as torchvision's Normalize has them. */
void set_scale(const ssne_model_options &o, ssne_network &m) {
  const auto row_of = [&](const double *values) {
    const at::Tensor row = at::empty({o.width * o.channels}, at::kFloat);
    for (int64_t i = 0; i < row.numel(); i++)
      row.data_ptr<float>()[i] = static_cast<float>(values[i % o.channels]);
    return row.to(m.device);
  };
  const double most[3] = {255, 255, 255};
  m.most = row_of(most);
  m.mean = row_of(o.mean);
  m.std = row_of(o.std);
}

/* --- running ---------------------------------------------------------------------------------- */

std::string shape_text(at::IntArrayRef shape) {
  std::string text;
  for (const int64_t size : shape) text += (text.empty() ? "" : " x ") + std::to_string(size);
  return text.empty() ? "a scalar" : text;
}

/* One row an image: maps [B, C, H, W] and sequences of tokens [B, T, C] become [B, C], what has no
 * more than one dimension an image stays. */
at::Tensor pooled(const at::Tensor &t, ssne_pool pool) {
  const bool maps = t.dim() >= 4, tokens = t.dim() == 3;
  if ((!maps && !tokens) || pool == SSNE_POOL_NONE) return t;
  std::vector<int64_t> over;
  for (int64_t d = maps ? 2 : 1; d < (maps ? t.dim() : 2); d++) over.push_back(d);
  if (pool == SSNE_POOL_AVERAGE) return t.mean(over);
  if (pool == SSNE_POOL_MAX) return t.amax(over);
  if (!tokens)
    throw refusal{SSNE_USAGE, "the layer returns maps of " + shape_text(t.sizes().slice(1)) +
                                  ", which have no first token: use --pool avg, max or none"};
  return t.select(1, 0);
}

/* What the network returns, as features: [images, width] of float32, contiguous, in main memory. */
at::Tensor features_of(const ssne_network &m, const at::IValue &output, int64_t images) {
  if (!output.isTensor())
    throw refusal{SSNE_USAGE, "the model returns a " + output.tagKind() +
                                  ", not one tensor: choose one of its layers with --layer"};
  at::Tensor t = output.toTensor();
  if (t.dim() < 1 || t.size(0) != images || t.numel() == 0)
    throw refusal{SSNE_USAGE, "the model returns " + shape_text(t.sizes()) + " for a batch of " +
                                  std::to_string(images) + " images, not a row for each"};
  t = pooled(t.to(at::kFloat), m.pool);
  return t.to(at::kCPU).reshape({images, -1}).contiguous();
}

/* How many images go through ToTensor and Normalize at once: on a CPU what stays in its cache
 * between their passes. */
int64_t scaled_at_once(const ssne_network &m, const at::Tensor &pixels) {
  const int64_t values_in_cache = 1 << 16;
  if (m.device.is_cuda()) return pixels.size(0);
  return std::max<int64_t>(1, values_in_cache / (pixels.numel() / pixels.size(0)));
}

/* The network's input from `pixels` [images, height, width, channels]. Divided by tensors: CUDA's
 * kernels multiply by the inverse of a plain number, which rounds otherwise. */
at::Tensor input_of(const ssne_network &m, const at::Tensor &pixels) {
  const at::Tensor bytes =
      m.device.is_cuda() ? pixels.pin_memory().to(m.device, /* non_blocking */ true) : pixels;
  const at::Tensor images = at::empty_like(bytes, at::kFloat);
  const int64_t step = scaled_at_once(m, pixels);
  for (int64_t first = 0; first < pixels.size(0); first += step) {
    const int64_t count = std::min(step, pixels.size(0) - first);
    const at::Tensor some = images.narrow(0, first, count);
    some.copy_(bytes.narrow(0, first, count));
    some.view({-1, m.mean.size(0)}).div_(m.most).sub_(m.mean).div_(m.std);
  }
  return images.permute({0, 3, 1, 2}).to(m.type).contiguous(m.layout);
}

/* As a module would return it. */
at::IValue packaged(const ssne::package &package, const at::Tensor &input) {
  const std::vector<at::Tensor> outputs = package.run(input);
  if (outputs.size() == 1) return outputs[0];
  return c10::ivalue::Tuple::create(std::vector<at::IValue>(outputs.begin(), outputs.end()));
}

/* The features of these images, of each output. */
std::vector<at::Tensor> compute_whole(const ssne_network &m, const at::Tensor &pixels) {
  const at::Tensor input = input_of(m, pixels);
  const at::IValue output =
      m.package ? packaged(*m.package, input) : m.module.get_method("forward")({input});
  std::vector<at::Tensor> features;
  if (m.several)
    for (const at::IValue &one : output.toTupleRef().elements())
      features.push_back(features_of(m, one, pixels.size(0)));
  else
    features.push_back(features_of(m, output, pixels.size(0)));
  for (size_t i = 0; i < m.widths.size(); i++)
    if (features[i].size(1) != m.widths[i])
      throw refusal{SSNE_FAILED, "the model returns " + std::to_string(features[i].size(1)) +
                                     " features a row for this batch and " +
                                     std::to_string(m.widths[i]) + " for others"};
  return features;
}

std::vector<at::Tensor> compute_halves(const ssne_network &m, const at::Tensor &pixels) {
  const int64_t half = pixels.size(0) / 2;
  std::vector<at::Tensor> features = compute_whole(m, pixels.narrow(0, 0, half));
  const std::vector<at::Tensor> rest =
      compute_whole(m, pixels.narrow(0, half, pixels.size(0) - half));
  for (size_t i = 0; i < features.size(); i++) features[i] = at::cat({features[i], rest[i]});
  return features;
}

/* Of the exception being handled. libtorch's interpreter hands on nothing but its text. */
bool memory_is_short() {
  try {
    throw;
  } catch (const std::bad_alloc &) {
    return true;
  } catch (const std::exception &e) {
    const std::string text = e.what();
    return text.find("out of memory") != std::string::npos ||
           text.find("can't allocate memory") != std::string::npos;
  } catch (...) {
    return false;
  }
}

/* Whole or, from the first batch on that did not fit the memory, in halves. */
std::vector<at::Tensor> compute(const ssne_network &m, const at::Tensor &pixels) {
  const c10::InferenceMode inference;
  const ssne::stream_pool::borrowed stream(m.streams, m.device);
  /* a new thread comes with OpenMP's number of threads, and oneDNN would use it */
  if (at::get_num_threads() != 1) at::set_num_threads(1);
  if (!m.halved) {
    try {
      return compute_whole(m, pixels);
    } catch (...) {
      if (!memory_is_short() || pixels.size(0) < 2 || m.package) throw;
    }
  }
  std::vector<at::Tensor> features = compute_halves(m, pixels);
  m.halved = true;
  return features;
}

/* The simple executor from the first run on. */
void settle_executor(const jit::Module &module) {
  jit::toGraphFunction(module.get_method("forward").function())
      ._set_initial_executor_execution_mode(jit::ExecutorExecutionMode::SIMPLE);
}

/* --- making ready ----------------------------------------------------------------------------- */

/* A way to run a network. All compute the same, up to rounding. */
struct form {
  bool frozen;             /* weights folded into the graph, batch normalisation into weights */
  at::MemoryFormat layout; /* of images and weights */
};

/* The quickest first. oneDNN, and cuDNN in half precision, need no reordering where channels come
 * last; but a module that flattens its maps with view() does not take them so. What libtorch cannot
 * freeze runs as it is. (docs/models.md says why jit::optimize_for_inference is not among them.) */
std::vector<form> forms_of(const ssne_network &m) {
  const auto plain = at::MemoryFormat::Contiguous, last = at::MemoryFormat::ChannelsLast;
  if (m.device.is_cuda() && m.type == at::kFloat) return {{true, plain}, {false, plain}};
  return {{true, last}, {true, plain}, {false, plain}};
}

/* Of the convolutions' weights, in place. */
void lay_out(const jit::Module &module, at::MemoryFormat layout) {
  for (const at::Tensor &t : module.parameters())
    if (t.dim() == 4) t.set_data(t.contiguous(layout));
}

/* Runs black images, which tells the widths. */
void set_widths(ssne_network &m, int64_t images) {
  std::vector<int64_t> shape = m.shape, widths;
  shape[0] = images;
  for (const at::Tensor &t : compute(m, at::zeros(shape, at::kByte))) widths.push_back(t.size(1));
  m.widths = widths;
}

/* Gives m.module this form, which the first run compiles. */
void take_form(ssne_network &m, const jit::Module &module, const form &f, int64_t images) {
  lay_out(module, f.layout);
  m.layout = f.layout;
  m.module = f.frozen ? jit::freeze(module) : module;
  settle_executor(m.module);
  set_widths(m, images);
}

/* The first form that takes this many images; else false, and why the last did not. */
bool try_forms(ssne_network &m, const jit::Module &module, int64_t images,
               std::exception_ptr *failure) {
  for (const form &f : forms_of(m)) {
    try {
      take_form(m, module, f, images);
      return true;
    } catch (...) {
      *failure = std::current_exception();
    }
  }
  return false;
}

/* The shape of a batch as the model sees it. */
std::string input_text(const ssne_network &m) {
  return shape_text({m.shape[0], m.shape[3], m.shape[1], m.shape[2]});
}

/* What the model itself says against a whole batch is the user's to mend. */
void make_ready(ssne_network &m) {
  const jit::Module module = m.module;
  std::exception_ptr failure;
  /* two images are enough, but for a model that was traced with a fixed batch */
  const int64_t few = m.device.is_cpu() ? std::min<int64_t>(m.shape[0], 2) : m.shape[0];
  if (try_forms(m, module, few, &failure)) return;
  if (try_forms(m, module, m.shape[0], &failure)) return;
  try {
    std::rethrow_exception(failure);
  } catch (const std::exception &) {
    const std::string reason = current_essence();
    if (m.type == at::kHalf && m.device.is_cpu())
      throw refusal{SSNE_USAGE, "libtorch does not run this model in float16 on a CPU (" + reason +
                                    "): use --precision bfloat16 or float32"};
    throw refusal{SSNE_USAGE, "the model does not take a batch of " + input_text(m) + " (" +
                                  reason + "): check --batch, --crop, --layer and --drop-last"};
  }
}

/* A package is cut, converted and shaped as it was compiled. */
void open_package(const ssne_model_options &o, ssne_network &m) {
  if (o.layers || o.drop_last != 0 || m.type != at::kFloat)
    throw refusal{SSNE_USAGE, "an AOTInductor package returns what it was compiled for, in the "
                              "precision that it was compiled for: leave out --layer, --drop-last "
                              "and --precision, or export it with them"};
  m.package = std::make_unique<ssne::package>(o.path, m.device);
  const std::vector<int64_t> &takes = m.package->shape();
  if (takes != std::vector<int64_t>{o.batch, o.channels, o.height, o.width})
    throw refusal{SSNE_USAGE, "the package was compiled for batches of " + shape_text(takes) +
                                  ", not of " + input_text(m) +
                                  ": check --batch, --crop and --channels, or compile it anew"};
  set_widths(m, m.shape[0]);
}

/* --- a network -------------------------------------------------------------------------------- */

ssne_code load(const ssne_model_options *options, ssne_network **out, ssne_error *err) {
  *out = nullptr;
  try {
    auto m = std::make_unique<ssne_network>();
    m->device = choose_device(*options);
    settle_libtorch(m->device);
    m->device_name = m->device.str();
    if (m->device.is_cuda()) m->device_name += gpu_name(m->device.index());
    m->type = scalar_type(options->precision);
    m->shape = {options->batch, options->height, options->width, options->channels};
    set_scale(*options, *m);
    m->pool = options->pool;
    check_file(options->path);
    if (ssne::is_package(options->path)) {
      open_package(*options, *m);
    } else {
      m->module = prepare_module(*options, *m);
      make_ready(*m);
    }
    *out = m.release();
    return SSNE_OK;
  } catch (...) {
    return explain(err, options->path);
  }
}

int outputs(const ssne_network *m) {
  return static_cast<int>(m->widths.size());
}

int64_t width(const ssne_network *m, int output) {
  return m->widths[static_cast<size_t>(output)];
}

const char *warning(const ssne_network *m) {
  return m->warning.empty() ? nullptr : m->warning.c_str();
}

const char *device(const ssne_network *m) {
  return m->device_name.c_str();
}

ssne_code run(const ssne_network *m, const uint8_t *pixels, float *features, ssne_error *err) {
  try {
    const at::Tensor batch = at::from_blob(const_cast<uint8_t *>(pixels), m->shape, at::kByte);
    for (const at::Tensor &t : compute(*m, batch)) {
      std::memcpy(features, t.data_ptr<float>(), static_cast<size_t>(t.numel()) * sizeof(float));
      features += t.numel();
    }
    return SSNE_OK;
  } catch (...) {
    if (memory_is_short())
      return ssne_fail(err, SSNE_FAILED,
                       "the network: out of memory even for half a batch: use a smaller --batch");
    return explain(err, "the network");
  }
}

bool halved(const ssne_network *m) {
  return m->halved;
}

/* --- looking into a model --------------------------------------------------------------------- */

template <size_t size> void put(char (&to)[size], const std::string &text) {
  std::snprintf(to, size, "%s", text.c_str());
}

/* "64 x 8 x 8": of one image. */
std::string output_text(const at::IValue &value) {
  if (!value.isTensor()) return value.tagKind();
  const at::Tensor t = value.toTensor();
  return t.dim() > 0 ? shape_text(t.sizes().slice(1)) : "a scalar";
}

std::string output_text(const ssne::layer &layer, const std::vector<at::IValue> &outputs) {
  if (!layer.called) return "not called, or in an if or a loop";
  return layer.output < 0 ? "not one tensor"
                          : output_text(outputs[static_cast<size_t>(layer.output)]);
}

/* What the opened-up module returns for one image of zeros. */
std::vector<at::IValue> run_once(const jit::Module &module, const ssne_model_options &o) {
  const c10::InferenceMode inference;
  const std::vector<int64_t> shape{1, o.channels, o.height, o.width};
  settle_executor(module);
  try {
    return module.get_method("forward")({at::zeros(shape)}).toTupleRef().elements().vec();
  } catch (const std::exception &) {
    throw refusal{SSNE_USAGE, "the model does not take an image of " +
                                  shape_text(at::IntArrayRef(shape).slice(1)) + " (" +
                                  current_essence() + "): check --crop and --channels"};
  }
}

ssne_code describe(const ssne_model_options *options, ssne_model_description *out,
                   ssne_error *err) {
  *out = {};
  try {
    settle_libtorch(at::kCPU);
    check_file(options->path);
    if (ssne::is_package(options->path))
      throw refusal{SSNE_USAGE, "an AOTInductor package has no modules left to list: give the "
                                "TorchScript file"};
    const jit::Module module = read_module(options->path, at::kCPU);
    const auto children = static_cast<int64_t>(module.named_children().size());
    put(out->fault, ssne::chain_fault(module, children));
    const std::vector<ssne::layer> layers = ssne::open_up(module);
    const std::vector<at::IValue> outputs = run_once(module, *options);
    put(out->output, output_text(outputs[0]));
    SSNE_TRY(ssne_alloc(&out->layers, static_cast<int64_t>(layers.size()), sizeof *out->layers,
                        "layers", err));
    for (const ssne::layer &layer : layers) {
      ssne_model_layer &to = out->layers[out->count++];
      put(to.name, layer.name);
      put(to.kind, layer.kind);
      put(to.output, output_text(layer, outputs));
    }
    return SSNE_OK;
  } catch (...) {
    ssne_free(&out->layers);
    return explain(err, options->path);
  }
}

/* --- the table -------------------------------------------------------------------------------- */

void destroy(ssne_network **m) {
  delete *m;
  *m = nullptr;
#ifdef __GLIBC__
  malloc_trim(0); /* what keep_pages kept */
#endif
}

} // namespace

extern "C" const ssne_torch_table ssne_torch = {load, outputs, width,   device,  warning,
                                                run,  halved,  destroy, describe};
