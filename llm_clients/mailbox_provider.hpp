#pragma once

#include "llm_clients/provider.hpp"
#include "messages/topology.hpp"

#include <memory>

namespace lathe::llm_clients {

class io_thread;

/// Puts questions into a mailbox and looks for answers there. A question that has none yet gets a
/// `wait` failure: asked again, it is not put there again. The folder is made with the first
/// question.
class mailbox_provider : public provider {
public:
  /// @param disk does nothing else that somebody waits for: writing to a disk blocks
  mailbox_provider(const model_config& model, std::shared_ptr<io_thread> disk);

  void ask(const llm_request& question, completion done) override;

private:
  struct state;
  std::shared_ptr<state> state_;
  std::shared_ptr<io_thread> disk_;
};

} // namespace lathe::llm_clients
