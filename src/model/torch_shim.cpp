/* libtorch behind torch_shim.h: the one C++ file.
 *
 * Same bits every time: each call computes with one thread, and the executor is libtorch's simple
 * one, which compiles the graph once. The profiling one may compile it anew after the first runs,
 * so that a batch's bits could depend on what ran before it. */
#include "torch_shim.h"

#include <ATen/Context.h>
#include <ATen/Parallel.h>
#include <torch/csrc/jit/ir/ir.h>
#include <torch/cuda.h>
#include <torch/script.h>

#include <cerrno>
#include <climits>
#include <cstring>
#include <dlfcn.h>
#include <exception>
#include <fstream>
#include <malloc.h>
#include <memory>
#include <new>
#include <sstream>
#include <string>
#include <vector>

namespace jit = torch::jit;

struct ssne_network {
  jit::Module module;
  at::Device device = at::kCPU;
  at::ScalarType type = at::kFloat;
  std::vector<int64_t> shape; /* batch, channels, height, width */
  bool average_pool = false;
  int64_t width = 0; /* features a row; 0: not known yet */
  std::string device_name;
};

namespace {

/* --- errors ----------------------------------------------------------------------------------- */

/* What this file throws when it knows what is wrong; any other exception is libtorch's own. */
struct refusal {
  ssne_code code;
  std::string text;
};

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

/* The same of the exception being handled. */
std::string current_essence() {
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

std::string children_of(const jit::Module &module) {
  std::string list;
  for (const auto &child : module.named_children()) list += (list.empty() ? "" : ", ") + child.name;
  return list.empty() ? "none (a frozen model has lost them)" : list;
}

/* --- the device ------------------------------------------------------------------------------- */

/* " NVIDIA H200", asked of the driver itself: libtorch's own way needs the headers of the CUDA
 * toolkit. Empty where the driver does not say. */
std::string gpu_name(int index) {
  void *driver = dlopen("libcuda.so.1", RTLD_LAZY);
  if (!driver) return "";
  const auto get = reinterpret_cast<int (*)(int *, int)>(dlsym(driver, "cuDeviceGet"));
  const auto get_name =
      reinterpret_cast<int (*)(char *, int, int)>(dlsym(driver, "cuDeviceGetName"));
  char name[256] = " ";
  int gpu = 0;
  if (!get || !get_name || get(&gpu, index) != 0 || get_name(name + 1, sizeof name - 1, gpu) != 0)
    name[0] = '\0';
  dlclose(driver);
  return name;
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

/* --- loading and cutting ---------------------------------------------------------------------- */

jit::Module read_module(const char *path, at::Device device) {
  if (!std::ifstream(path, std::ios::binary))
    throw refusal{SSNE_USAGE, std::string(std::strerror(errno)) + ": give a TorchScript file"};
  try {
    jit::Module module = jit::load(path, device);
    module.eval();
    return module;
  } catch (...) {
    throw refusal{SSNE_USAGE, "not a TorchScript model that libtorch can read (" +
                                  current_essence() +
                                  "): export it with torch.jit.script or torch.jit.trace"};
  }
}

/* As Python's module.to(type) does; Module::to(type) would convert integers too. */
void convert(const jit::Module &module, at::ScalarType type) {
  const auto one = [type](const at::Tensor &t) {
    if (t.is_floating_point()) t.set_data(t.to(type));
  };
  for (const at::Tensor &t : module.parameters()) one(t);
  for (const at::Tensor &t : module.buffers()) one(t);
}

/* A module whose forward is that of the first children, one after the other. */
jit::Module chain(const jit::Module &whole, int64_t drop_last) {
  const auto children = whole.named_children();
  const int64_t count = static_cast<int64_t>(children.size()), kept = count - drop_last;
  if (drop_last < 0 || kept < 1)
    throw refusal{SSNE_USAGE, "--drop-last " + std::to_string(drop_last) + " of " +
                                  std::to_string(count) +
                                  " children leaves none; they are: " + children_of(whole)};
  jit::Module result("shardsne_chain", whole._ivalue()->compilation_unit(), true);
  std::string source = "def forward(self, x):\n";
  int64_t next = 0;
  for (const auto &child : children) {
    if (next == kept) break;
    const std::string name = "c" + std::to_string(next++);
    result.register_module(name, child.value);
    source += "  x = self." + name + ".forward(x)\n";
  }
  try {
    result.define(source + "  return x\n");
  } catch (...) {
    throw refusal{SSNE_USAGE, "the children do not run one after the other (" + current_essence() +
                                  "): use --layer with one of: " + children_of(whole)};
  }
  return result;
}

bool has_child(const jit::Module &module, const std::string &name) {
  for (const auto &child : module.named_children())
    if (child.name == name) return true;
  return false;
}

/* Refuses a dotted name that leads to no module. */
void require_layer(const jit::Module &whole, const std::string &layer) {
  jit::Module parent = whole;
  std::string part, path;
  for (std::istringstream parts(layer); std::getline(parts, part, '.');) {
    if (!has_child(parent, part))
      throw refusal{SSNE_USAGE, "no layer '" + layer + "'; the children of " +
                                    (path.empty() ? "the model" : path) +
                                    " are: " + children_of(parent)};
    parent = parent.attr(part).toModule();
    path += (path.empty() ? "" : ".") + part;
  }
}

/* "layer1.0" for that module of self, "" for self, "?..." for what is no module of self. */
std::string path_of(const jit::Value *value) {
  if (value == value->owningGraph()->inputs()[0]) return "";
  const jit::Node *node = value->node();
  if (node->kind() != c10::prim::GetAttr) return "?";
  const std::string parent = path_of(node->input());
  return (parent.empty() ? "" : parent + ".") + node->s(c10::attr::name);
}

/* "forward", and what a trace names a module's further calls: "forward1", "forward2". */
bool is_forward(const std::string &method) {
  const std::string stem = "forward";
  return method.compare(0, stem.size(), stem) == 0 &&
         method.find_first_not_of("0123456789", stem.size()) == std::string::npos;
}

/* The last call of the layer in the body of the graph; calls of what contains the layer are
 * replaced by their own body until it shows. NULL: none is there. */
jit::Node *find_call(jit::Graph &graph, const std::string &layer) {
  for (;;) {
    jit::Node *container = nullptr;
    for (jit::Node *node : graph.nodes().reverse()) {
      if (node->kind() != c10::prim::CallMethod) continue;
      const std::string path = path_of(node->input(0));
      if (path == layer && is_forward(node->s(c10::attr::name))) return node;
      if (!container && layer.compare(0, path.size() + 1, path + ".") == 0) container = node;
    }
    if (!container) return nullptr;
    const auto type = container->input(0)->type()->expect<c10::ClassType>();
    auto &method = jit::toGraphFunction(type->getMethod(container->s(c10::attr::name)));
    /* its graph as it was read: libtorch's default is one with all calls in it replaced as well */
    jit::inlineCallTo(container, &method, method.graph().get());
  }
}

/* Makes the model's forward end with the layer and return what it returns. The module has just been
 * read and never run, so that its graph may be changed in place. */
void cut_at(const jit::Module &module, const std::string &layer) {
  require_layer(module, layer);
  jit::GraphFunction &forward = jit::toGraphFunction(module.get_method("forward").function());
  jit::Graph &graph = *forward.graph();
  jit::Node *call = find_call(graph, layer);
  if (!call)
    throw refusal{SSNE_USAGE, "the model calls '" + layer +
                                  "' nowhere, or only inside an if or a loop: name another layer, "
                                  "one of: " +
                                  children_of(module)};
  graph.block()->replaceOutput(0, call->output());
  for (jit::Node *node = graph.return_node()->prev(); node != call;) {
    jit::Node *before = node->prev();
    node->destroy();
    node = before;
  }
  forward.setSchema(
      forward.getSchema().cloneWithReturns({c10::Argument("", call->output()->type())}));
}

jit::Module prepare_module(const ssne_model_options &o, at::Device device, at::ScalarType type) {
  jit::Module module = read_module(o.path, device);
  if (!module.find_method("forward"))
    throw refusal{SSNE_USAGE, "the model has no forward method: export a torch.nn.Module"};
  if (type != at::kFloat) convert(module, type);
  if (o.layer)
    cut_at(module, o.layer);
  else if (o.drop_last != 0)
    module = chain(module, o.drop_last);
  return module;
}

/* --- running ---------------------------------------------------------------------------------- */

std::string shape_text(at::IntArrayRef shape) {
  std::string text;
  for (const int64_t size : shape) text += (text.empty() ? "" : " x ") + std::to_string(size);
  return text.empty() ? "a scalar" : text;
}

/* The features of a batch: [batch, width] of float32, contiguous, in main memory. */
at::Tensor compute(const ssne_network &m, const float *images) {
  const c10::InferenceMode inference;
  /* a new thread comes with OpenMP's number of threads, and oneDNN would use it */
  if (at::get_num_threads() != 1) at::set_num_threads(1);
  /* a copy in any case: a model may change its input in place */
  const at::Tensor input = at::from_blob(const_cast<float *>(images), m.shape, at::kFloat)
                               .to(m.device, m.type, false, true, at::MemoryFormat::Contiguous);
  const at::IValue output = m.module.get_method("forward")({input});
  if (!output.isTensor())
    throw refusal{SSNE_USAGE, "the model returns a " + output.tagKind() +
                                  ", not one tensor: choose one of its layers with --layer"};
  at::Tensor t = output.toTensor();
  if (t.dim() < 1 || t.size(0) != m.shape[0] || t.numel() == 0)
    throw refusal{SSNE_USAGE, "the model returns " + shape_text(t.sizes()) + " for a batch of " +
                                  std::to_string(m.shape[0]) + " images, not a row for each"};
  t = t.to(at::kFloat);
  if (m.average_pool && t.dim() == 4) t = t.mean({2, 3});
  t = t.to(at::kCPU).reshape({m.shape[0], -1}).contiguous();
  if (m.width != 0 && t.size(1) != m.width)
    throw refusal{SSNE_FAILED, "the model returns " + std::to_string(t.size(1)) +
                                   " features a row for this batch and " + std::to_string(m.width) +
                                   " for others"};
  return t;
}

/* Runs a batch of zeros, which compiles the graph and tells the width. */
void warm_up(ssne_network &m) {
  jit::toGraphFunction(m.module.get_method("forward").function())
      ._set_initial_executor_execution_mode(jit::ExecutorExecutionMode::SIMPLE);
  const at::Tensor zeros = at::zeros(m.shape, at::kFloat);
  m.width = compute(m, zeros.data_ptr<float>()).size(1);
}

/* The module with its weights folded in and, on a CPU, for oneDNN; false where libtorch cannot. */
bool try_optimised(ssne_network &m) {
  const jit::Module plain = m.module;
  try {
    m.module = jit::freeze(plain);
    if (m.device.is_cpu()) m.module = jit::optimize_for_inference(m.module);
    warm_up(m);
    return true;
  } catch (const std::exception &) {
    m.module = plain;
    return false;
  }
}

/* As a user asked for it: what the model itself says against the batch is the user's to mend. */
void make_ready(ssne_network &m) {
  if (try_optimised(m)) return;
  try {
    warm_up(m);
  } catch (const std::exception &) {
    const std::string reason = current_essence();
    if (m.type == at::kHalf && m.device.is_cpu())
      throw refusal{SSNE_USAGE, "libtorch does not run this model in float16 on a CPU (" + reason +
                                    "): use --precision bfloat16 or float32"};
    throw refusal{SSNE_USAGE, "the model does not take a batch of " + shape_text(m.shape) + " (" +
                                  reason + "): check --batch, --crop, --layer and --drop-last"};
  }
}

/* --- the table -------------------------------------------------------------------------------- */

ssne_code load(const ssne_model_options *options, ssne_network **out, ssne_error *err) {
  *out = nullptr;
  try {
    auto m = std::make_unique<ssne_network>();
    m->device = choose_device(*options);
    settle_libtorch(m->device);
    m->device_name = m->device.str();
    if (m->device.is_cuda()) m->device_name += gpu_name(m->device.index());
    m->type = scalar_type(options->precision);
    m->shape = {options->batch, options->channels, options->height, options->width};
    m->average_pool = options->average_pool;
    m->module = prepare_module(*options, m->device, m->type);
    make_ready(*m);
    *out = m.release();
    return SSNE_OK;
  } catch (...) {
    return explain(err, options->path);
  }
}

int64_t width(const ssne_network *m) {
  return m->width;
}

const char *device(const ssne_network *m) {
  return m->device_name.c_str();
}

ssne_code run(const ssne_network *m, const float *images, float *features, ssne_error *err) {
  try {
    const at::Tensor t = compute(*m, images);
    std::memcpy(features, t.data_ptr<float>(), static_cast<size_t>(t.numel()) * sizeof(float));
    return SSNE_OK;
  } catch (...) {
    return explain(err, "the network");
  }
}

void destroy(ssne_network **m) {
  delete *m;
  *m = nullptr;
#ifdef __GLIBC__
  malloc_trim(0); /* what keep_pages kept */
#endif
}

} // namespace

extern "C" const ssne_torch_table ssne_torch = {load, width, device, run, destroy};
