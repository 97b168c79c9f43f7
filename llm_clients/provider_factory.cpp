#include "llm_clients/provider_factory.hpp"

#include "llm_clients/http_client.hpp"
#include "llm_clients/http_provider.hpp"
#include "llm_clients/io_thread.hpp"
#include "llm_clients/mailbox_folder.hpp"
#include "llm_clients/mailbox_provider.hpp"
#include "llm_clients/recording_provider.hpp"
#include "llm_clients/replay_provider.hpp"
#include "llm_clients/scripted_provider.hpp"
#include "messages/error.hpp"

#include <map>

namespace lathe::llm_clients {

namespace {

// What the providers of one factory share; made when the first of them needs it.
class shared_parts {
public:
  explicit shared_parts(variable_lookup variables) : environment(std::move(variables)) {
    // nop
  }

  std::shared_ptr<io_thread> io() {
    if (!io_)
      io_ = std::make_shared<io_thread>();
    return io_;
  }

  // Who waits for a disk must not hold up sockets.
  std::shared_ptr<io_thread> disk() {
    if (!disk_)
      disk_ = std::make_shared<io_thread>();
    return disk_;
  }

  caf::expected<std::shared_ptr<http_client>> client(const std::string& ca_file) {
    if (auto known = clients_.find(ca_file); known != clients_.end())
      return known->second;
    auto made = http_client::make(io(), {}, ca_file);
    if (!made)
      return std::move(made.error());
    return clients_.emplace(ca_file, std::move(*made)).first->second;
  }

  const variable_lookup environment;

private:
  std::shared_ptr<io_thread> io_; // before clients_, which need it to the end
  std::map<std::string, std::shared_ptr<http_client>> clients_; // by ca_file
  std::shared_ptr<io_thread> disk_;
};

caf::expected<std::unique_ptr<provider>> make_http(const model_config& model, shared_parts& parts) {
  auto client = parts.client(model.ca_file);
  if (!client)
    return std::move(client.error());
  return http_provider::make(model, std::move(*client), parts.environment);
}

caf::expected<std::unique_ptr<provider>> make_scripted(const model_config& model,
                                                       shared_parts& parts) {
  auto answers = script::load(model.answers);
  if (!answers)
    return std::move(answers.error());
  return std::unique_ptr<provider>{
    std::make_unique<scripted_provider>(model, std::move(*answers), parts.io())};
}

} // namespace

provider_factory standard_providers(variable_lookup environment) {
  return [parts = std::make_shared<shared_parts>(std::move(environment))](
           const model_config& model) -> caf::expected<std::unique_ptr<provider>> {
    switch (model.provider) {
      case provider_kind::openai:
      case provider_kind::anthropic:
      case provider_kind::gemini:
        return make_http(model, *parts);
      case provider_kind::scripted:
        return make_scripted(model, *parts);
      case provider_kind::mailbox:
        return std::unique_ptr<provider>{std::make_unique<mailbox_provider>(model, parts->disk())};
    }
    return make_error(errc::user_error, "model '" + model.name + "' names no known provider");
  };
}

provider_factory recording_providers(provider_factory asked,
                                     std::shared_ptr<cassette_writer> recording) {
  return [asked = std::move(asked), recording = std::move(recording)](
           const model_config& model) -> caf::expected<std::unique_ptr<provider>> {
    auto made = asked(model);
    if (!made)
      return std::move(made.error());
    return std::unique_ptr<provider>{
      std::make_unique<recording_provider>(std::move(*made), recording)};
  };
}

provider_factory replaying_providers(std::shared_ptr<playback> recording, double pace) {
  auto io = pace > 0 ? std::make_shared<io_thread>() : nullptr;
  return [recording = std::move(recording), pace,
          io = std::move(io)](const model_config&) -> caf::expected<std::unique_ptr<provider>> {
    return std::unique_ptr<provider>{std::make_unique<replay_provider>(recording, pace, io)};
  };
}

caf::error check_model(const model_config& model) {
  if (model.provider == provider_kind::mailbox && !model.folder.empty()) {
    auto opened = mailbox_folder::open(model);
    return opened ? caf::error{} : std::move(opened.error());
  }
  auto made = standard_providers()(model);
  return made ? caf::error{} : std::move(made.error());
}

} // namespace lathe::llm_clients
