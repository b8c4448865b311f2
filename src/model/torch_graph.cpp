#include "torch_graph.h"

#include <torch/csrc/jit/ir/ir.h>

#include <functional>
#include <map>
#include <sstream>

namespace jit = torch::jit;

namespace ssne {
namespace {

/* --- names ------------------------------------------------------------------------------------ */

std::string children_of(const jit::Module &module) {
  std::string list;
  for (const auto &child : module.named_children()) list += (list.empty() ? "" : ", ") + child.name;
  return list.empty() ? "none (a frozen model has lost them)" : list;
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
  if (layer.empty())
    throw refusal{SSNE_USAGE, "no layer ''; the children of the model are: " + children_of(whole)};
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

/* The path of the module that this node calls to run; "?": it does not. */
std::string called_by(const jit::Node *node) {
  if (node->kind() != c10::prim::CallMethod || !is_forward(node->s(c10::attr::name))) return "?";
  return path_of(node->input(0));
}

/* --- walking ---------------------------------------------------------------------------------- */

/* Puts a method's own body in the place of its call, and returns the first node of it. */
jit::Node *open_call(jit::Node *call) {
  jit::Node *before = call->prev();
  const auto type = call->input(0)->type()->expect<c10::ClassType>();
  auto &method = jit::toGraphFunction(type->getMethod(call->s(c10::attr::name)));
  /* its graph as it was read: libtorch's default is one with all calls in it replaced as well */
  jit::inlineCallTo(call, &method, method.graph().get());
  return before->next();
}

/* Shows every call of a module in the body of the graph, in the order in which they run, and opens
 * those of modules that `inside` says yes to. What is inside an if or a loop is not in the body. */
void walk(jit::Graph &graph, const std::function<bool(const std::string &)> &inside,
          const std::function<void(jit::Node *, const std::string &)> &show) {
  for (jit::Node *node = *graph.nodes().begin(); node != graph.return_node();) {
    jit::Node *next = node->next();
    if (node->kind() == c10::prim::CallMethod) {
      const std::string path = path_of(node->input(0)), called = called_by(node);
      if (called != "?" && !called.empty()) show(node, called);
      if (path.empty() || inside(path)) next = open_call(node);
    }
    node = next;
  }
}

bool is_tensor(const jit::Value *value) {
  return value->type()->isSubtypeOf(*c10::TensorType::get());
}

/* A copy of what the call returns, or takes, made at that moment. */
jit::Value *keep(jit::Node *call, bool input) {
  const jit::WithInsertPoint here(input ? call : call->next());
  return call->owningGraph()->insert(c10::aten::clone, {input ? call->input(1) : call->output()});
}

jit::GraphFunction &forward_of(const jit::Module &module) {
  return jit::toGraphFunction(module.get_method("forward").function());
}

/* --- layers ----------------------------------------------------------------------------------- */

struct target {
  std::string name, path; /* as the user wrote it, and without ":in" */
  bool input = false;
  jit::Value *kept = nullptr;
};

std::vector<target> read_targets(const jit::Module &module,
                                 const std::vector<std::string> &layers) {
  static const std::string mark = ":in";
  std::vector<target> targets;
  for (const std::string &name : layers) {
    target t{name, name};
    t.input = name.size() > mark.size() &&
              name.compare(name.size() - mark.size(), mark.size(), mark) == 0;
    if (t.input) t.path.resize(name.size() - mark.size());
    require_layer(module, t.path);
    targets.push_back(t);
  }
  return targets;
}

void keep_target(target &t, jit::Node *call) {
  if (t.input && call->inputs().size() < 2)
    throw refusal{SSNE_USAGE, "the layer '" + t.path + "' takes nothing: name its output"};
  const jit::Value *value = t.input ? call->input(1) : call->output();
  if (!is_tensor(value))
    throw refusal{SSNE_USAGE, "'" + t.name + "' is a " + value->type()->str() +
                                  ", not one tensor: name a layer before or inside it"};
  t.kept = keep(call, t.input);
}

/* The node after which nothing is wanted. */
jit::Node *last_of(const std::vector<target> &targets) {
  jit::Node *last = targets[0].kept->node();
  for (const target &t : targets)
    if (last->isBefore(t.kept->node())) last = t.kept->node();
  return last;
}

/* Makes the module's forward return a value of its graph. */
void return_value(jit::GraphFunction &forward, jit::Value *value) {
  forward.graph()->block()->replaceOutput(0, value);
  forward.setSchema(forward.getSchema().cloneWithReturns({c10::Argument("", value->type())}));
}

} // namespace

void cut_at(const jit::Module &module, const std::vector<std::string> &layers) {
  std::vector<target> targets = read_targets(module, layers);
  jit::GraphFunction &forward = forward_of(module);
  jit::Graph &graph = *forward.graph();
  const auto inside = [&](const std::string &path) {
    for (const target &t : targets)
      if (t.path.compare(0, path.size() + 1, path + ".") == 0) return true;
    return false;
  };
  walk(graph, inside, [&](jit::Node *call, const std::string &path) {
    for (target &t : targets)
      if (t.path == path) keep_target(t, call);
  });
  std::vector<jit::Value *> values;
  for (const target &t : targets) {
    if (!t.kept)
      throw refusal{SSNE_USAGE, "the model calls '" + t.path +
                                    "' nowhere, or only inside an if or a loop: name another "
                                    "layer, one of: " +
                                    children_of(module)};
    values.push_back(t.kept);
  }
  jit::Node *end = last_of(targets);
  if (values.size() > 1) end = graph.createTuple(values)->insertAfter(end);
  return_value(forward, end->output());
  while (graph.return_node()->prev() != end) graph.return_node()->prev()->destroy();
}

/* --- chains ----------------------------------------------------------------------------------- */

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

/* What this node does to the images on their way, in words; empty: nothing, it gets ready. */
static std::string deed_of(const jit::Node *node) {
  if (node->kind() == c10::prim::GetAttr || node->kind() == c10::prim::Constant) return "";
  const std::string called = called_by(node);
  if (called != "?") return "calls '" + called + "'";
  if (node->kind() == c10::prim::CallFunction && node->input(0)->type()->cast<c10::FunctionType>())
    return "calls " + node->input(0)->type()->expect<c10::FunctionType>()->function()->name() +
           "()";
  return std::string("does ") + node->kind().toDisplayString();
}

std::string chain_fault(const jit::Module &module, int64_t kept) {
  std::vector<std::string> children;
  for (const auto &child : module.named_children()) children.push_back(child.name);
  children.resize(static_cast<size_t>(kept));
  jit::Graph &graph = *forward_of(module).graph();
  walk(
      graph, [](const std::string &) { return false; }, [](jit::Node *, const std::string &) {});
  if (graph.inputs().size() < 2) return "takes no images";
  const jit::Value *at = graph.inputs()[1];
  size_t next = 0;
  for (const jit::Node *node : graph.nodes()) {
    if (next == children.size()) break;
    const std::string deed = deed_of(node);
    if (deed.empty()) continue;
    if (called_by(node) != children[next] || node->input(1) != at)
      return deed + " where the child '" + children[next] + "' would take what is before it";
    at = node->output();
    next++;
  }
  if (next < children.size()) return "does not call '" + children[next] + "'";
  const bool whole = children.size() == module.named_children().size();
  return whole && graph.outputs()[0] != at ? "goes on after its last child" : "";
}

/* --- all layers ------------------------------------------------------------------------------- */

static void list_below(const jit::Module &module, const std::string &path,
                       std::vector<layer> &list) {
  for (const auto &child : module.named_children()) {
    const std::string name = (path.empty() ? "" : path + ".") + child.name;
    list.push_back({name, child.value.type()->name()->name(), -1, false});
    list_below(child.value, name, list);
  }
}

std::vector<layer> open_up(const jit::Module &module) {
  std::vector<layer> list;
  list_below(module, "", list);
  jit::GraphFunction &forward = forward_of(module);
  jit::Graph &graph = *forward.graph();
  std::map<std::string, jit::Value *> kept; /* NULL: no tensor */
  walk(
      graph, [](const std::string &path) { return path[0] != '?'; },
      [&](jit::Node *call, const std::string &path) {
        kept[path] = is_tensor(call->output()) ? keep(call, false) : nullptr;
      });
  std::vector<jit::Value *> values{graph.outputs()[0]};
  for (layer &l : list) {
    const auto at = kept.find(l.name);
    l.called = at != kept.end();
    if (!l.called || !at->second) continue;
    l.output = static_cast<int>(values.size());
    values.push_back(at->second);
  }
  return_value(forward, graph.createTuple(values)->insertBefore(graph.return_node())->output());
  return list;
}

} // namespace ssne
