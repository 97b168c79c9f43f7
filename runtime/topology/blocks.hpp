#pragma once

#include "runtime/topology/map_reader.hpp"
#include "runtime/topology/topology_file.hpp"

#include <filesystem>
#include <optional>
#include <set>
#include <string>
#include <vector>

// From YAML to structs, block by block. Each reader reports what does not fit by itself; what has
// to fit together is for check.hpp.

namespace lathe::runtime {

/// What every block reader needs.
struct block_context {
  const read_options& options;
  std::string main_file;
  std::filesystem::path main_folder;
  mistake_list& mistakes;

  /// Finds what a topology names by a relative path: beside the file that names it, in the folder
  /// above (so `configs/topologies/x.yaml` can name `prompts/coder.md`), then in Lathe's configs.
  std::optional<std::filesystem::path> find_path(const place& at, const std::string& name) const;

  /// The same, of what has to be a folder.
  std::optional<std::filesystem::path> find_folder(const place& at, const std::string& name) const;

  /// Joins the folders that `find_path` looks into, for messages.
  std::string searched(const place& at) const;

private:
  std::vector<std::filesystem::path> folders(const place& at) const;
};

/// One target of one route.
struct wire {
  std::string source;
  std::string port; ///< empty for `task`
  std::string target;
  place at;

  /// Returns "coder.candidate".
  std::string output() const;

  /// Returns "coder.candidate -> evaluator".
  std::string text() const;
};

/// A topology before it was checked as a whole.
struct raw_topology {
  topology value;
  std::vector<wire> wires;
  std::set<std::string> priced; ///< models with a price
  bool complete = true;         ///< every agent and route could be read: the graph can be judged
};

void read_models(map_reader models, raw_topology& x, const block_context& context);

/// Reads how a model is to answer: temperature, limits, thoughts, and parameters of its server's
/// own. Its provider and api are known.
void read_sampling(map_reader sampling, model_config& x);

/// Reads what a model's server is known to take from Lathe's own table, then what the topology says
/// of it.
/// @param address of the server, as far as it is known
void read_capabilities(map_reader own, const std::string& address, model_config& x,
                       const block_context& context);

/// Reads what a model's tokens cost, from its own `price` or else from Lathe's table. Returns
/// whether that is known.
bool read_price(map_reader& model, const std::string& address, model_config& x,
                const block_context& context);

void read_agents(map_reader agents, raw_topology& x, const block_context& context);
void read_routes(const yaml_node* routes, const place& at, raw_topology& x,
                 const block_context& context);
void read_search(map_reader search, search_config& x);
void read_evaluator(map_reader evaluator, evaluator_config& x);
void read_budget(map_reader budget, budget_config& x);

/// Reads a budget of an agent or a model: of each task, and of the whole run.
void read_own_budget(map_reader budget, spend_limit& task, spend_limit& run);

/// Fills variables into keys and addresses of the models that are asked, or puts the scripted
/// provider in their place when the options ask for it.
void connect_models(const yaml_node& root, topology& x, const block_context& context);

} // namespace lathe::runtime
