/* Cutting a TorchScript module, and looking into it: work on its graph. C++, and for the shim
 * alone.
 *
 * A module must have been read just now and never run, for then its graph may be changed in place.
 */
#ifndef SSNE_MODEL_TORCH_GRAPH_H
#define SSNE_MODEL_TORCH_GRAPH_H

#include "shardsne/status.h"

#include <torch/script.h>

#include <string>
#include <vector>

namespace ssne {

/* What is thrown where it is known what is wrong; any other exception is libtorch's own. */
struct refusal {
  ssne_code code;
  std::string text;
};

/* What the exception that is being handled says, in a line. */
std::string current_essence();

/* Makes the module's forward end at these layers and return what each returns, the last time that
 * it is called, or with ":in" at its end what it takes: one tensor, or for several layers a tuple
 * of them. Each is kept as it is at that moment, whatever changes it in place later. */
void cut_at(const torch::jit::Module &module, const std::vector<std::string> &layers);

/* A module whose forward is that of the children but the last ones, one after the other. */
torch::jit::Module chain(const torch::jit::Module &whole, int64_t drop_last);

/* What the module's forward does otherwise than running its first `kept` children one after the
 * other; empty: it does that. */
std::string chain_fault(const torch::jit::Module &module, int64_t kept);

/* A module below the one that is looked into. */
struct layer {
  std::string name; /* dotted */
  std::string kind; /* its class */
  int output;       /* its place in the tuple that forward returns; -1: it returns no tensor, */
  bool called;      /* or is called nowhere, or only inside an if or a loop */
};

/* All modules below, in the order of their definition. The module's forward comes to return a
 * tuple: what it returned before, then what each of them returns. */
std::vector<layer> open_up(const torch::jit::Module &module);

} // namespace ssne

#endif
