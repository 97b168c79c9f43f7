#include "llm_clients/mailbox_provider.hpp"

#include "llm_clients/io_thread.hpp"
#include "llm_clients/mailbox_folder.hpp"
#include "messages/error.hpp"

#include <boost/asio/post.hpp>

#include <mutex>
#include <utility>
#include <vector>

namespace lathe::llm_clients {

// All that waits when the thread gets to it is asked at once, so that it is written with one write.
struct mailbox_provider::state {
  void work() {
    std::vector<llm_request> asked;
    std::vector<completion> answered;
    {
      std::lock_guard guard{mutex};
      asked.swap(questions);
      answered.swap(completions);
    }
    auto replies = reply_to(asked);
    for (std::size_t i = 0; i < answered.size(); ++i)
      answered[i](std::move(replies[i]));
  }

  std::vector<reply> reply_to(const std::vector<llm_request>& asked) {
    if (!folder) {
      auto opened = mailbox_folder::open(model);
      if (!opened)
        return std::vector<reply>(
          asked.size(), failure{failure_kind::retry, describe(opened.error()), {}, false, true});
      folder = std::move(*opened);
    }
    return folder->ask(asked);
  }

  model_config model;
  std::unique_ptr<mailbox_folder> folder; // for the thread alone
  std::mutex mutex;                       // guards the next two
  std::vector<llm_request> questions;
  std::vector<completion> completions; // one a question
};

mailbox_provider::mailbox_provider(const model_config& model, std::shared_ptr<io_thread> disk)
  : state_(std::make_shared<state>()), disk_(std::move(disk)) {
  state_->model = model;
}

void mailbox_provider::ask(const llm_request& question, completion done) {
  std::lock_guard guard{state_->mutex};
  state_->questions.push_back(question);
  state_->completions.push_back(std::move(done));
  if (state_->questions.size() == 1)
    boost::asio::post(disk_->context(), [state = state_] { state->work(); });
}

} // namespace lathe::llm_clients
