#include "llm_clients/answer_book.hpp"

namespace lathe::llm_clients {

answer_book::answer_book(std::size_t max_bytes) : max_bytes_(max_bytes) {
  // nop
}

void answer_book::pin(recorded_answer x) {
  x.answer.recorded = true;
  answers_.insert_or_assign(key{x.session, x.request, std::move(x.prompt_hash)},
                            std::move(x.answer));
}

void answer_book::add(recorded_answer x) {
  x.answer.recorded = true;
  auto size = x.answer.text.size();
  key name{x.session, x.request, std::move(x.prompt_hash)};
  if (!answers_.try_emplace(name, std::move(x.answer)).second)
    return;
  order_.push_back(std::move(name));
  bytes_ += size;
  while (bytes_ > max_bytes_ && !order_.empty()) {
    auto oldest = answers_.extract(order_.front());
    bytes_ -= oldest.mapped().text.size();
    order_.pop_front();
  }
}

const llm_answer* answer_book::find(const session_id& session, request_id request,
                                    const std::string& prompt_hash) const {
  auto i = answers_.find(key{session, request, prompt_hash});
  return i == answers_.end() ? nullptr : &i->second;
}

} // namespace lathe::llm_clients
