#pragma once

#include "runtime/topology/blocks.hpp"

#include <functional>
#include <string>

// Tables in Lathe's configs that say something of models by provider, host and name.

namespace lathe::runtime {

/// What a model is found by.
struct model_subject {
  std::string provider;
  std::string host;
  std::string model;
};

/// Returns how a table knows `x`.
/// @param address of its server, as far as it is known
model_subject subject_of(const model_config& x, const std::string& address);

/// Calls `read` for each entry of the table `name` in Lathe's configs, from top to bottom, with
/// whether it fits: a mistake in an entry is one for everybody. An entry fits by its `provider`,
/// and by `host` and `model` where it has them: patterns, one or a list of them.
void read_table(const std::string& name, const model_subject& of, const block_context& context,
                const std::function<void(map_reader& entry, bool fits)>& read);

} // namespace lathe::runtime
