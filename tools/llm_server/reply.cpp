#include "tools/llm_server/reply.hpp"

#include <algorithm>
#include <utility>

namespace lathe::llm_server {

namespace {

constexpr std::size_t padding_part = 64u << 10; // [bytes]

class in_one_step : public reply {
public:
  in_one_step(std::string bytes, after end) : bytes_(std::move(bytes)), end_(end) {
    // nop
  }

  step next(std::string& out) override {
    out += std::exchange(bytes_, {});
    return {end_};
  }

private:
  std::string bytes_;
  after end_;
};

class byte_by_byte : public reply {
public:
  byte_by_byte(std::string head, std::string body, framing how, after end)
    : head_(std::move(head)), body_(std::move(body)), how_(how), end_(end) {
    // nop
  }

  step next(std::string& out) override {
    out += std::exchange(head_, {});
    append_part(how_, std::string_view{body_}.substr(sent_++, 1), out);
    if (sent_ < body_.size())
      return {after::next_step, std::chrono::seconds{1}};
    append_end(how_, out);
    return {end_};
  }

private:
  std::string head_;
  std::string body_;
  std::size_t sent_ = 0; // [bytes] of the body
  framing how_;
  after end_;
};

class with_padding : public reply {
public:
  with_padding(std::string head, std::string body, framing how, after end)
    : head_(std::move(head)), body_(std::move(body)), how_(how), end_(end) {
    // nop
  }

  step next(std::string& out) override {
    auto brace = std::min(body_.find('{'), body_.size());
    if (!head_.empty()) {
      out += std::exchange(head_, {});
      append_part(how_, std::string_view{body_}.substr(0, brace), out);
    }
    if (padding_left_ > 0) {
      auto size = std::min(padding_left_, padding_part);
      append_part(how_, std::string(size, ' '), out);
      padding_left_ -= size;
      return {after::next_step};
    }
    append_part(how_, std::string_view{body_}.substr(brace), out);
    append_end(how_, out);
    return {end_};
  }

private:
  std::string head_;
  std::string body_;
  std::size_t padding_left_ = padding;
  framing how_;
  after end_;
};

class event_stream : public reply {
public:
  explicit event_stream(stream_plan plan) : plan_(std::move(plan)) {
    // nop
  }

  step next(std::string& out) override {
    if (number_ == 0) {
      out += std::exchange(plan_.head, {});
      append_part(plan_.how, plan_.format->opening(plan_.what), out);
    }
    std::string event;
    plan_.format->append_delta(plan_.what, number_, event);
    if (number_ == plan_.what.events / 2 && plan_.fault != fault_kind::none) {
      if (plan_.fault == fault_kind::cut) {
        append_part(plan_.how, std::string_view{event}.substr(0, event.size() / 2), out);
        return {after::close};
      }
      event.insert(event.find('{') + 1, "no JSON");
    }
    append_part(plan_.how, event, out);
    if (++number_ < plan_.what.events)
      return {after::next_step, plan_.interval.sample(plan_.random), 1};
    append_part(plan_.how, plan_.format->closing(plan_.what), out);
    append_end(plan_.how, out);
    return {plan_.end, {}, 1};
  }

private:
  stream_plan plan_;
  std::size_t number_ = 0; // of the next delta
};

} // namespace

std::unique_ptr<reply> whole_reply(std::string bytes, after end) {
  return std::make_unique<in_one_step>(std::move(bytes), end);
}

std::unique_ptr<reply> slow_reply(std::string head, std::string body, framing how, after end) {
  return std::make_unique<byte_by_byte>(std::move(head), std::move(body), how, end);
}

std::unique_ptr<reply> large_reply(std::string head, std::string body, framing how, after end) {
  return std::make_unique<with_padding>(std::move(head), std::move(body), how, end);
}

std::unique_ptr<reply> stream_reply(stream_plan plan) {
  return std::make_unique<event_stream>(std::move(plan));
}

} // namespace lathe::llm_server
