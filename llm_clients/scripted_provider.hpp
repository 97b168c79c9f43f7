#pragma once

#include "llm_clients/provider.hpp"
#include "llm_clients/script.hpp"
#include "messages/topology.hpp"

namespace lathe::llm_clients {

class io_thread;

/// Answers from a folder, so that a demo or a test needs no model.
class scripted_provider : public provider {
public:
  scripted_provider(model_config model, script answers, std::shared_ptr<io_thread> io);

  void ask(const llm_request& question, completion done) override;

private:
  model_config model_;
  script script_;
  std::shared_ptr<io_thread> io_;
};

} // namespace lathe::llm_clients
